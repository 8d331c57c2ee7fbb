//! Reads the proxy settings with WinHTTP.
#![allow(unsafe_code)] // calls into the operating system

use std::ptr::slice_from_raw_parts;

use windows_sys::Win32::Foundation::GlobalFree;
use windows_sys::Win32::Networking::WinHttp::{
    WINHTTP_ACCESS_TYPE_NAMED_PROXY, WINHTTP_CURRENT_USER_IE_PROXY_CONFIG, WINHTTP_PROXY_INFO,
    WinHttpGetDefaultProxyConfiguration, WinHttpGetIEProxyConfigForCurrentUser,
};

use super::Setting;

/// The settings of the user of this process.
pub(super) fn of_user() -> Option<Setting> {
    let mut found = WINHTTP_CURRENT_USER_IE_PROXY_CONFIG::default();
    // SAFETY: the structure is valid for writing during the call.
    if unsafe { WinHttpGetIEProxyConfigForCurrentUser(&mut found) } == 0 {
        return None;
    }
    // SAFETY: the call has set each pointer to null or to a string that this function owns.
    let [_, proxies, bypass] = unsafe {
        [found.lpszAutoConfigUrl, found.lpszProxy, found.lpszProxyBypass].map(|t| take(t))
    };
    setting(proxies, bypass)
}

/// The settings of the machine, which an administrator sets for services.
pub(super) fn of_machine() -> Option<Setting> {
    let mut found = WINHTTP_PROXY_INFO::default();
    // SAFETY: the structure is valid for writing during the call.
    if unsafe { WinHttpGetDefaultProxyConfiguration(&mut found) } == 0 {
        return None;
    }
    // SAFETY: the call has set each pointer to null or to a string that this function owns.
    let [proxies, bypass] = unsafe { [found.lpszProxy, found.lpszProxyBypass].map(|t| take(t)) };
    match found.dwAccessType {
        WINHTTP_ACCESS_TYPE_NAMED_PROXY => setting(proxies, bypass),
        _ => None,
    }
}

fn setting(proxies: Option<String>, bypass: Option<String>) -> Option<Setting> {
    Some(Setting { proxies: proxies?, bypass: bypass.unwrap_or_default() })
}

/// Copies a string and frees it.
///
/// # Safety
/// The pointer is null, or the string ends with a NUL character, was allocated with `GlobalAlloc`,
/// and is not used afterwards.
unsafe fn take(text: *mut u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the string ends with a NUL character, and no unit after it is read.
    let length = (0..).take_while(|&at| unsafe { *text.add(at) } != 0).count();
    // SAFETY: this number of units was just read.
    let found = String::from_utf16_lossy(unsafe { &*slice_from_raw_parts(text, length) });
    // SAFETY: guaranteed by the caller; no reference to the string is left.
    unsafe { GlobalFree(text.cast()) };
    Some(found)
}
