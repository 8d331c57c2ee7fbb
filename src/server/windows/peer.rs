//! Which user is at the other end of a connection.
//!
//! Every process of a host can connect to a loopback address, so a connection from another user is
//! refused. The table of connections contains the process that owns the other end, and the token of
//! that process contains its user. Windows tells this user nothing about the processes of most other
//! users, so their connections are refused as well.
//! <https://learn.microsoft.com/windows/win32/api/iphlpapi/nf-iphlpapi-getextendedtcptable>
#![allow(unsafe_code)] // calls into the operating system

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, NO_ERROR};
use windows_sys::Win32::NetworkManagement::IpHelper::{
    GetExtendedTcpTable, MIB_TCP6ROW_OWNER_PID, MIB_TCPROW_OWNER_PID, TCP_TABLE_OWNER_PID_ALL,
};
use windows_sys::Win32::Networking::WinSock::{AF_INET, AF_INET6};

use crate::error::{Error, Kind};
use crate::files;

/// The maximum number of attempts to read the table, which can grow in the meantime.
const ATTEMPTS: usize = 10;

/// Which users may connect: the user of this process, and SYSTEM.
#[derive(Debug, Clone)]
pub struct AllowedUsers;

impl AllowedUsers {
    /// Allows no other users, because users have no numeric IDs on Windows.
    ///
    /// # Errors
    /// `USAGE` if `uids` is not empty.
    pub fn new(uids: &[String]) -> Result<AllowedUsers, Error> {
        match uids {
            [] => Ok(AllowedUsers),
            _ => Err(Error::new(Kind::Usage, "--allow-uid is not available on Windows")
                .cause("users do not have numeric IDs")
                .fix("remove --allow-uid, and run the clients as the user of wif-token")),
        }
    }

    /// Whether a user may connect. An unknown user may not.
    pub(in crate::server) fn contains(&self, user: Option<String>) -> bool {
        user.is_some_and(|user| user == files::SYSTEM || files::user().is_ok_and(|own| own == user))
    }
}

/// The user of the process that connected from `peer` to `local`.
pub(in crate::server) fn of_tcp(peer: SocketAddr, local: SocketAddr) -> Option<String> {
    let in_ipv4 = || owner::<MIB_TCPROW_OWNER_PID>(AF_INET.into(), peer, local);
    let in_ipv6 = || owner::<MIB_TCP6ROW_OWNER_PID>(AF_INET6.into(), mapped(peer), mapped(local));
    let owner = peer.is_ipv4().then(in_ipv4).flatten().or_else(in_ipv6)?;
    files::user_of_process(owner).ok()
}

/// The address of an IPv6 socket with an IPv4 connection. Java and .NET open such sockets.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// A row of a table of connections.
trait Row: Copy {
    /// The addresses of both ends, from the point of view of the process.
    fn ends(&self) -> [(IpAddr, u16); 2];

    /// The ID of the process.
    fn process(&self) -> u32;
}

impl Row for MIB_TCPROW_OWNER_PID {
    fn ends(&self) -> [(IpAddr, u16); 2] {
        let ends = [(self.dwLocalAddr, self.dwLocalPort), (self.dwRemoteAddr, self.dwRemotePort)];
        ends.map(|(ip, port)| (Ipv4Addr::from(ip.to_ne_bytes()).into(), in_host_order(port)))
    }

    fn process(&self) -> u32 {
        self.dwOwningPid
    }
}

impl Row for MIB_TCP6ROW_OWNER_PID {
    fn ends(&self) -> [(IpAddr, u16); 2] {
        let ends = [(self.ucLocalAddr, self.dwLocalPort), (self.ucRemoteAddr, self.dwRemotePort)];
        ends.map(|(ip, port)| (Ipv6Addr::from(ip).into(), in_host_order(port)))
    }

    fn process(&self) -> u32 {
        self.dwOwningPid
    }
}

/// A port in network byte order, of which only the first half is defined.
fn in_host_order(port: u32) -> u16 {
    let [high, low, ..] = port.to_ne_bytes();
    u16::from_be_bytes([high, low])
}

/// The process that owns the connection. A connection that its process has closed belongs to the
/// process 0.
fn owner<R: Row>(family: u32, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let ends = [peer, local].map(|address| (address.ip(), address.port()));
    let rows = table::<R>(family)?;
    rows.iter().find(|row| row.ends() == ends).map(Row::process).filter(|id| *id != 0)
}

/// The table of all connections of a family.
fn table<R: Row>(family: u32) -> Option<Vec<R>> {
    // The number of rows is followed by the rows, which are aligned like the number.
    let mut buffer: Vec<u32> = Vec::new();
    for _ in 0..ATTEMPTS {
        let mut size = size_of_val(buffer.as_slice()) as u32;
        let to = if buffer.is_empty() { null_mut() } else { buffer.as_mut_ptr().cast() };
        // SAFETY: `size` is the size of the buffer in bytes and can store another one.
        let status =
            unsafe { GetExtendedTcpTable(to, &mut size, 0, family, TCP_TABLE_OWNER_PID_ALL, 0) };
        match status {
            NO_ERROR => {
                let (count, rows) = buffer.split_first()?;
                let fits = size_of_val(rows) / size_of::<R>();
                let count = usize::try_from(*count).ok()?.min(fits);
                // SAFETY: the system has filled this many rows, which are structures of numbers, and
                // the buffer is aligned for them.
                let rows = unsafe { std::slice::from_raw_parts(rows.as_ptr().cast::<R>(), count) };
                return Some(rows.to_vec());
            }
            ERROR_INSUFFICIENT_BUFFER => {
                buffer.resize(size as usize / size_of::<u32>() + 1024, 0);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found_by_the_whole_address_pair() {
        let own = files::user().unwrap();
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let local = listener.local_addr().unwrap();
            let mut client = TcpStream::connect(local).unwrap();
            // Wine knows the owner of a socket that has sent something.
            client.write_all(b"x").unwrap();
            let (accepted, peer) = listener.accept().unwrap();
            assert_eq!(of_tcp(peer, local), Some(own.clone()), "{address}");
            let mut other = peer;
            other.set_ip(if peer.is_ipv4() { [127, 0, 0, 77].into() } else { local.ip() });
            other.set_port(if peer.is_ipv4() { peer.port() } else { local.port() });
            assert_eq!(of_tcp(other, local), None, "{address}");
            drop(client);
            assert_eq!(of_tcp(peer, local), None, "{address}");
            drop(accepted);
        }
        assert!(AllowedUsers.contains(Some(own)) && AllowedUsers.contains(Some("S-1-5-18".into())));
        assert!(!AllowedUsers.contains(Some("S-1-5-19".into())) && !AllowedUsers.contains(None));
    }
}
