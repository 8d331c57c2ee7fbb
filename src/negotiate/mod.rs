//! HTTP Negotiate (RFC 4559): "give me the next token for this target".
//!
//! The client names the service by its SPN, `HTTP/host`. The operating system's security library
//! gets a Kerberos ticket for it, with the account that is signed on, a keytab or a password, and
//! wraps it in SPNEGO (RFC 4178). The token goes into `Authorization: Negotiate`; what the server
//! answers in `WWW-Authenticate: Negotiate` is the next challenge. Kerberos takes one leg, NTLM two,
//! on one connection. A channel binding (RFC 5929) ties the tokens to the TLS connection, which
//! Extended Protection of AD FS asks for.
//!
//! The library is SSPI on Windows and GSSAPI (RFC 2744) elsewhere, loaded when it is needed: this
//! program builds and starts without Kerberos. Credentials are never delegated.

#[cfg_attr(windows, path = "sspi/mod.rs")]
#[cfg_attr(all(unix, not(target_feature = "crt-static")), path = "gssapi/mod.rs")]
#[cfg_attr(all(unix, target_feature = "crt-static"), path = "static_build.rs")]
mod platform;

#[cfg(any(windows, test))]
#[path = "sspi/status.rs"]
mod sspi_status;

use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::world::Deadline;

/// Who signs on.
#[derive(Debug, Clone)]
pub enum Identity {
    /// The account that runs this: its Windows logon, its ticket cache, or a keytab.
    Current {
        /// `--keytab`: the file with the account's keys. Not on Windows.
        keytab: Option<PathBuf>,
        /// `--principal`: the account, where the cache or keytab holds several. Not on Windows.
        principal: Option<String>,
    },
    /// `--user` and `--password`.
    Password {
        /// `user@REALM`; on Windows `DOMAIN\user` too.
        user: String,
        /// Its password.
        password: Secret,
    },
}

/// Whom the tokens are for.
#[derive(Debug, Clone)]
pub struct Target {
    /// `HTTP/host`: krb5.conf decides on the realm and on a canonical host name. With its realm,
    /// `HTTP/host@REALM`, it is taken to the letter.
    pub spn: String,
    /// The binding to the TLS connection: `tls-server-end-point:` and the hash of the server's
    /// certificate.
    pub channel_binding: Option<Vec<u8>>,
}

/// One sign-on, from the first token to the last.
#[derive(Debug)]
pub struct Negotiator {
    platform: platform::Platform,
    deadline: Deadline,
}

impl Negotiator {
    /// Finds the security library and the account. A password is tried at the KDC already.
    ///
    /// # Errors
    /// `ABSENT` without a security library or ticket, `EXPIRED` where the ticket is over,
    /// `CONFIGURATION` for a wrong SPN, keytab or account name; and those of [`Self::next`].
    pub fn new(identity: &Identity, target: &Target, cx: &Context) -> Result<Negotiator, Error> {
        check_spn(&target.spn)?;
        check_deadline(cx.deadline)?;
        let platform = platform::Platform::new(identity, target, cx)?;
        Ok(Negotiator { platform, deadline: cx.deadline })
    }

    /// The token to send, given what the server answered to the one before. It is empty where the
    /// server's last word needs no answer.
    ///
    /// # Errors
    /// `DENIED` where the KDC refuses the account, `UNREACHABLE` where no KDC answers, `PROTOCOL`
    /// for a broken challenge, `CONFIGURATION` for an SPN, realm, keytab or clock to change.
    pub fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        check_deadline(self.deadline)?;
        self.platform.next(challenge)
    }
}

fn check_deadline(deadline: Deadline) -> Result<(), Error> {
    if deadline.has_passed() { Err(deadline.error()) } else { Ok(()) }
}

/// Refuses what is no `SERVICE/host[@REALM]` before a library sees it.
fn check_spn(spn: &str) -> Result<(), Error> {
    let (service, host) = spn.split_once('/').unwrap_or_default();
    let is_word = !spn.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_word && !service.is_empty() && !service.contains('@') && !host.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Configuration, format!("{spn:?} is no service principal name"))
        .fix("write it as --spn=HTTP/host"))
}

/// The SPN without its realm, as `setspn` takes it.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))] // only for the libraries
fn without_realm(spn: &str) -> &str {
    spn.split('@').next().unwrap_or(spn)
}

/// What to do where the directory does not know the SPN.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))] // only for the libraries
fn register(spn: &str) -> String {
    let spn = without_realm(spn);
    format!("register it at the service's account, setspn -S {spn} ACCOUNT, or name another, --spn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_spn_is_a_service_and_a_host() {
        for spn in ["HTTP/adfs.example.com", "HTTP/h@EXAMPLE.COM", "HTTP/h:8443", "host/a/b"] {
            assert!(check_spn(spn).is_ok(), "{spn}");
        }
        for spn in ["", "adfs.example.com", "HTTP/", "/h", "HTTP/a b", "HTTP/a\0b", "HTTP@h/x"] {
            assert_eq!(check_spn(spn).unwrap_err().kind(), Kind::Configuration, "{spn:?}");
        }
    }

    #[test]
    fn an_spn_is_registered_without_its_realm() {
        assert!(register("HTTP/adfs@EXAMPLE.COM").contains("setspn -S HTTP/adfs ACCOUNT"));
    }
}
