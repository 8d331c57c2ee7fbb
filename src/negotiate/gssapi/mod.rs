//! Negotiate with GSSAPI, with the credentials of a ticket cache, a keytab or a password.
//!
//! The Kerberos library finds the cache, the realm and the KDC (`KRB5CCNAME`, `KRB5_CLIENT_KTNAME`,
//! `KRB5_CONFIG`). Tickets for `--keytab` are stored only in the memory of this process. SPNEGO is
//! restricted to Kerberos; NTLM is not offered. If SPNEGO fails, the call is repeated with Kerberos
//! alone, because SPNEGO hides the error codes that the fix depends on.
//! <https://www.rfc-editor.org/rfc/rfc2744>, <https://www.rfc-editor.org/rfc/rfc4178>

mod credential;
mod ffi;
mod krb5_error;
mod library;
mod sec_context;
mod status;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use self::credential::{Credential, CredentialSource};
use self::ffi::{Gss, HOSTBASED_SERVICE, KRB5, KRB5_PRINCIPAL, Oid, SPNEGO, USER_NAME};
use self::library::{Failure, Name};
use self::sec_context::SecContext;
use self::status::Attempt;
use super::{Identity, Target};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::world::Deadline;

/// The routine error `GSS_S_BAD_MECH` (RFC 2744): the library does not support the mechanism.
const BAD_MECH: u32 = 1;

#[derive(Debug)]
pub(super) struct Platform {
    gss: Gss,
    identity: Identity,
    target: Target,
    mechanism: Oid,
    name: Name,
    credential: Credential,
    context: SecContext,
    deadline: Deadline,
}

impl Platform {
    pub(super) fn new(
        identity: &Identity,
        target: &Target,
        cx: &Context,
    ) -> Result<Platform, Error> {
        let gss = Gss::load().ok_or_else(no_library)?;
        cx.log.line(format!("getting a Negotiate token for {} with {}", target.spn, gss.library));
        let explain =
            |failure| Attempt { spn: &target.spn, identity, answered: false }.explain(&failure);
        let (text, form) = service_name(&target.spn);
        let name = gss.name(&text, form).map_err(explain)?;
        let (mechanism, acquired) = acquire_first(gss, identity, cx.deadline)?;
        let credential = acquired.map_err(explain)?;
        let (identity, target) = (identity.clone(), target.clone());
        let (context, deadline) = (gss.context(), cx.deadline);
        Ok(Platform { gss, identity, target, mechanism, name, credential, context, deadline })
    }

    pub(super) fn next(&mut self, challenge: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let binding = self.target.channel_binding.as_deref();
        let before = self.deadline.remaining();
        let step =
            self.context.step(&self.credential, &self.name, self.mechanism, binding, challenge);
        step.map_err(|mut failure| {
            let answered = challenge.is_some();
            if !answered && self.mechanism == SPNEGO && time_to_repeat(before, self.deadline) {
                failure = self.kerberos_failure().unwrap_or(failure);
            }
            let (spn, identity) = (&self.target.spn, &self.identity);
            Attempt { spn, identity, answered }.explain(&failure)
        })
    }

    /// The failure of the first step with Kerberos alone, if that fails too.
    fn kerberos_failure(&self) -> Option<Failure> {
        let credential = match acquire(self.gss, &self.identity, KRB5).ok()? {
            Ok(credential) => credential,
            Err(failure) => return Some(failure),
        };
        self.gss.context().step(&credential, &self.name, KRB5, None, None).err()
    }
}

/// Whether there is enough time to repeat a call before the deadline. `before` is the time that
/// remained before the call.
fn time_to_repeat(before: Duration, deadline: Deadline) -> bool {
    let after = deadline.remaining();
    before.saturating_sub(after) < after
}

/// Gets the credentials of the account for SPNEGO, or for Kerberos if the library does not support
/// SPNEGO. Returns the mechanism too.
fn acquire_first(
    gss: Gss,
    identity: &Identity,
    deadline: Deadline,
) -> Result<(Oid, Result<Credential, Failure>), Error> {
    // A password is tried with Kerberos alone first. If both mechanisms tried a wrong password,
    // they would lock the account twice as fast.
    let is_password = matches!(identity, Identity::Password { .. });
    if is_password && let Err(failure) = acquire(gss, identity, KRB5)? {
        return Ok((KRB5, Err(failure)));
    }
    let before = deadline.remaining();
    match acquire(gss, identity, SPNEGO)? {
        Err(failure) if failure.major >> 16 == BAD_MECH => {
            Ok((KRB5, acquire(gss, identity, KRB5)?))
        }
        Err(failure) if !is_password && time_to_repeat(before, deadline) => {
            Ok((KRB5, Err(acquire(gss, identity, KRB5)?.err().unwrap_or(failure))))
        }
        acquired => Ok((SPNEGO, acquired)),
    }
}

