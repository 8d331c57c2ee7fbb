//! Gets the credentials of an account: from a ticket cache, a keytab or a password.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::credential::{Credential, CredentialSource};
use super::ffi::{Gss, KRB5, Oid, SPNEGO, USER_NAME};
use super::library::Failure;
use crate::error::{Error, Kind};
use crate::files;
use crate::show;
use crate::source::adfs::negotiate::Identity;
use crate::world::Deadline;

/// The routine error `GSS_S_BAD_MECH` (RFC 2744): the library does not support the mechanism.
const BAD_MECH: u32 = 1;

/// Whether there is enough time to repeat a call before the deadline. `before` is the time that
/// remained before the call.
pub(super) fn time_to_repeat(before: Duration, deadline: Deadline) -> bool {
    let after = deadline.remaining();
    before.saturating_sub(after) < after
}

/// Gets the credentials of the account for SPNEGO, or for Kerberos if the library does not support
/// SPNEGO. Returns the mechanism too.
pub(super) fn acquire_first(
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
pub(super) fn acquire(
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

/// Creates a credential store with the keytab and an in-memory ticket cache. Each account has its
/// own cache, so a second sign-in uses the tickets of the first.
fn store(keytab: &Path, principal: Option<&str>) -> Result<[(&'static CStr, CString); 2], Error> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::new(Kind::Configuration, format!("cannot read the keytab {}", show::path(keytab)))
            .cause(cause)
            .fix("check --keytab, and that this user can read the file")
    };
    files::open_regular(keytab).map_err(|error| wrong(&error))?;
    let path = keytab.as_os_str().as_bytes();
    let cache = [b"MEMORY:wif-token ", path, b" ", principal.unwrap_or("").as_bytes()].concat();
    let text = |bytes| CString::new(bytes).map_err(|error| wrong(&error));
    Ok([(c"client_keytab", text([b"FILE:", path].concat())?), (c"ccache", text(cache)?)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_a_missing_keytab_names_its_path() {
        let error = store(Path::new("/nonexistent/svc.keytab"), None).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().starts_with("cannot read the keytab /nonexistent/svc.keytab:"));
    }
}
