//! What the error codes of Kerberos mean, and how to fix the errors.
//!
//! The codes are those of RFC 4120, section 7.5.9 (0 to 127), and those of the library (from 128).
//! All are offsets from one base. MIT and Heimdal use the same codes.
//! <https://www.rfc-editor.org/rfc/rfc4120#section-7.5.9>

use crate::error::Kind;
use crate::source::adfs::negotiate::{Identity, register, without_realm};

const SYNC_CLOCK: &str = "synchronize the clock of this host with the domain controller (Kerberos \
                          tolerates a difference of 5 minutes)";

/// The kind and the fix for an error code. `spn` is the service that the ticket is for.
pub(super) fn advice(code: i32, spn: &str, identity: &Identity) -> (Kind, String) {
    use Kind::{Configuration, Denied, Unreachable};
    let (kind, fix) = match code {
        // There is no ticket cache, or it is empty.
        141..=143 | 195 | 203 => return no_ticket(identity),
        // The ticket has expired.
        32 => return expired_ticket(identity),
        // The ticket is not yet valid, or the clocks differ.
        11 | 33 | 37 | 148 => (Configuration, SYNC_CLOCK),
        // The service is unknown.
        7 | 26 | 155 => return (Configuration, unknown_service(spn)),
        // The key of the service is not the key that the ticket is encrypted with.
        35 | 41 | 44 | 45 | 144 => return (Configuration, wrong_service_key(spn)),
        // The account is unknown, or its name is ambiguous.
        6 | 8 => (
            Denied,
            "check the account name in --user or --principal, and write the realm in capitals",
        ),
        // The key of the account is wrong.
        24 | 31 | 210 => return (Denied, wrong_account_key(identity)),
        // The account or its password has expired, or a policy denies the request.
        1 | 12 | 18 | 20 | 21 | 23 => (
            Denied,
            "check in the directory that the account is enabled, not locked, not expired and \
             permitted to sign in",
        ),
        // There is no common encryption type.
        14 | 150..=152 | 188 | 236 | 237 => (
            Configuration,
            "enable AES for the account (msDS-SupportedEncryptionTypes), in the keytab and in \
             krb5.conf (permitted_enctypes)",
        ),
        // The keytab cannot be used.
        179..=182 | 184 | 209 | 213 | 229 | 230 | 235 => return (Configuration, check_keytab()),
        // The realm or krb5.conf is wrong.
        68 | 135 | 136 | 149 | 154 | 185 | 216 | 217 | 220 | 224 | 243 => (
            Configuration,
            "check the realm in --user, --principal or --spn, and the sections [libdefaults] and \
             [realms] of krb5.conf (KRB5_CONFIG)",
        ),
        // The ticket cache cannot be used.
        139 | 140 | 193 | 194 | 196 | 197 | 199 | 212 | 246 => {
            (Configuration, "check the ticket cache in KRB5CCNAME with klist")
        }
        // The syntax of a name is wrong.
        133 | 134 => (Configuration, "check the syntax of --spn, --principal and --user"),
        // No KDC responds.
        29 | 156 | 239..=241 => return (Unreachable, no_kdc()),
        ..128 => (Denied, "check the log of the domain controller (KDC)"),
        _ => (Configuration, "run kinit and kvno by hand with KRB5_TRACE=/dev/stderr"),
    };
    (kind, fix.to_owned())
}

pub(super) fn no_ticket(identity: &Identity) -> (Kind, String) {
    match identity {
        Identity::Current { keytab: None, .. } => {
            let fix =
                "run kinit and check the ticket cache in KRB5CCNAME with klist, or set --keytab";
            (Kind::Absent, fix.to_owned())
        }
        Identity::Current { keytab: Some(_), .. } => (Kind::Configuration, check_keytab()),
        Identity::Password { .. } => {
            (Kind::Configuration, "check --user and --password".to_owned())
        }
    }
}

pub(super) fn expired_ticket(identity: &Identity) -> (Kind, String) {
    let (kind, fix) = match identity {
        Identity::Current { keytab: None, .. } => {
            (Kind::Expired, "run kinit again, or set --keytab to renew tickets automatically")
        }
        // The ticket is new, so it seems to have expired only because the local clock is wrong.
        _ => (Kind::Configuration, SYNC_CLOCK),
    };
    (kind, fix.to_owned())
}

pub(super) fn check_keytab() -> String {
    "check --keytab, and compare --principal with the accounts that klist -k FILE lists".to_owned()
}

pub(super) fn no_kdc() -> String {
    "check the network to a domain controller (port 88), DNS, and the section [realms] of krb5.conf"
        .to_owned()
}

fn unknown_service(spn: &str) -> String {
    match spn.contains('@') {
        true => format!("check the realm after the @ in --spn, or {}", register(spn)),
        false => register(spn),
    }
}

fn wrong_service_key(spn: &str) -> String {
    let spn = without_realm(spn);
    format!("run setspn -Q {spn}, and check that AD FS runs as the account that it lists")
}

fn wrong_account_key(identity: &Identity) -> String {
    match identity {
        Identity::Password { .. } => "check --password".to_owned(),
        Identity::Current { .. } => {
            "create the keytab again if the password of the account has changed".to_owned()
        }
    }
}
