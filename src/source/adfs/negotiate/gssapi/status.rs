//! What the errors of GSSAPI calls mean, and how to fix them.
//!
//! A failure has a routine error of GSSAPI (RFC 2744, section 3.9.1) and a minor code. The minor
//! code is an error code of Kerberos (see [`krb5_error`]) or one of the few codes of MIT's GSSAPI.
//! <https://www.rfc-editor.org/rfc/rfc2744#section-3.9.1>

use super::krb5_error;
use super::library::Failure;
use crate::error::{Error, Kind, redacted};
use crate::source::adfs::negotiate::{CHANNEL_BINDING, INVALID_TOKEN, Identity};

/// `ERROR_TABLE_BASE_krb5` of `krb5.h`.
const KRB5: i32 = -1_765_328_384;
/// The base of `gssapi_err_krb5.et` in MIT's library.
const MIT_GSS: i32 = 39_756_032;

/// Routine errors of RFC 2744, section 3.9.1.
const BAD_NAME: u32 = 2;
const BAD_NAMETYPE: u32 = 3;
const BAD_BINDINGS: u32 = 4;
const BAD_MIC: u32 = 6;
const NO_CRED: u32 = 7;
const DEFECTIVE_TOKEN: u32 = 9;
const CREDENTIALS_EXPIRED: u32 = 11;
const UNAUTHORIZED: u32 = 15;

/// The sign-in that failed.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) spn: &'a str,
    pub(super) identity: &'a Identity,
    /// Whether the server has responded to a token. If so, the failure is due to the server and not
    /// to the KDC.
    pub(super) answered: bool,
}

