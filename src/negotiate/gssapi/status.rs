//! What a failed call of GSSAPI means and what to do about it.
//!
//! The numbers of Kerberos are those of RFC 4120 §7.5.9 (0 to 127) and of the library (from 128),
//! all counted from one base; MIT and Heimdal share them. MIT's GSSAPI has a few of its own.

use super::library::Failure;
use crate::error::{Error, Kind, redacted};
use crate::negotiate::{Identity, register, without_realm};

/// `ERROR_TABLE_BASE_krb5` of `krb5.h`.
const KRB5: i32 = -1_765_328_384;
/// The base of `gssapi_err_krb5.et` in MIT's library.
const MIT_GSS: i32 = 39_756_032;

// Routine errors of RFC 2744 §3.9.1.
const BAD_NAME: u32 = 2;
const BAD_NAMETYPE: u32 = 3;
const BAD_BINDINGS: u32 = 4;
const BAD_MIC: u32 = 6;
const NO_CRED: u32 = 7;
const DEFECTIVE_TOKEN: u32 = 9;
const CREDENTIALS_EXPIRED: u32 = 11;
const UNAUTHORIZED: u32 = 15;

const SET_CLOCK: &str = "set this host's clock: it may be 5 minutes off the KDC's at most";

/// What was wanted.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) spn: &'a str,
    pub(super) identity: &'a Identity,
    /// Whether the server has answered already: what fails then is its doing, not the KDC's.
    pub(super) answered: bool,
}

impl Case<'_> {
    /// Explains why there is no token.
    pub(super) fn explain(self, failure: &Failure) -> Error {
        let (kind, fix) = advice(failure, self);
        let secret = match self.identity {
            Identity::Password { password, .. } => password.expose(),
            Identity::Current { .. } => "",
        };
        let error = Error::new(kind, format!("no Kerberos token for {}", self.spn)).fix(fix);
        match redacted(&failure.words, &[secret]).as_str() {
            "" => error.cause(format!("status {:#x}/{:#x}", failure.major, failure.minor)),
            words => error.cause(words),
        }
    }
}

fn advice(failure: &Failure, case: Case<'_>) -> (Kind, String) {
    use Kind::{Configuration, Denied, Protocol, Unreachable};
    let Case { spn, identity, answered } = case;
    let (minor, routine) = (failure.minor.cast_signed(), (failure.major >> 16) & 0xff);
    if let Some(code @ 1..256) = minor.checked_sub(KRB5) {
        return of_kerberos(code, spn, identity);
    }
    if let Some(code @ 0..16) = minor.checked_sub(MIT_GSS) {
        return match code {
            0 => (
                Configuration,
                "check --principal, and see klist for whose tickets there are".into(),
            ),
            1 => (Configuration, not_in_keytab()),
            _ => no_ticket(identity),
        };
    }
    match routine {
        NO_CRED => no_ticket(identity),
        CREDENTIALS_EXPIRED => renew(identity),
        BAD_NAME | BAD_NAMETYPE => {
            (Configuration, "check the spelling of --spn, --principal and --user".into())
        }
        BAD_BINDINGS => (
            Denied,
            "the server wants another channel binding: is there a \
            TLS-terminating balancer before it?"
                .into(),
        ),
        UNAUTHORIZED => (Denied, "ask the directory's administrator to permit the account".into()),
        BAD_MIC | DEFECTIVE_TOKEN => {
            (Protocol, "the server's Negotiate answer is broken: is that a Kerberos server?".into())
        }
        _ if answered => (Denied, "the server refused the ticket: see its log".to_owned()),
        // Kerberos was not asked again because that takes too long: it waits for a KDC.
        _ => (Unreachable, no_kdc()),
    }
}

