//! Where the server listens: on a loopback address.
#![allow(unsafe_code)] // calls into the operating system

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::windows::io::{AsSocket, BorrowedSocket, FromRawSocket};

use windows_sys::Win32::Networking::WinSock::{
    AF_INET, AF_INET6, IN_ADDR, IN_ADDR_0, IN6_ADDR, IN6_ADDR_0, INVALID_SOCKET,
    SO_EXCLUSIVEADDRUSE, SOCK_STREAM, SOCKADDR_IN, SOCKADDR_IN6, SOCKET, SOL_SOCKET,
    WSA_FLAG_NO_HANDLE_INHERIT, WSA_FLAG_OVERLAPPED, WSADATA, WSASocketW, WSAStartup, bind, listen,
    setsockopt,
};

use super::super::system::Stream;
use super::peer;
use crate::error::{Error, Kind};
use crate::world::Env;

/// The maximum number of connections that wait in the system to be accepted, as `SOMAXCONN_HINT`
/// encodes it.
const BACKLOG: i32 = -1024;

/// The version of the socket library: 2.2.
const VERSION: u16 = 0x0202;

/// A socket that listens.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The errors of [`Listener::at`].
    pub fn anywhere() -> Result<Listener, Error> {
        let fix = "check the loopback interface";
        Listener::tcp(SocketAddr::from(([127, 0, 0, 1], 0)), "127.0.0.1", fix)
    }

    /// Listens on the address of `--listen`: `127.0.0.1:PORT` or `[::1]:PORT`.
    ///
    /// # Errors
    /// `USAGE` for any other address; `CONFIGURATION` if the address is in use or cannot be used.
    pub fn at(address: &str) -> Result<Listener, Error> {
        let parsed: Option<SocketAddr> = address.parse().ok();
        match parsed.filter(|address| address.ip().is_loopback()) {
            Some(parsed) => Listener::tcp(parsed, address, "set --listen to another port"),
            None if address.starts_with("unix:") => {
                let error = usage("--listen is a Unix socket", "use");
                Err(error.cause("on Windows, wif-token listens only on loopback addresses"))
            }
            None => Err(usage("--listen is not a loopback address", "use")),
        }
    }

    /// Returns an error, because systemd does not exist on Windows.
    ///
    /// # Errors
    /// `USAGE`.
    pub fn from_systemd(_env: &Env) -> Result<Listener, Error> {
        Err(usage("--listen is required", "add"))
    }

    fn tcp(address: SocketAddr, shown: &str, fix: &str) -> Result<Listener, Error> {
        let open = || {
            let listener = open(address)?;
            listener.set_nonblocking(true)?;
            Ok(Listener(listener))
        };
        open().map_err(|error: io::Error| {
            Error::new(Kind::Configuration, format!("cannot listen on {shown}"))
                .cause(error)
                .fix(fix)
        })
    }

    /// The address with its port.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }

    /// Accepts one connection. Also returns the user who opened it, if known.
    ///
    /// # Errors
    /// `WouldBlock` if no connection waits, and those of the operating system.
    pub(in crate::server) fn accept(&self) -> io::Result<(Stream, Option<String>)> {
        let (stream, from) = self.0.accept()?;
        let user = stream.local_addr().ok().and_then(|local| peer::of_tcp(from, local));
        stream.set_nonblocking(true)?;
        // Each response is one write, which must not wait for more.
        let _ = stream.set_nodelay(true);
        Ok((stream, user))
    }
}

impl AsSocket for Listener {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.0.as_socket()
    }
}

fn usage(what: &str, verb: &str) -> Error {
    let fix = format!("{verb} --listen=127.0.0.1:PORT or --listen=[::1]:PORT");
    Error::new(Kind::Usage, what).fix(fix)
}

/// Opens a socket whose address no other socket can use. Without this setting, a socket of another
/// user could use it. The standard library does not have the setting, and has only a short backlog.
/// <https://learn.microsoft.com/windows/win32/winsock/using-so-reuseaddr-and-so-exclusiveaddruse>
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    // SAFETY: `data` can store the result.
    let status = unsafe {
        let mut data = WSADATA::default();
        WSAStartup(VERSION, &mut data)
    };
    if status != 0 {
        return Err(io::Error::from_raw_os_error(status));
    }
    let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
    let flags = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
    // SAFETY: no protocol is given, and the pointer to one may be null.
    let socket = unsafe { WSASocketW(family.into(), SOCK_STREAM, 0, std::ptr::null(), 0, flags) };
    if socket == INVALID_SOCKET {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the socket was just opened, and nothing else closes it.
    let listener = unsafe { TcpListener::from_raw_socket(socket as u64) };
    let on = 1_i32.to_ne_bytes();
    // SAFETY: the pointer and the length are those of the value.
    succeeded(unsafe {
        setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, on.as_ptr(), on.len() as i32)
    })?;
    succeeded(bind_to(socket, address))?;
    // SAFETY: the call gets no pointers.
    succeeded(unsafe { listen(socket, BACKLOG) })?;
    Ok(listener)
}

fn bind_to(socket: SOCKET, address: SocketAddr) -> i32 {
    match address {
        SocketAddr::V4(address) => {
            let ip = u32::from_ne_bytes(address.ip().octets());
            let name = SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: address.port().to_be(),
                sin_addr: IN_ADDR { S_un: IN_ADDR_0 { S_addr: ip } },
                ..SOCKADDR_IN::default()
            };
            // SAFETY: the pointer and the length are those of the address.
            unsafe { bind(socket, (&raw const name).cast(), size_of_val(&name) as i32) }
        }
        SocketAddr::V6(address) => {
            let name = SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: address.port().to_be(),
                sin6_addr: IN6_ADDR { u: IN6_ADDR_0 { Byte: address.ip().octets() } },
                ..SOCKADDR_IN6::default()
            };
            // SAFETY: as above.
            unsafe { bind(socket, (&raw const name).cast(), size_of_val(&name) as i32) }
        }
    }
}

/// Converts the status of a function that returns 0 on success.
fn succeeded(status: i32) -> io::Result<()> {
    match status {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
