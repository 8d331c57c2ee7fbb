//! The failures of modules, tokens and keys.

use std::error::Error as _;
use std::path::Path;

use cryptoki_sys::*;

use super::super::Scheme;
use super::calls::{Failed, LoadError};
use super::target::Target;
use crate::error::{Error, Kind};
use crate::show;

/// A failure on the thread of a key.
pub(super) enum Failure {
    /// A failed call. Its meaning depends on the key.
    Call(Failed),
    /// A failure that has its message already.
    Known(Box<Error>),
}

impl Failure {
    /// The error for the key of this target.
    pub(super) fn of(self, target: &Target) -> Error {
        match self {
            Failure::Call(failed) => of_call(failed, target),
            Failure::Known(error) => *error,
        }
    }
}

impl From<Failed> for Failure {
    fn from(failed: Failed) -> Failure {
        Failure::Call(failed)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Known(Box::new(error))
    }
}

fn configuration(what: impl Into<String>, fix: impl Into<String>) -> Failure {
    Error::new(Kind::Configuration, what).fix(fix).into()
}

fn denied(what: impl Into<String>, fix: impl Into<String>) -> Failure {
    Error::new(Kind::Denied, what).fix(fix).into()
}

/// The module of the URI, or that of p11-kit, cannot be loaded.
pub(super) fn not_loaded(
    path: Option<&Path>,
    error: Option<LoadError>,
    target: &Target,
) -> Failure {
    let option = &target.option;
    let Some(path) = path else {
        let what = "the PKCS#11 module p11-kit-proxy is not installed";
        return Error::new(target.missing, what)
            .fix(format!(
                "install p11-kit-modules (Debian, Ubuntu) or p11-kit (Fedora, RHEL, SUSE), or add \
                 ?module-path=MODULE to {option}"
            ))
            .into();
    };
    let shown = show::path(path);
    if !path.exists() {
        let what = format!("the PKCS#11 module {shown} does not exist");
        return configuration(what, format!("install it, or correct its path in {option}"));
    }
    let cause = match error {
        Some(LoadError::Library(error)) => {
            error.source().map_or_else(|| error.to_string(), ToString::to_string)
        }
        _ => "it has no function C_GetFunctionList".to_owned(),
    };
    let machine = std::env::consts::ARCH;
    Error::new(Kind::Configuration, format!("{shown} cannot be loaded as a PKCS#11 module"))
        .cause(cause)
        .fix(format!("set module-path in {option} to a PKCS#11 module for {machine}"))
        .into()
}

/// The module cannot be initialized.
pub(super) fn not_initialized(path: &Path, failed: Failed) -> Failure {
    let what = format!("the PKCS#11 module {} cannot be initialized", show::path(path));
    Error::new(Kind::Configuration, what)
        .cause(returned(failed))
        .fix(
            "check the settings of the module, such as SOFTHSM2_CONF or TPM2_PKCS11_STORE, and that \
             this user may use the token",
        )
        .into()
}

/// No token matches the URI. `labels` are those of the tokens that are present.
pub(super) fn no_token(target: &Target, labels: &[String]) -> Failure {
    let what = format!("no token matches {}", target.option);
    let cause = match labels {
        [] => "no token is present".to_owned(),
        labels => format!("the tokens present are {}", list(labels)),
    };
    let fix = format!(
        "correct {}, and check that this user may use the token and that the settings of the module \
         name it",
        target.option
    );
    Error::new(target.missing, what).cause(cause).fix(fix).into()
}

/// Several tokens match the URI.
pub(super) fn several_tokens(target: &Target, tokens: &[String]) -> Failure {
    let what = format!("{} tokens match {}: {}", tokens.len(), target.option, list(tokens));
    configuration(what, format!("add token= or serial= to {}", target.option))
}