fn of_kerberos(code: i32, spn: &str, identity: &Identity) -> (Kind, String) {
    use Kind::{Configuration, Denied, Unreachable};
    match code {
        // No cache, no file, nothing in it.
        141..=143 | 195 | 203 => no_ticket(identity),
        // The ticket is over.
        32 => renew(identity),
        // Start after end, not yet valid, clocks apart.
        11 | 33 | 37 | 148 => (Configuration, SET_CLOCK.to_owned()),
        // The service is unknown.
        7 | 26 | 155 if spn.contains('@') => {
            (Configuration, format!("check the realm after the @, or {}", register(spn)))
        }
        7 | 26 | 155 => (Configuration, register(spn)),
        // The service's key is another one than the ticket's.
        35 | 41 | 44 | 45 | 144 => {
            let spn = without_realm(spn);
            (
                Configuration,
                format!("see which account has the name, setspn -Q {spn}: AD FS has to run as it"),
            )
        }
        // The account is unknown, or its name ambiguous.
        6 | 8 => {
            let fix = "check the account's name (--user, --principal): the realm is in capitals";
            (Denied, fix.to_owned())
        }
        // The key is a wrong one.
        24 | 31 | 210 => match identity {
            Identity::Password { .. } => (Denied, "check --password".to_owned()),
            Identity::Current { .. } => (
                Denied,
                "the password has changed since the keytab was made: make it again".to_owned(),
            ),
        },
        // The account, or its password, is over, locked or not valid yet; policy.
        1 | 12 | 18 | 20 | 21 | 23 => (
            Denied,
            "look at the account in the directory: locked, disabled, expired or not permitted"
                .to_owned(),
        ),
        // No encryption type in common.
        14 | 150..=152 | 188 | 236 | 237 => (
            Configuration,
            "let the account (msDS-SupportedEncryptionTypes), the keytab and krb5.conf \
             (permitted_enctypes) agree on AES"
                .to_owned(),
        ),
        // The keytab.
        179..=182 | 184 | 209 | 213 | 229 | 230 | 235 => (Configuration, not_in_keytab()),
        // Realm and krb5.conf.
        68 | 135 | 136 | 149 | 154 | 185 | 216 | 217 | 220 | 224 | 243 => (
            Configuration,
            "check the realm in --user, --principal or --spn, and [libdefaults] and [realms] of \
             krb5.conf (KRB5_CONFIG)"
                .to_owned(),
        ),
        // The cache.
        139 | 140 | 193 | 194 | 196 | 197 | 199 | 212 | 246 => {
            (Configuration, "check the ticket cache, KRB5CCNAME".to_owned())
        }
        // The spelling of a name.
        133 | 134 => {
            (Configuration, "check the spelling of --spn, --principal and --user".to_owned())
        }
        // Nobody answers.
        29 | 156 | 239..=241 => (Unreachable, no_kdc()),
        ..128 => (Denied, "see the log of the KDC for the reason".to_owned()),
        _ => (Configuration, "try kinit and kvno by hand, with KRB5_TRACE=/dev/stderr".to_owned()),
    }
}

fn no_ticket(identity: &Identity) -> (Kind, String) {
    let (kind, fix) = match identity {
        Identity::Current { keytab: None, .. } => (
            Kind::Absent,
            "run kinit and look with klist (KRB5CCNAME names the cache), or give --keytab=FILE",
        ),
        Identity::Current { keytab: Some(_), .. } => {
            return (Kind::Configuration, not_in_keytab());
        }
        Identity::Password { .. } => (Kind::Configuration, "check --user and --password"),
    };
    (kind, fix.to_owned())
}

fn renew(identity: &Identity) -> (Kind, String) {
    let (kind, fix) = match identity {
        Identity::Current { keytab: None, .. } => {
            (Kind::Expired, "run kinit again, or give --keytab=FILE, which needs no renewal")
        }
        // The ticket is a fresh one.
        _ => (Kind::Configuration, SET_CLOCK),
    };
    (kind, fix.to_owned())
}

fn not_in_keytab() -> String {
    "check --keytab, and --principal against the accounts in it, klist -k FILE".to_owned()
}

