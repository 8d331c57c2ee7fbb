//! The console events of Windows: Ctrl-C, Ctrl-Break, and the end of the console or of the host.
//! <https://learn.microsoft.com/windows/console/handlerroutine>
#![allow(unsafe_code)] // calls into the operating system

use std::io;
use std::sync::OnceLock;
use std::thread;

use windows_sys::Win32::Foundation::TRUE;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_LOGOFF_EVENT, SetConsoleCtrlHandler,
};
use windows_sys::core::BOOL;

type Action = Box<dyn Fn() + Send + Sync>;

static ACTION: OnceLock<Action> = OnceLock::new();

/// Makes console events run `action` in another thread instead of ending this process. Programs
/// that are started later do not inherit this setting.
///
/// # Errors
/// The errors of the operating system.
pub fn on_console_event(action: impl Fn() + Send + Sync + 'static) -> io::Result<()> {
    let _ = ACTION.set(Box::new(action));
    // SAFETY: the handler is a function of this program and is valid until the process ends.
    match unsafe { SetConsoleCtrlHandler(Some(handler), TRUE) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

extern "system" fn handler(event: u32) -> BOOL {
    // Services get this event when any user of the host signs out.
    if event == CTRL_LOGOFF_EVENT {
        return TRUE;
    }
    ACTION.get().inspect(|action| action());
    if [CTRL_C_EVENT, CTRL_BREAK_EVENT].contains(&event) {
        return TRUE;
    }
    // Windows ends the process when this function returns, so it waits until the process ends by
    // itself.
    loop {
        thread::park();
    }
}