/// The token has no such key. `keys` are those that it has.
pub(super) fn no_key(token: &str, target: &Target, keys: &[String]) -> Failure {
    let cause = match keys {
        [] => "it has no private keys for this user".to_owned(),
        keys => format!("its private keys are {}", list(keys)),
    };
    Error::new(
        target.missing,
        format!("the token \"{token}\" has no key that matches {}", target.option),
    )
    .cause(cause)
    .fix(format!("correct object or id in {}", target.option))
    .into()
}

/// The certificate of the key is not in the token, or several are.
pub(super) fn no_certificate(token: &str, target: &Target) -> Failure {
    configuration(
        format!(
            "the token \"{token}\" does not have exactly one certificate that matches {}",
            target.option
        ),
        "store the certificate with the label of its key (pkcs11-tool --write-object FILE --type cert \
         --label LABEL), and delete others with this label (--delete-object --type cert)",
    )
}

/// Several keys match the URI.
pub(super) fn several_keys(token: &str, target: &Target, keys: &[String]) -> Failure {
    let option = &target.option;
    let what = format!("several keys in the token \"{token}\" match {option}: {}", list(keys));
    configuration(what, format!("add id= or object= to {option}"))
}

/// The token shows private keys only after a login, and there is no PIN.
pub(super) fn needs_pin(token: &str, target: &Target) -> Failure {
    let option = &target.option;
    let fix = match option.starts_with("--") {
        true => format!("add --pin=env:NAME or --pin=file:PATH, or pin-source to {option}"),
        false => format!("add user_pin or pin-source to {option}"),
    };
    configuration(format!("the token \"{token}\" requires a PIN"), fix)
}

/// The token has refused the PIN. `flags` are those of the token.
pub(super) fn wrong_pin(token: &str, target: &Target, flags: CK_FLAGS) -> Failure {
    let left = match flags {
        flags if flags & CKF_USER_PIN_LOCKED != 0 => return locked(token),
        flags if flags & CKF_USER_PIN_FINAL_TRY != 0 => "one more wrong PIN locks the token",
        flags if flags & CKF_USER_PIN_COUNT_LOW != 0 => "a few more wrong PINs lock the token",
        _ => "a few wrong PINs can lock the token",
    };
    Error::new(Kind::Denied, format!("the PIN of the token \"{token}\" is wrong"))
        .cause(left)
        .fix(format!("correct {} before the next run", target.pin_place))
        .into()
}

/// The token does not accept another PIN.
pub(super) fn locked(token: &str) -> Failure {
    denied(
        format!("the PIN of the token \"{token}\" is locked"),
        "set a new PIN with the PIN of the security officer or the PUK, such as with pkcs11-tool \
         --login --login-type so --init-pin",
    )
}

/// The next wrong PIN would lock the token.
pub(super) fn final_try(token: &str) -> Failure {
    denied(
        format!(
            "the PIN was not sent, because the token \"{token}\" is locked after one more wrong PIN"
        ),
        "check the PIN, and enter it once with pkcs11-tool --login --list-objects",
    )
}

/// The PIN must be changed.
pub(super) fn expired(token: &str) -> Failure {
    denied(
        format!("the PIN of the token \"{token}\" has expired"),
        "change it with pkcs11-tool --login --change-pin",
    )
}

/// The key is not RSA, P-256 or P-384.
pub(super) fn unsupported_key(target: &Target) -> Failure {
    configuration(
        format!("the type of the key in {} is not supported", target.option),
        "use an RSA key or a P-256 key",
    )
}

/// No object of the token shows the public key.
pub(super) fn no_public_key(token: &str) -> Failure {
    configuration(
        format!("the token \"{token}\" does not provide the public key"),
        "store the public key in the token with the ID of the private key (pkcs11-tool \
         --write-object FILE --type pubkey --id ID)",
    )
}

