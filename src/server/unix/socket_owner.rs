//! Who owns a TCP socket, on Linux.
//!
//! The kernel reports the owner: a `NETLINK_SOCK_DIAG` request identifies the socket by both addresses
//! of its connection. On a kernel without such requests, the socket is searched for in `/proc/net/tcp`.
//! <https://man7.org/linux/man-pages/man7/sock_diag.7.html>

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// The type of a message that requests the data of a socket.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const TCP: u8 = 6;
/// The sizes of `struct nlmsghdr` and of `struct inet_diag_req_v2`, in bytes.
const HEADER: usize = 16;
const REQUEST: usize = 56;
/// The offsets of `idiag_uid` and `idiag_inode` in `struct inet_diag_msg`.
const UID: usize = 64;
const INODE: usize = 68;
/// The offset and the length of the ports and addresses in that structure: `struct
/// inet_diag_sockid`.
const SOCKET_ID: usize = 4;
const ADDRESSES: usize = 36;

/// Opens a socket for requests to the kernel.
pub(super) fn kernel() -> Option<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, Some(SOCK_DIAG)).ok()
}

/// Asks the kernel who owns the socket that is connected from `peer` to `local`. The response
/// is available as soon as the request has been sent.
pub(super) fn ask(kernel: &OwnedFd, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let address = SocketAddrNetlink::new(0, 0);
    sendto(kernel, &request(peer, local), SendFlags::empty(), &address).ok()?;
    let (mut found, mut answer) = (None, [0_u8; 1024]);
    while let Ok((length, _)) = recv(kernel, &mut answer[..], RecvFlags::empty()) {
        found = owner(answer.get(..length)?, peer, local);
    }
    found
}

/// The owner in the response, if the response is about this socket. A socket that its process
/// has closed has no inode, and may appear to be owned by root.
fn owner(answer: &[u8], peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let kind = answer.get(4..6)?;
    let message = answer.get(HEADER..)?;
    let id = message.get(SOCKET_ID..SOCKET_ID + ADDRESSES)?;
    let is_it = id == socket_id(peer, local) || id == socket_id(mapped(peer), mapped(local));
    if kind != SOCK_DIAG_BY_FAMILY.to_ne_bytes() || !is_it {
        return None;
    }
    let number = |at| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    number(UID).filter(|_| number(INODE).is_some_and(|inode| inode != 0))
}

fn request(peer: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let family = match peer {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let mut bytes = Vec::with_capacity(HEADER + REQUEST);
    bytes.extend(((HEADER + REQUEST) as u32).to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]); // sequence number, port
    bytes.extend([family.as_raw() as u8, TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes()); // sockets in every state
    bytes.extend(socket_id(peer, local));
    bytes.extend([0; 4]); // any interface
    bytes.extend([0xff; 8]); // no cookie
    bytes
}

/// Ports and addresses in network byte order, from the point of view of the peer.
fn socket_id(peer: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let address = |address: SocketAddr| {
        let mut bytes = match address.ip() {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        bytes.resize(16, 0);
        bytes
    };
    let ports = [peer, local].map(|address| address.port().to_be_bytes()).concat();
    [ports, address(peer), address(local)].concat()
}

/// The address that the kernel shows for an IPv6 socket with an IPv4 connection. Java and .NET open
/// such sockets.
fn mapped(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

/// Searches the tables of all TCP sockets, which may be large.
pub(super) fn search_table(peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let in_ipv4 = peer.is_ipv4().then(|| search("/proc/net/tcp", peer, local)).flatten();
    in_ipv4.or_else(|| search("/proc/net/tcp6", mapped(peer), mapped(local)))
}

fn search(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let lines = BufReader::new(File::open(table).ok()?).lines();
    let (from, to) = (in_table(peer), in_table(local));
    lines.map_while(Result::ok).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let is_it = fields.next() == Some(&from) && fields.next() == Some(&to);
        let (uid, inode) = (is_it.then(|| fields.nth(4))??, fields.nth(1)?);
        uid.parse().ok().filter(|_| inode != "0")
    })
}

/// An address as the table shows it: groups of four bytes in the order of the host.
fn in_table(address: SocketAddr) -> String {
    let bytes = match address.ip() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let mut text = String::new();
    for group in bytes.chunks_exact(4) {
        let group = u32::from_ne_bytes(group.try_into().unwrap_or_default());
        let _ = write!(text, "{group:08X}");
    }
    format!("{text}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_owner_of_a_connection_is_found_in_both_ways() {
        let own = rustix::process::getuid().as_raw();
        for (address, host) in
            [("127.0.0.1:0", "127.0.0.1"), ("127.0.0.1:0", "::ffff:127.0.0.1"), ("[::1]:0", "::1")]
        {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let local = listener.local_addr().unwrap();
            let client = TcpStream::connect((host, local.port())).unwrap();
            let (accepted, peer) = listener.accept().unwrap();
            let kernel = kernel().unwrap();
            assert_eq!(ask(&kernel, peer, local), Some(own), "{host}");
            assert_eq!(search_table(peer, local), Some(own), "{host}");
            // Another process may have the same port at another loopback address.
            let mut other = peer;
            other.set_ip(if peer.is_ipv4() { [127, 0, 0, 77].into() } else { local.ip() });
            other.set_port(if peer.is_ipv4() { peer.port() } else { local.port() });
            assert_eq!(ask(&kernel, other, local), None, "{host}");
            assert_eq!(search_table(other, local), None, "{host}");
            assert_eq!(ask(&kernel, peer, local), Some(own), "{host}");
            // A closed socket has no owner: it must not appear to be owned by root.
            drop(client);
            assert_eq!(ask(&kernel, peer, local), None, "{host}");
            assert_eq!(search_table(peer, local), None, "{host}");
            drop(accepted);
        }
    }
}