impl Attempt<'_> {
    /// The error for a failed call.
    pub(super) fn explain(self, failure: &Failure) -> Error {
        let (kind, fix) = self.advice(failure);
        let secret = match self.identity {
            Identity::Password { password, .. } => password.expose(),
            Identity::Current { .. } => "",
        };
        let what = format!("cannot get a Kerberos token for {}", self.spn);
        let error = Error::new(kind, what).fix(fix);
        match redacted(&failure.message, &[secret]).as_str() {
            "" => error.cause(format!("GSSAPI status {:#x}/{:#x}", failure.major, failure.minor)),
            message => error.cause(message),
        }
    }

    fn advice(self, failure: &Failure) -> (Kind, String) {
        let minor = failure.minor.cast_signed();
        if let Some(code @ 1..256) = minor.checked_sub(KRB5) {
            return krb5_error::advice(code, self.spn, self.identity);
        }
        if let Some(code @ 0..16) = minor.checked_sub(MIT_GSS) {
            return match code {
                0 => {
                    let fix = "check --principal, and list the accounts of the tickets with klist";
                    (Kind::Configuration, fix.to_owned())
                }
                1 => (Kind::Configuration, krb5_error::check_keytab()),
                _ => krb5_error::no_ticket(self.identity),
            };
        }
        self.routine_advice((failure.major >> 16) & 0xff)
    }

    fn routine_advice(self, routine_error: u32) -> (Kind, String) {
        use Kind::{Configuration, Denied, Protocol, Unreachable};
        let (kind, fix) = match routine_error {
            NO_CRED => return krb5_error::no_ticket(self.identity),
            CREDENTIALS_EXPIRED => return krb5_error::expired_ticket(self.identity),
            BAD_NAME | BAD_NAMETYPE => {
                (Configuration, "check the syntax of --spn, --principal and --user")
            }
            BAD_BINDINGS => (Denied, CHANNEL_BINDING),
            UNAUTHORIZED => {
                (Denied, "ask the administrator of the directory to permit this account to sign in")
            }
            BAD_MIC | DEFECTIVE_TOKEN => (Protocol, INVALID_TOKEN),
            _ if self.answered => {
                (Denied, "check the event log of the server, which refused the ticket")
            }
            // Kerberos was not tried a second time because the first attempt took too long. The
            // usual cause is that no KDC responds.
            _ => return (Unreachable, krb5_error::no_kdc()),
        };
        (kind, fix.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const SPN: &str = "HTTP/adfs.example.com@EXAMPLE.COM";

    fn current() -> Identity {
        Identity::Current { keytab: None, principal: None }
    }

    fn explained(routine: u32, minor: i32, identity: &Identity) -> Error {
        let message = "message".to_owned();
        let failure = Failure { major: routine << 16, minor: minor.cast_unsigned(), message };
        Attempt { spn: SPN, identity, answered: false }.explain(&failure)
    }

    #[track_caller]
    fn kerberos(minor: i32, kind: Kind, fix: &str) {
        let error = explained(13, minor, &current());
        assert_eq!(error.kind(), kind, "{minor}");
        assert!(error.to_string().contains(fix), "{error}");
    }

    #[test]
    fn kerberos_error_codes_have_fixes() {
        // The codes of krb5.h.
        kerberos(-1_765_328_243, Kind::Absent, "run kinit"); // KRB5_CC_NOTFOUND
        kerberos(-1_765_328_189, Kind::Absent, "klist"); // KRB5_FCC_NOFILE
        kerberos(-1_765_328_352, Kind::Expired, "kinit again"); // KRB5KRB_AP_ERR_TKT_EXPIRED
        kerberos(-1_765_328_347, Kind::Configuration, "clock"); // KRB5KRB_AP_ERR_SKEW
        kerberos(-1_765_328_377, Kind::Configuration, "setspn -S HTTP/adfs.example.com ACCOUNT");
        kerberos(-1_765_328_343, Kind::Configuration, "setspn -Q HTTP/adfs.example.com,");
        kerberos(-1_765_328_378, Kind::Denied, "capitals"); // KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN
        kerberos(-1_765_328_366, Kind::Denied, "locked"); // KRB5KDC_ERR_CLIENT_REVOKED
        kerberos(-1_765_328_370, Kind::Configuration, "AES"); // KRB5KDC_ERR_ETYPE_NOSUPP
        kerberos(-1_765_328_203, Kind::Configuration, "klist -k"); // KRB5_KT_NOTFOUND
        kerberos(-1_765_328_230, Kind::Configuration, "[realms]"); // KRB5_REALM_UNKNOWN
        kerberos(-1_765_328_228, Kind::Unreachable, "port 88"); // KRB5_KDC_UNREACH
        kerberos(-1_765_328_324, Kind::Denied, "log of the domain controller"); // KRB5KRB_ERR_GENERIC
    }

    #[test]
    fn a_wrong_password_and_an_outdated_keytab_have_different_fixes() {
        let user = "al@EXAMPLE.COM".to_owned();
        let password = Identity::Password { user, password: Secret::new("hunter22") };
        let preauth_failed = -1_765_328_360;
        assert!(explained(13, preauth_failed, &password).to_string().ends_with("--password"));
        assert!(explained(13, preauth_failed, &current()).to_string().contains("keytab"));
    }

    #[test]
    fn the_routine_error_decides_if_the_minor_code_is_unknown() {
        for (routine, kind) in [
            (NO_CRED, Kind::Absent),
            (CREDENTIALS_EXPIRED, Kind::Expired),
            (BAD_NAME, Kind::Configuration),
            (BAD_BINDINGS, Kind::Denied),
            (DEFECTIVE_TOKEN, Kind::Protocol),
            (13, Kind::Unreachable),
        ] {
            assert_eq!(explained(routine, 100_001, &current()).kind(), kind, "{routine}");
        }
    }

    #[test]
    fn a_failure_after_a_response_is_due_to_the_server() {
        let failure = Failure { major: 13 << 16, minor: 100_001, message: String::new() };
        let error = Attempt { spn: SPN, identity: &current(), answered: true }.explain(&failure);
        assert_eq!(error.kind(), Kind::Denied);
        assert!(
            error
                .to_string()
                .contains("GSSAPI status 0xd0000/0x186a1; check the event log of the server")
        );
    }

    #[test]
    fn a_new_ticket_that_has_expired_means_a_wrong_clock() {
        let keytab = Some("/etc/svc.keytab".into());
        let identity = Identity::Current { keytab, principal: None };
        let error = explained(13, -1_765_328_352, &identity);
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().contains("clock"), "{error}");
    }

    #[test]
    fn the_password_is_removed_from_messages_of_the_library() {
        let user = "al@EXAMPLE.COM".to_owned();
        let identity = Identity::Password { user, password: Secret::new("hunter22") };
        let message = "bad hunter22\n".to_owned();
        let failure = Failure { major: 13 << 16, minor: 0, message };
        let error = Attempt { spn: SPN, identity: &identity, answered: false }.explain(&failure);
        assert!(error.to_string().contains("bad [secret];"), "{error}");
    }
}
