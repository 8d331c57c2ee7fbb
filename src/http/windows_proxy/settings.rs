//! Reads the settings by WinHTTP.
#![allow(unsafe_code)] // calls into the operating system

use std::ptr::slice_from_raw_parts;

use windows_sys::Win32::Foundation::GlobalFree;
use windows_sys::Win32::Networking::WinHttp::{
    WINHTTP_ACCESS_TYPE_NAMED_PROXY, WINHTTP_CURRENT_USER_IE_PROXY_CONFIG, WINHTTP_PROXY_INFO,
    WinHttpGetDefaultProxyConfiguration, WinHttpGetIEProxyConfigForCurrentUser,
};

use super::Setting;

/// What the user of this process set by hand.
pub(super) fn of_user() -> Option<Setting> {
    let mut found = WINHTTP_CURRENT_USER_IE_PROXY_CONFIG::default();
    // SAFETY: the structure is there for the call to fill in.
    if unsafe { WinHttpGetIEProxyConfigForCurrentUser(&mut found) } == 0 {
        return None;
    }
    // SAFETY: the call has set each to null or to a text of its own, which is used here alone.
    let [_, proxies, bypass] = unsafe {
        [found.lpszAutoConfigUrl, found.lpszProxy, found.lpszProxyBypass].map(|t| take(t))
    };
    setting(proxies, bypass)
}

/// What the administrator set for services.
pub(super) fn of_machine() -> Option<Setting> {
    let mut found = WINHTTP_PROXY_INFO::default();
    // SAFETY: the structure is there for the call to fill in.
    if unsafe { WinHttpGetDefaultProxyConfiguration(&mut found) } == 0 {
        return None;
    }
    // SAFETY: the call has set each to null or to a text of its own, which is used here alone.
    let [proxies, bypass] = unsafe { [found.lpszProxy, found.lpszProxyBypass].map(|t| take(t)) };
    match found.dwAccessType {
        WINHTTP_ACCESS_TYPE_NAMED_PROXY => setting(proxies, bypass),
        _ => None,
    }
}

fn setting(proxies: Option<String>, bypass: Option<String>) -> Option<Setting> {
    Some(Setting { proxies: proxies?, bypass: bypass.unwrap_or_default() })
}

/// The text, which is freed.
///
/// # Safety
/// It is null, or ends with a zero and was allocated to be freed by `GlobalFree`, once.
unsafe fn take(text: *mut u16) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: it ends with a zero, which is looked for from its start.
    let length = (0..).take_while(|&at| unsafe { *text.add(at) } != 0).count();
    // SAFETY: so many units were just read.
    let found = String::from_utf16_lossy(unsafe { &*slice_from_raw_parts(text, length) });
    // SAFETY: as the caller says; nothing refers to it any more.
    unsafe { GlobalFree(text.cast()) };
    Some(found)
}
