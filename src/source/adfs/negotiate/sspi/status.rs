//! What the errors of SSPI calls mean, and how to fix them.
//!
//! The codes are written as numbers, because their names exist only on Windows and this mapping is
//! tested on all systems. <https://learn.microsoft.com/windows/win32/secauthn/sspi-status-codes>

use super::{CHANNEL_BINDING, INVALID_TOKEN, Identity, register};
use crate::error::{Error, Kind};

/// The kind, the cause and the fix of a failure.
type Advice = (Kind, &'static str, String);

/// The error for a failed call while getting a token for `spn`.
pub(super) fn explain(code: i32, spn: &str, identity: &Identity) -> Error {
    let code = code.cast_unsigned();
    let advice = account(code, identity).or_else(|| domain(code, spn)).or_else(|| system(code));
    let (kind, cause, fix) = advice.unwrap_or_else(|| {
        let fix = "check the System event log (sources Kerberos and LsaSrv) and klist get SPN";
        (Kind::Denied, "the sign-in failed", fix.replace("SPN", spn))
    });
    Error::new(kind, format!("cannot get a Negotiate token for {spn}"))
        .cause(format!("{cause} (SSPI {code:#010x})"))
        .fix(fix)
}

/// Explains failures of the account.
fn account(code: u32, identity: &Identity) -> Option<Advice> {
    use Kind::{Absent, Denied};
    let has_password = matches!(identity, Identity::Password { .. });
    let (kind, cause, fix) = match code {
        // NO_CREDENTIALS, UNKNOWN_CREDENTIALS, NO_SUCH_LOGON_SESSION
        0x8009_030e | 0x8009_030d | 0x8007_0520 => (
            Absent,
            "this account has no domain credentials",
            "run wif-token as a domain account or a managed service account (not as a local \
             account, LocalService or a Microsoft account), or use --user and --password",
        ),
        // LOGON_DENIED, ACCOUNT_RESTRICTION, WRONG_PASSWORD, LOGON_FAILURE
        0x8009_030c | 0x8007_052f | 0x8007_052b | 0x8007_052e if has_password => {
            (Denied, "the domain denied the logon", "check --user and --password")
        }
        // LOGON_DENIED, ACCOUNT_RESTRICTION, LOGON_FAILURE; ACCOUNT_DISABLED, PASSWORD_EXPIRED,
        // ACCOUNT_EXPIRED, MUST_CHANGE, LOCKED_OUT, DELEGATION_POLICY, SMARTCARD_LOGON_REQUIRED
        0x8009_030c | 0x8007_052f | 0x8007_052e | 0x8007_0533 | 0x8007_0532 | 0x8007_0701
        | 0x8007_0773 | 0x8007_0775 | 0x8009_035e | 0x8009_033e => (
            Denied,
            "the domain denied the logon",
            "check in the directory that the account is enabled, not locked, not expired and \
             permitted to sign in",
        ),
        _ => return None,
    };
    Some((kind, cause, fix.to_owned()))
}

/// Explains failures of the service and of the domain.
fn domain(code: u32, spn: &str) -> Option<Advice> {
    use Kind::{Configuration, Denied, Expired, Protocol, Unreachable};
    let (kind, cause, fix) = match code {
        // TARGET_UNKNOWN, WRONG_PRINCIPAL
        0x8009_0303 | 0x8009_0322 => {
            let cause = "the domain does not contain the service principal name";
            return Some((Configuration, cause, register(spn)));
        }
        // TIME_SKEW
        0x8009_0324 => (
            Configuration,
            "the clocks of this host and of the domain controller differ",
            "synchronize the clock of this host with w32tm /resync",
        ),
        // NO_AUTHENTICATING_AUTHORITY, NO_LOGON_SERVERS, NO_IP_ADDRESSES
        0x8009_0311 | 0x8007_051f | 0x8009_0335 => (
            Unreachable,
            "no domain controller responds",
            "check the network, DNS (nltest /dsgetdc:DOMAIN), and that this host is joined to the \
             domain",
        ),
        // KDC_UNKNOWN_ETYPE, ALGORITHM_MISMATCH, CRYPTO_SYSTEM_INVALID, DOWNGRADE_DETECTED
        0x8009_0342 | 0x8009_0331 | 0x8009_0337 | 0x8009_0350 => (
            Configuration,
            "the account and the service have no common encryption type",
            "enable AES for both accounts (msDS-SupportedEncryptionTypes) and reset their \
             passwords",
        ),
        // BAD_BINDINGS
        0x8009_0346 => (Denied, "the channel binding is wrong", CHANNEL_BINDING),
        // CONTEXT_EXPIRED
        0x8009_0317 => (Expired, "the sign-in took too long", "run wif-token again"),
        // INVALID_TOKEN, MESSAGE_ALTERED, OUT_OF_SEQUENCE, INCOMPLETE_MESSAGE, MUTUAL_AUTH_FAILED
        0x8009_0308 | 0x8009_030f | 0x8009_0310 | 0x8009_0318 | 0x8009_0363 => {
            (Protocol, "the response from the server is invalid", INVALID_TOKEN)
        }
        _ => return None,
    };
    Some((kind, cause, fix.to_owned()))
}

/// Explains failures of Windows and of the calls themselves.
fn system(code: u32) -> Option<Advice> {
    let (kind, cause, fix) = match code {
        // SECPKG_NOT_FOUND, UNSUPPORTED_FUNCTION
        0x8009_0305 | 0x8009_0302 => (
            Kind::Absent,
            "this Windows installation has no Negotiate security package",
            "run wif-token on a host that is joined to the domain",
        ),
        // INSUFFICIENT_MEMORY, INVALID_HANDLE, BUFFER_TOO_SMALL
        0x8009_0300 | 0x8009_0301 | 0x8009_0321 => (
            Kind::Internal,
            "a call to the Windows security library was invalid",
            "report this as a bug in wif-token",
        ),
        _ => return None,
    };
    Some((kind, cause, fix.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn explained(code: u32, identity: &Identity) -> Error {
        explain(code.cast_signed(), "HTTP/adfs.example.com", identity)
    }

    #[test]
    fn sspi_codes_have_fixes() {
        let current = Identity::Current { keytab: None, principal: None };
        for (code, kind, fix) in [
            (0x8009_0303, Kind::Configuration, "setspn -S HTTP/adfs.example.com ACCOUNT"),
            (0x8009_030e, Kind::Absent, "run wif-token as a domain account"),
            (0x8009_030c, Kind::Denied, "locked"),
            (0x8009_0324, Kind::Configuration, "w32tm /resync"),
            (0x8009_0311, Kind::Unreachable, "nltest"),
            (0x8009_0342, Kind::Configuration, "AES"),
            (0x8009_0308, Kind::Protocol, "belongs to the domain"),
            (0x8009_0304, Kind::Denied, "System event log"),
        ] {
            let error = explained(code, &current);
            assert_eq!(error.kind(), kind, "{code:#x}");
            assert!(error.to_string().contains(fix), "{error}");
        }
    }

    #[test]
    fn the_fix_for_a_password_names_its_options() {
        let user = "EXAMPLE\\al".to_owned();
        let identity = Identity::Password { user, password: Secret::new("hunter22") };
        assert_eq!(
            explained(0x8009_030c, &identity).to_string(),
            "cannot get a Negotiate token for HTTP/adfs.example.com: the domain denied the logon \
             (SSPI 0x8009030c); check --user and --password"
        );
    }
}
