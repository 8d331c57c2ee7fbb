//! Negotiate with GSSAPI, with the credentials of a ticket cache, a keytab or a password.
//!
//! The Kerberos library finds the cache, the realm and the KDC (`KRB5CCNAME`, `KRB5_CLIENT_KTNAME`,
//! `KRB5_CONFIG`). Tickets for `--keytab` are stored only in the memory of this process. SPNEGO is
//! restricted to Kerberos; NTLM is not offered. If SPNEGO fails, the call is repeated with Kerberos
//! alone, because SPNEGO hides the error codes that the fix depends on.
//! <https://www.rfc-editor.org/rfc/rfc2744>, <https://www.rfc-editor.org/rfc/rfc4178>

mod account;
mod credential;
mod ffi;
mod krb5_error;
mod library;
mod sec_context;
mod status;

use self::account::{acquire, acquire_first, time_to_repeat};
use self::credential::Credential;
use self::ffi::{Gss, HOSTBASED_SERVICE, KRB5, KRB5_PRINCIPAL, Oid, SPNEGO};
use self::library::{Failure, Name};
use self::sec_context::SecContext;
use self::status::Attempt;
use super::{Identity, Target};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::world::Deadline;

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

    /// Repeats the first step with Kerberos alone, and returns its failure if it fails too.
    fn kerberos_failure(&self) -> Option<Failure> {
        let credential = match acquire(self.gss, &self.identity, KRB5).ok()? {
            Ok(credential) => credential,
            Err(failure) => return Some(failure),
        };
        self.gss.context().step(&credential, &self.name, KRB5, None, None).err()
    }
}

/// The name to import for an SPN, and the type of the name. `HTTP/host` is a host-based service, so
/// krb5.conf applies to the host. Names with a realm and all other names are used unchanged.
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
}