/// The token cannot sign in this way.
pub(super) fn no_mechanism(token: &str, scheme: Scheme) -> Failure {
    let name = match scheme {
        Scheme::RsaPkcs1Sha256 => "RSA PKCS#1 v1.5 (CKM_SHA256_RSA_PKCS or CKM_RSA_PKCS)",
        Scheme::RsaPssSha256 => "RSA PSS (CKM_SHA256_RSA_PKCS_PSS or CKM_RSA_PKCS_PSS)",
        Scheme::EcdsaSha256 | Scheme::EcdsaSha384 => "ECDSA (CKM_ECDSA)",
    };
    configuration(
        format!("the token \"{token}\" cannot sign with {name}"),
        "use a key of another type or another token (pkcs11-tool --list-mechanisms)",
    )
}

/// A key without a label cannot be found again.
pub(super) fn unnamed_key(target: &Target) -> Failure {
    configuration(
        format!("--generate requires the name of the key in {}", target.option),
        format!("add object=NAME to {}", target.option),
    )
}

/// Another key has the ID of the key to create.
pub(super) fn id_taken(token: &str, target: &Target, keys: &[String]) -> Failure {
    let option = &target.option;
    let what =
        format!("the token \"{token}\" has another key with the id of {option}: {}", list(keys));
    configuration(what, format!("set another id in {option}, or correct object to use this key"))
}

/// The token cannot generate P-256 keys.
pub(super) fn cannot_generate(target: &Target) -> Failure {
    configuration(
        "the token cannot generate P-256 keys",
        format!(
            "generate an RSA key with pkcs11-tool --keypairgen --key-type rsa:2048, and set {} to it",
            target.option
        ),
    )
}

/// The error for a failed call for the key of `target`.
fn of_call(failed: Failed, target: &Target) -> Error {
    let option = &target.option;
    let (kind, what, fix) = match failed.code {
        CKR_TOKEN_NOT_PRESENT | CKR_DEVICE_REMOVED | CKR_TOKEN_NOT_RECOGNIZED => (
            target.missing,
            format!("the token of {option} was removed"),
            "insert the token again, and check its service, such as pcscd".to_owned(),
        ),
        CKR_KEY_FUNCTION_NOT_PERMITTED => (
            Kind::Configuration,
            format!("the token does not allow the key of {option} to sign"),
            format!("set {option} to a key with the attribute CKA_SIGN"),
        ),
        CKR_PIN_INCORRECT => (
            Kind::Denied,
            "the token has refused the PIN for a signature".to_owned(),
            format!("correct {} before the next run", target.pin_place),
        ),
        CKR_PIN_LEN_RANGE | CKR_PIN_INVALID => (
            Kind::Denied,
            format!(
                "the token does not accept the PIN of {}: its length is wrong",
                target.pin_place
            ),
            format!("correct {} before the next run", target.pin_place),
        ),
        CKR_USER_PIN_NOT_INITIALIZED => (
            Kind::Configuration,
            format!("the token of {option} has no user PIN"),
            "set one with pkcs11-tool --login --login-type so --init-pin".to_owned(),
        ),
        CKR_MECHANISM_INVALID | CKR_MECHANISM_PARAM_INVALID | CKR_KEY_TYPE_INCONSISTENT => (
            Kind::Configuration,
            format!("the token cannot sign in the required way with the key of {option}"),
            "use a key of another type (pkcs11-tool --list-mechanisms)".to_owned(),
        ),
        CKR_TOKEN_WRITE_PROTECTED | CKR_SESSION_READ_ONLY => (
            Kind::Configuration,
            format!("the token of {option} is write-protected"),
            "create the key with the program of the token's vendor".to_owned(),
        ),
        _ => (
            Kind::Unreachable,
            format!("the token of {option} failed"),
            format!("try again, and check the token with pkcs11-tool or p11tool and {option}"),
        ),
    };
    Error::new(kind, what).cause(returned(failed)).fix(fix)
}

fn returned(failed: Failed) -> String {
    format!("{} returned 0x{:x}", failed.function, failed.code)
}

/// Joins the names, at most ten of them.
fn list(names: &[String]) -> String {
    const MOST: usize = 10;
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", names.get(..MOST).unwrap_or(names).join(", "))
}
