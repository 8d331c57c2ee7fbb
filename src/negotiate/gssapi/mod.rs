//! Negotiate by GSSAPI, with the credentials of a ticket cache, a keytab or a password.
//!
//! Cache, realm and KDC are those of the Kerberos library: `KRB5CCNAME`, `KRB5_CLIENT_KTNAME`,
//! `KRB5_CONFIG`. The tickets of `--keytab` stay in this process. SPNEGO offers Kerberos alone, not
//! NTLM. Where it fails, Kerberos is asked once more by itself: SPNEGO hides the error numbers, and
//! they tell what to do.

mod ffi;
mod library;
mod status;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use self::ffi::{Gss, HOSTBASED_SERVICE, KRB5, KRB5_PRINCIPAL, Oid, SPNEGO, USER_NAME};
use self::library::{Credential, Failure, Name, SecContext, Wanted};
use self::status::Case;
use super::{Identity, Target};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::world::Deadline;

/// RFC 2744: the library lacks the mechanism.
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
        cx.log.line(format!("negotiate for {} by {}", target.spn, gss.library));
        let explain =
            |failure| Case { spn: &target.spn, identity, answered: false }.explain(&failure);
        let (text, form) = service_name(&target.spn);
        let name = gss.name(&text, form).map_err(explain)?;
        // A password goes to Kerberos first and alone: tried twice, a wrong one would lock its account
        // twice as fast.
        let is_password = matches!(identity, Identity::Password { .. });
        if is_password {
            acquire(gss, identity, KRB5)?.map_err(explain)?;
        }
        let before = cx.deadline.remaining();
        let (mut mechanism, mut acquired) = (SPNEGO, acquire(gss, identity, SPNEGO)?);
        if matches!(&acquired, Err(failure) if failure.major >> 16 == BAD_MECH) {
            (mechanism, acquired) = (KRB5, acquire(gss, identity, KRB5)?);
        }
        let credential = match acquired {
            Ok(credential) => credential,
            Err(failure)
                if mechanism == SPNEGO && !is_password && time_for_more(before, cx.deadline) =>
            {
                return Err(explain(acquire(gss, identity, KRB5)?.err().unwrap_or(failure)));
            }
            Err(failure) => return Err(explain(failure)),
        };
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
            if !answered && self.mechanism == SPNEGO && time_for_more(before, self.deadline) {
                failure = self.failure_of_kerberos().unwrap_or(failure);
            }
            let (spn, identity) = (&self.target.spn, &self.identity);
            Case { spn, identity, answered }.explain(&failure)
        })
    }

    fn failure_of_kerberos(&self) -> Option<Failure> {
        let credential = match acquire(self.gss, &self.identity, KRB5).ok()? {
            Ok(credential) => credential,
            Err(failure) => return Some(failure),
        };
        self.gss.context().step(&credential, &self.name, KRB5, None, None).err()
    }
}

/// Whether there is time to do again what took the time since `before` was left.
fn time_for_more(before: Duration, deadline: Deadline) -> bool {
    let left = deadline.remaining();
    before.saturating_sub(left) < left
}

/// The credentials of the account for one mechanism.
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
                None => gss.credential(&Wanted::Default(account.as_ref()), mechanism),
                Some(keytab) => {
                    let store = store(keytab, principal.as_deref())?;
                    gss.credential(&Wanted::Store(account.as_ref(), &store), mechanism)
                }
            }
        }
        Identity::Password { user, password } => {
            if user.contains('\\') {
                return Err(Error::new(Kind::Configuration, "--user is no Kerberos account")
                    .fix("write it as user@REALM, the realm in capitals, as in al@EXAMPLE.COM"));
            }
            match named(user) {
                Ok(user) => {
                    let password = password.expose().as_bytes();
                    gss.credential(&Wanted::Password(&user, password), mechanism)
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
    };
    credential.ok_or_else(|| {
        Error::new(Kind::Configuration, "the Kerberos library takes neither keytab nor password")
            .cause(gss.library)
            .fix("sign on with kinit first and leave out --keytab, --user and --password")
    })
}

/// The keytab to take the keys from, and a cache of this process for the tickets. One account has
/// one cache: a second sign-on finds the tickets of the first.
fn store(
    keytab: &Path,
    principal: Option<&str>,
) -> Result<[(&'static std::ffi::CStr, CString); 2], Error> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::new(Kind::Configuration, format!("cannot read the keytab {}", keytab.display()))
            .cause(cause)
            .fix("check --keytab, and that this user may read it")
    };
    files::open_regular(keytab).map_err(|error| wrong(&error))?;
    let path = keytab.as_os_str().as_bytes();
    let cache = [b"MEMORY:wif-token ", path, b" ", principal.unwrap_or("").as_bytes()].concat();
    let text = |bytes| CString::new(bytes).map_err(|error| wrong(&error));
    Ok([(c"client_keytab", text([b"FILE:", path].concat())?), (c"ccache", text(cache)?)])
}

/// `HTTP/host` as a host's service, so that krb5.conf applies to the host; any other name, or one
/// with its realm, to the letter.
fn service_name(spn: &str) -> (String, Oid) {
    match spn.split_once('/') {
        Some((service, host)) if !host.contains(['/', '@', ':']) => {
            (format!("{service}@{host}"), HOSTBASED_SERVICE)
        }
        _ => (spn.to_owned(), KRB5_PRINCIPAL),
    }
}

fn no_library() -> Error {
    Error::new(Kind::Absent, "there is no Kerberos library on this host").fix(
        "install it: apt-get install libgssapi-krb5-2 (Debian, Ubuntu), \
         dnf install krb5-libs (Fedora, RHEL), apk add krb5-libs (Alpine)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_follows_krb5_conf_and_a_realm_is_kept() {
        let host = ("HTTP@adfs.example.com".to_owned(), HOSTBASED_SERVICE);
        assert_eq!(service_name("HTTP/adfs.example.com"), host);
        for spn in ["HTTP/adfs@EXAMPLE.COM", "HTTP/adfs:8443", "HTTP/a/b"] {
            assert_eq!(service_name(spn), (spn.to_owned(), KRB5_PRINCIPAL));
        }
    }

    #[test]
    fn a_keytab_that_is_not_there_is_named() {
        let error = store(Path::new("/nonexistent/svc.keytab"), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().starts_with("cannot read the keytab /nonexistent/svc.keytab:"));
    }
}
