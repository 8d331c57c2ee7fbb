//! Where a private key is: in a file, in a token, or in the Windows certificate store.

use std::path::{Path, PathBuf};

use super::{Pin, Pkcs11Uri, SecretRef, Thumbprint};
use crate::error::{Error, Kind};
use crate::show;

/// The place of a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRef {
    /// In a file.
    File(PathBuf),
    /// In a token, which signs with it.
    Token(Pkcs11Uri),
    /// In the Windows certificate store, with this certificate.
    Store(Thumbprint),
}

/// The prefix of the name of a key in the certificate store.
const STORE: &str = "cert:";

impl KeyRef {
    /// Adds the PIN of `--pin` to the key. `option` is the option that names the key.
    ///
    /// # Errors
    /// `USAGE` if there is a PIN but the key cannot have one, or already has one.
    pub fn with_pin(self, pin: Option<SecretRef>, option: &str) -> Result<KeyRef, Error> {
        match (self, pin) {
            (key, None) => Ok(key),
            (KeyRef::Token(mut uri), Some(pin)) if uri.pin.is_none() => {
                uri.pin = Some(Pin::Option(pin));
                Ok(KeyRef::Token(uri))
            }
            (KeyRef::Token(_), _) => {
                Err(Error::new(Kind::Usage, "--pin and pin-source cannot be used together")
                    .fix(format!("remove --pin, or pin-source from {option}")))
            }
            (KeyRef::File(_) | KeyRef::Store(_), _) => {
                Err(Error::new(Kind::Usage, format!("--pin requires a pkcs11: URI in {option}"))
                    .fix(format!("set {option} to the URI of a key in a token, or remove --pin")))
            }
        }
    }

    /// Whether a value names a key in the certificate store.
    pub fn is_in_store(text: &str) -> bool {
        text.starts_with(STORE)
    }

    /// Parses the path of a file, the `pkcs11:` URI of a key, or `cert:THUMBPRINT`.
    ///
    /// # Errors
    /// What is wrong with the URI or the thumbprint, as the continuation of the name of its setting.
    pub fn parse(text: &str) -> Result<KeyRef, String> {
        if let Some(thumbprint) = text.strip_prefix(STORE) {
            let wrong = || "must be cert: with a thumbprint of 40 hexadecimal digits".to_owned();
            return Thumbprint::parse(thumbprint).map(KeyRef::Store).ok_or_else(wrong);
        }
        match Pkcs11Uri::is_one(text) {
            true => Pkcs11Uri::parse(text).map(KeyRef::Token),
            false => Ok(KeyRef::File(text.into())),
        }
    }

    /// The path, the URI or `cert:THUMBPRINT`, for messages.
    pub fn shown(&self) -> String {
        match self {
            KeyRef::File(path) => show::path(path),
            KeyRef::Token(uri) => uri.to_string(),
            KeyRef::Store(thumbprint) => format!("{STORE}{thumbprint}"),
        }
    }

    /// The path of the key file; `None` for a key that is not in a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            KeyRef::File(path) => Some(path),
            KeyRef::Token(_) | KeyRef::Store(_) => None,
        }
    }
}

/// The error if a key in the certificate store is set for TLS client authentication. `option` is
/// the option or member that names the key.
pub fn not_for_tls(option: &str) -> Error {
    Error::new(Kind::Configuration, format!("the key of {option} cannot authenticate with TLS"))
        .cause("keys in the Windows certificate store can only sign tokens")
        .fix(format!("set {option} to a key file"))
}

/// Refuses `--pin` if there is no private key. `option` is the option that names the key.
///
/// # Errors
/// `USAGE` if there is a PIN.
pub fn refuse_pin(pin: Option<&SecretRef>, option: &str) -> Result<(), Error> {
    match pin {
        None => Ok(()),
        Some(_) => Err(Error::new(Kind::Usage, format!("--pin requires {option}"))
            .fix(format!("add {option} with the pkcs11: URI of a key, or remove --pin"))),
    }
}
