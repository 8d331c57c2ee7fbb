//! The product name that the firmware of this host states, as Google's libraries read it.
//! <https://cloud.google.com/compute/docs/instances/detect-compute-engine>

/// Whether this host is a machine of Google Cloud.
pub(super) fn is_of_google() -> bool {
    product_name().is_some_and(|name| name.starts_with("Google"))
}

#[cfg(not(windows))]
fn product_name() -> Option<String> {
    use std::path::Path;

    use crate::error::Kind;
    use crate::files;

    let path = Path::new("/sys/class/dmi/id/product_name");
    if !files::exists(path) {
        return None;
    }
    let text = files::read_text(path, "the firmware", Kind::Configuration).ok()?;
    Some(text.expose().to_owned())
}

#[cfg(windows)]
fn product_name() -> Option<String> {
    #![allow(unsafe_code)] // calls into the operating system
    use windows_sys::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
    use windows_sys::w;

    let mut text = [0_u16; 64];
    let mut length = size_of_val(&text) as u32;
    // SAFETY: both names are NUL-terminated, and `length` is the length of the buffer in bytes.
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            w!(r"SYSTEM\HardwareConfig\Current"),
            w!("SystemProductName"),
            RRF_RT_REG_SZ,
            std::ptr::null_mut(),
            text.as_mut_ptr().cast(),
            &mut length,
        )
    };
    (status == 0).then(|| String::from_utf16_lossy(&text))
}
