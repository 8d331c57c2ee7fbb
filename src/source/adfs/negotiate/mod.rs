//! The tokens of HTTP Negotiate (RFC 4559).
//!
//! The client identifies the service by its service principal name (SPN), `HTTP/host`. The security
//! library of the operating system gets a Kerberos ticket for the service, with the account of the
//! process, a keytab or a password, and wraps the ticket in SPNEGO (RFC 4178). The client sends the
//! token in `Authorization: Negotiate`. The header `WWW-Authenticate: Negotiate` of the response
//! contains the next challenge. Kerberos needs one request and NTLM two, on the same connection. A
//! channel binding (RFC 5929) binds the tokens to the TLS connection, which Extended Protection of
//! AD FS requires.
//!
//! The library is SSPI on Windows and GSSAPI (RFC 2744) on other systems. It is loaded only when it
//! is needed, so this program builds and starts without Kerberos. Credentials are never delegated.

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
use crate::files;
use crate::secret::Secret;
use crate::show;
use crate::world::Deadline;

/// The account that signs in.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    /// The account of this process: its Windows logon, its ticket cache, or a keytab.
    Current {
        /// `--keytab`: the file with the keys of the account. Not supported on Windows.
        keytab: Option<PathBuf>,
        /// `--principal`: the account, if the cache or the keytab contains several. Not supported
        /// on Windows.
        principal: Option<String>,
    },
    /// `--user` and `--password`.
    Password {
        /// `user@REALM`; on Windows also `DOMAIN\user`.
        user: String,
        /// The password of the account.
        password: Secret,
    },
}

/// The service that the tokens are for.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// `HTTP/host`, whose realm and canonical host name krb5.conf determines. With a realm, as in
    /// `HTTP/host@REALM`, the name is used unchanged.
    pub(super) spn: String,
    /// The binding to the TLS connection: `tls-server-end-point:` and the hash of the server's
    /// certificate.
    pub(super) channel_binding: Option<Vec<u8>>,
}

/// One sign-in, from the first token to the last.
#[derive(Debug)]
pub(super) struct Negotiator {
    platform: platform::Platform,
    deadline: Deadline,
}

impl Negotiator {
    /// Loads the security library and gets the credentials of the account. With a password, this
    /// sends a request to the KDC.
    ///
    /// # Errors
    /// `ABSENT` if there is no security library or no ticket, `EXPIRED` if the ticket has expired,
    /// `CONFIGURATION` if the SPN, the keytab or the account name is wrong; the errors of
    /// [`Self::next`].
    pub(super) fn new(
        identity: &Identity,
        target: &Target,
        cx: &Context,
    ) -> Result<Negotiator, Error> {
        check_spn(&target.spn)?;
        check_deadline(cx.deadline)?;
        match identity {
            Identity::Current { keytab: Some(keytab), .. } => files::note(keytab),
            // A change of the ticket or of the logon cannot be detected.
            Identity::Current { keytab: None, .. } => files::note_unknown(),
            Identity::Password { .. } => {}
        }
        let platform = platform::Platform::new(identity, target, cx)?;
        Ok(Negotiator { platform, deadline: cx.deadline })
    }

    /// Creates the next token to send. `challenge` is the challenge in the response to the previous
    /// token. The token is empty if the sign-in is complete.
    ///
    /// # Errors
    /// `DENIED` if the KDC refuses the account, `UNREACHABLE` if no KDC responds, `PROTOCOL` if the
    /// challenge is malformed, `CONFIGURATION` if the SPN, the realm, the keytab or the clock is
    /// wrong.
    pub(super) fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        check_deadline(self.deadline)?;
        self.platform.next(challenge)
    }
}

fn check_deadline(deadline: Deadline) -> Result<(), Error> {
    if deadline.has_passed() { Err(deadline.error()) } else { Ok(()) }
}

/// Refuses text that is not `SERVICE/host[@REALM]`, before it is passed to a library.
fn check_spn(spn: &str) -> Result<(), Error> {
    let (service, host) = spn.split_once('/').unwrap_or_default();
    let is_word = !spn.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_word && !service.is_empty() && !service.contains('@') && !host.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Configuration,
        format!("{:?} is not a service principal name", show::value(spn)),
    )
    .fix("set --spn to HTTP/HOST, where HOST is the host name of AD FS"))
}

/// The fix if the server refuses the channel binding.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))] // used only with a security library
const CHANNEL_BINDING: &str = "check that no load balancer between this host and the server \
                               terminates TLS, because it breaks the channel binding";

/// The fix if the token of the server is malformed.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))] // used only with a security library
const INVALID_TOKEN: &str =
    "check that the server belongs to the domain, because its Negotiate token is malformed";

/// The SPN without its realm, which is the format of `setspn`.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))] // used only with a security library
fn without_realm(spn: &str) -> &str {
    spn.split('@').next().unwrap_or(spn)
}

/// The fix if the directory does not contain the SPN.
#[cfg_attr(target_feature = "crt-static", allow(dead_code))] // used only with a security library
fn register(spn: &str) -> String {
    let spn = without_realm(spn);
    format!(
        "register the service principal name with setspn -S {spn} ACCOUNT, where ACCOUNT runs the \
         service, or set --spn"
    )
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
