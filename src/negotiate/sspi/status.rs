//! What a failed call of SSPI means and what to do about it.
//!
//! The numbers are those of `winerror.h`, written out so that the mapping is tested everywhere.

use super::{Identity, register};
use crate::error::{Error, Kind};

/// Explains why there is no token for `spn`.
pub(super) fn explain(code: i32, spn: &str, identity: &Identity) -> Error {
    use Kind::{Absent, Configuration, Denied, Expired, Internal, Protocol, Unreachable};
    let named = matches!(identity, Identity::Password { .. });
    let (kind, cause, fix) = match code.cast_unsigned() {
        // TARGET_UNKNOWN, WRONG_PRINCIPAL
        0x8009_0303 | 0x8009_0322 => {
            (Configuration, "the domain does not know this service's name", register(spn))
        }
        // NO_CREDENTIALS, UNKNOWN_CREDENTIALS, NO_SUCH_LOGON_SESSION
        0x8009_030e | 0x8009_030d | 0x8007_0520 => (
            Absent,
            "this account has no credentials of a domain",
            "run as a domain account or a managed service account (a local one, LocalService or a \
             Microsoft account is not in the domain), or give --user and --password"
                .to_owned(),
        ),
        // LOGON_DENIED, ACCOUNT_RESTRICTION, WRONG_PASSWORD, LOGON_FAILURE
        0x8009_030c | 0x8007_052f | 0x8007_052b | 0x8007_052e if named => {
            (Denied, "the logon was denied", "check --user and --password".to_owned())
        }
        0x8009_030c | 0x8007_052f | 0x8007_052e => (
            Denied,
            "the logon was denied",
            "look at the account in the directory: locked, disabled or expired".to_owned(),
        ),
        // ACCOUNT_DISABLED, PASSWORD_EXPIRED, ACCOUNT_EXPIRED, MUST_CHANGE, LOCKED_OUT,
        // DELEGATION_POLICY, SMARTCARD_LOGON_REQUIRED
        0x8007_0533 | 0x8007_0532 | 0x8007_0701 | 0x8007_0773 | 0x8007_0775 | 0x8009_035e
        | 0x8009_033e => (
            Denied,
            "the domain does not let this account sign on",
            "look at the account in the directory: locked, disabled, expired or not permitted"
                .to_owned(),
        ),
        // TIME_SKEW
        0x8009_0324 => (
            Configuration,
            "the clocks of this host and the domain controller differ",
            "set this host's clock, w32tm /resync".to_owned(),
        ),
        // NO_AUTHENTICATING_AUTHORITY, NO_LOGON_SERVERS, NO_IP_ADDRESSES
        0x8009_0311 | 0x8007_051f | 0x8009_0335 => (
            Unreachable,
            "no domain controller answers",
            "check the network and DNS, nltest /dsgetdc:DOMAIN, and that this host is in the domain"
                .to_owned(),
        ),
        // KDC_UNKNOWN_ETYPE, ALGORITHM_MISMATCH, CRYPTO_SYSTEM_INVALID, DOWNGRADE_DETECTED
        0x8009_0342 | 0x8009_0331 | 0x8009_0337 | 0x8009_0350 => (
            Configuration,
            "no encryption type in common",
            "let both accounts have AES, msDS-SupportedEncryptionTypes, and reset their passwords"
                .to_owned(),
        ),
        // BAD_BINDINGS
        0x8009_0346 => (
            Denied,
            "the server wants another channel binding",
            "is there a TLS-terminating balancer before it?".to_owned(),
        ),
        // CONTEXT_EXPIRED
        0x8009_0317 => (Expired, "the sign-on is over", "try again".to_owned()),
        // INVALID_TOKEN, MESSAGE_ALTERED, OUT_OF_SEQUENCE, INCOMPLETE_MESSAGE, MUTUAL_AUTH_FAILED
        0x8009_0308 | 0x8009_030f | 0x8009_0310 | 0x8009_0318 | 0x8009_0363 => (
            Protocol,
            "the server's Negotiate answer is broken",
            "is that a server of the domain?".to_owned(),
        ),
        // SECPKG_NOT_FOUND, UNSUPPORTED_FUNCTION
        0x8009_0305 | 0x8009_0302 => (
            Absent,
            "this Windows offers no Negotiate package",
            "run it on a Windows that is in the domain".to_owned(),
        ),
        // INSUFFICIENT_MEMORY, INVALID_HANDLE, BUFFER_TOO_SMALL
        0x8009_0300 | 0x8009_0301 | 0x8009_0321 => {
            (Internal, "the system's security library was called wrongly", "report this".to_owned())
        }
        // INTERNAL_ERROR and the rest
        _ => (
            Denied,
            "the sign-on failed",
            "see the System event log (Kerberos, LsaSrv), and klist get for the service".to_owned(),
        ),
    };
    Error::new(kind, format!("no Negotiate token for {spn}"))
        .cause(format!("{cause} (SSPI {:#010x})", code.cast_unsigned()))
        .fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn explained(code: u32, identity: &Identity) -> Error {
        explain(code.cast_signed(), "HTTP/adfs.example.com", identity)
    }

    #[test]
    fn numbers_of_sspi_tell_what_to_do() {
        let current = Identity::Current { keytab: None, principal: None };
        for (code, kind, fix) in [
            (0x8009_0303, Kind::Configuration, "setspn -S HTTP/adfs.example.com ACCOUNT"),
            (0x8009_030e, Kind::Absent, "run as a domain account"),
            (0x8009_030c, Kind::Denied, "locked"),
            (0x8009_0324, Kind::Configuration, "w32tm /resync"),
            (0x8009_0311, Kind::Unreachable, "nltest"),
            (0x8009_0342, Kind::Configuration, "AES"),
            (0x8009_0308, Kind::Protocol, "server of the domain"),
            (0x8009_0304, Kind::Denied, "event log"),
        ] {
            let error = explained(code, &current);
            assert_eq!(error.kind(), kind, "{code:#x}");
            assert!(error.to_string().contains(fix), "{error}");
        }
    }

    #[test]
    fn a_named_account_is_checked_first() {
        let user = "EXAMPLE\\al".to_owned();
        let identity = Identity::Password { user, password: Secret::new("hunter22") };
        assert_eq!(
            explained(0x8009_030c, &identity).to_string(),
            "no Negotiate token for HTTP/adfs.example.com: the logon was denied \
             (SSPI 0x8009030c); check --user and --password"
        );
    }
}
