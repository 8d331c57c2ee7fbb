//! The user ID that does not identify a user, on Linux.
//!
//! In a user namespace, the kernel reports every user who has no ID there as the overflow ID, usually
//! 65534. A container can run as this user. Its network namespace usually belongs to it as well, so
//! that no other user can connect; with the network of the host, everybody can.
//! <https://man7.org/linux/man-pages/man7/user_namespaces.7.html>

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::ptr;

use rustix::io;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use crate::files;

/// The maximum size of a file, in bytes: a map has at most 340 lines of 33 bytes.
const LONGEST: usize = 16 * 1024;

/// The ID that the kernel reports for users without an ID in this namespace, if such users can
/// connect.
pub(super) fn overflow_id() -> Option<u32> {
    if has_every_user() || owns_network() {
        return None;
    }
    let id = read("/proc/sys/kernel/overflowuid").and_then(|text| text.trim().parse().ok());
    Some(id.unwrap_or(65534))
}

/// Whether every user has an ID in this namespace, as is the case without a user namespace.
fn has_every_user() -> bool {
    let Some(map) = read("/proc/self/uid_map") else { return true };
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    map.lines().filter_map(count).sum::<u64>() >= u32::MAX.into()
}

fn read(path: &str) -> Option<String> {
    let file = files::open_regular(Path::new(path)).ok()?;
    String::from_utf8(files::read_limited(file, LONGEST).ok()??).ok()
}

/// Whether the network namespace belongs to the user namespace. A process cannot see the owner if
/// the owner is outside its user namespace.
fn owns_network() -> bool {
    let owner = || {
        let network = File::open("/proc/self/ns/net").ok()?;
        // SAFETY: the request has no argument, and returns a new descriptor.
        #[allow(unsafe_code)]
        let owner = unsafe { ioctl(&network, OwnerOfNamespace) }.ok()?;
        File::from(owner).metadata().ok()
    };
    let own = std::fs::metadata("/proc/self/ns/user").ok();
    owner().zip(own).is_some_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()))
}

/// `NS_GET_USERNS`. <https://man7.org/linux/man-pages/man2/NS_GET_USERNS.2const.html>
struct OwnerOfNamespace;

// SAFETY: the opcode is that of a request without an argument, whose result is a new descriptor.
#[allow(unsafe_code)]
unsafe impl Ioctl for OwnerOfNamespace {
    type Output = OwnedFd;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::none(0xb7, 1)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        ptr::null_mut()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> io::Result<OwnedFd> {
        // SAFETY: the kernel has opened the descriptor for this request.
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
}