fn no_kdc() -> String {
    "check the network to a domain controller (port 88), DNS, and [realms] of krb5.conf".to_owned()
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
        let words = "words".to_owned();
        let failure = Failure { major: routine << 16, minor: minor.cast_unsigned(), words };
        Case { spn: SPN, identity, answered: false }.explain(&failure)
    }

    #[track_caller]
    fn kerberos(minor: i32, kind: Kind, fix: &str) {
        let error = explained(13, minor, &current());
        assert_eq!(error.kind(), kind, "{minor}");
        assert!(error.to_string().contains(fix), "{error}");
    }

    #[test]
    fn numbers_of_kerberos_tell_what_to_do() {
        // The numbers are those of krb5.h.
        kerberos(-1_765_328_243, Kind::Absent, "run kinit"); // KRB5_CC_NOTFOUND
        kerberos(-1_765_328_189, Kind::Absent, "klist"); // KRB5_FCC_NOFILE
        kerberos(-1_765_328_352, Kind::Expired, "kinit again"); // KRB5KRB_AP_ERR_TKT_EXPIRED
        kerberos(-1_765_328_347, Kind::Configuration, "clock"); // KRB5KRB_AP_ERR_SKEW
        kerberos(-1_765_328_377, Kind::Configuration, "setspn -S HTTP/adfs.example.com ACCOUNT");
        kerberos(-1_765_328_343, Kind::Configuration, "setspn -Q HTTP/adfs.example.com:");
        kerberos(-1_765_328_378, Kind::Denied, "capitals"); // KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN
        kerberos(-1_765_328_366, Kind::Denied, "locked"); // KRB5KDC_ERR_CLIENT_REVOKED
        kerberos(-1_765_328_370, Kind::Configuration, "AES"); // KRB5KDC_ERR_ETYPE_NOSUPP
        kerberos(-1_765_328_203, Kind::Configuration, "klist -k"); // KRB5_KT_NOTFOUND
        kerberos(-1_765_328_230, Kind::Configuration, "[realms]"); // KRB5_REALM_UNKNOWN
        kerberos(-1_765_328_228, Kind::Unreachable, "port 88"); // KRB5_KDC_UNREACH
        kerberos(-1_765_328_324, Kind::Denied, "log of the KDC"); // KRB5KRB_ERR_GENERIC
    }

    #[test]
    fn a_wrong_password_and_an_old_keytab_are_told_apart() {
        let user = "al@EXAMPLE.COM".to_owned();
        let password = Identity::Password { user, password: Secret::new("hunter22") };
        let preauth_failed = -1_765_328_360;
        assert!(explained(13, preauth_failed, &password).to_string().ends_with("--password"));
        assert!(explained(13, preauth_failed, &current()).to_string().contains("keytab"));
    }

    #[test]
    fn without_a_number_the_routine_error_tells() {
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
    fn what_fails_after_an_answer_is_the_servers_doing() {
        let failure = Failure { major: 13 << 16, minor: 100_001, words: String::new() };
        let error = Case { spn: SPN, identity: &current(), answered: true }.explain(&failure);
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.to_string().contains("status 0xd0000/0x186a1; the server refused"));
    }

    #[test]
    fn a_fresh_ticket_that_is_over_means_a_wrong_clock() {
        let keytab = Some("/etc/svc.keytab".into());
        let identity = Identity::Current { keytab, principal: None };
        let error = explained(13, -1_765_328_352, &identity);
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.to_string().contains("clock"), "{error}");
    }

    #[test]
    fn the_library_does_not_give_the_password_away() {
        let user = "al@EXAMPLE.COM".to_owned();
        let identity = Identity::Password { user, password: Secret::new("hunter22") };
        let words = "bad hunter22\n".to_owned();
        let failure = Failure { major: 13 << 16, minor: 0, words };
        let error = Case { spn: SPN, identity: &identity, answered: false }.explain(&failure);
        assert!(error.to_string().contains("bad [secret];"), "{error}");
    }
}