/// Gets the credentials of the account for one mechanism.
///
/// # Errors
/// `CONFIGURATION` if the keytab cannot be read, if the user name is not a Kerberos name, or if the
/// library supports neither keytabs nor passwords.
fn acquire(
    gss: Gss,
    identity: &Identity,
    mechanism: Oid,
) -> Result<Result<Credential, Failure>, Error> {
    let named = |text: &String| gss.name(text, USER_NAME);
    let credential = match identity {
        Identity::Current { keytab, principal } => {
            let account = match principal.as_ref().map(named).transpose() {
                Ok(account) => account,
                Err(failure) => return Ok(Err(failure)),
            };
            match keytab {
                None => gss.credential(&CredentialSource::Default(account.as_ref()), mechanism),
                Some(keytab) => {
                    let store = store(keytab, principal.as_deref())?;
                    let source = CredentialSource::Store(account.as_ref(), &store);
                    gss.credential(&source, mechanism)
                }
            }
        }
        Identity::Password { user, password } => {
            if user.contains('\\') {
                return Err(Error::new(
                    Kind::Configuration,
                    "--user is not a Kerberos account name",
                )
                .fix("set --user to USER@REALM with the realm in capitals"));
            }
            match named(user) {
                Ok(user) => {
                    let password = password.expose().as_bytes();
                    gss.credential(&CredentialSource::Password(&user, password), mechanism)
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
    };
    credential.ok_or_else(|| {
        let what = format!(
            "the Kerberos library {} supports neither --keytab nor --password",
            gss.library
        );
        Error::new(Kind::Configuration, what)
            .fix("run kinit, and remove --keytab, --user and --password")
    })
}

/// A credential store with the keytab and an in-memory ticket cache. Each account has its own
/// cache, so a second sign-in uses the tickets of the first.
fn store(
    keytab: &Path,
    principal: Option<&str>,
) -> Result<[(&'static std::ffi::CStr, CString); 2], Error> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::new(Kind::Configuration, format!("cannot read the keytab {}", keytab.display()))
            .cause(cause)
            .fix("check --keytab, and that this user can read the file")
    };
    files::open_regular(keytab).map_err(|error| wrong(&error))?;
    let path = keytab.as_os_str().as_bytes();
    let cache = [b"MEMORY:wif-token ", path, b" ", principal.unwrap_or("").as_bytes()].concat();
    let text = |bytes| CString::new(bytes).map_err(|error| wrong(&error));
    Ok([(c"client_keytab", text([b"FILE:", path].concat())?), (c"ccache", text(cache)?)])
}

/// The name and its type. `HTTP/host` is a host-based service, so that krb5.conf applies to the
/// host. Names with a realm and all other names are used unchanged.
fn service_name(spn: &str) -> (String, Oid) {
    match spn.split_once('/') {
        Some((service, host)) if !host.contains(['/', '@', ':']) => {
            (format!("{service}@{host}"), HOSTBASED_SERVICE)
        }
        _ => (spn.to_owned(), KRB5_PRINCIPAL),
    }
}

fn no_library() -> Error {
    Error::new(Kind::Absent, "the Kerberos library is not installed").fix(
        "run apt-get install libgssapi-krb5-2 (Debian, Ubuntu), dnf install krb5-libs (Fedora, \
         RHEL) or apk add krb5-libs (Alpine)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_without_a_realm_are_host_based_services() {
        let host = ("HTTP@adfs.example.com".to_owned(), HOSTBASED_SERVICE);
        assert_eq!(service_name("HTTP/adfs.example.com"), host);
        for spn in ["HTTP/adfs@EXAMPLE.COM", "HTTP/adfs:8443", "HTTP/a/b"] {
            assert_eq!(service_name(spn), (spn.to_owned(), KRB5_PRINCIPAL));
        }
    }

    #[test]
    fn the_error_for_a_missing_keytab_names_its_path() {
        let error = store(Path::new("/nonexistent/svc.keytab"), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().starts_with("cannot read the keytab /nonexistent/svc.keytab:"));
    }
}
