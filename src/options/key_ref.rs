//! Where a private key is: in a file, or in a token.

use std::path::{Path, PathBuf};

use super::{Pkcs11Uri, SecretRef};
use crate::error::{Error, Kind};
use crate::show;

/// A private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRef {
    /// In a file.
    File(PathBuf),
    /// In a token, which signs with it.
    Token(Pkcs11Uri),
}

impl KeyRef {
    /// The same key, with the PIN of `--pin`. `option` is the option that names the key.
    ///
    /// # Errors
    /// `USAGE` if the key has no PIN, or has one already.
    pub fn with_pin(self, pin: Option<SecretRef>, option: &str) -> Result<KeyRef, Error> {
        match (self, pin) {
            (key, None) => Ok(key),
            (KeyRef::Token(mut uri), pin @ Some(_)) if uri.pin.is_none() => {
                uri.pin = pin;
                Ok(KeyRef::Token(uri))
            }
            (KeyRef::Token(_), _) => {
                Err(Error::new(Kind::Usage, "--pin and pin-source cannot be used together")
                    .fix(format!("remove --pin, or pin-source from {option}")))
            }
            (KeyRef::File(_), _) => {
                Err(Error::new(Kind::Usage, format!("--pin requires a pkcs11: URI in {option}"))
                    .fix(format!("set {option} to the URI of a key in a token, or remove --pin")))
            }
        }
    }

    /// The path of a file, or the `pkcs11:` URI of a key.
    ///
    /// # Errors
    /// What is wrong with the URI, as the continuation of the name of its setting.
    pub fn parse(text: &str) -> Result<KeyRef, String> {
        match Pkcs11Uri::is_one(text) {
            true => Pkcs11Uri::parse(text).map(KeyRef::Token),
            false => Ok(KeyRef::File(text.into())),
        }
    }

    /// The path or the URI, for messages.
    pub fn shown(&self) -> String {
        match self {
            KeyRef::File(path) => show::path(path),
            KeyRef::Token(uri) => uri.to_string(),
        }
    }

    /// The file of the key.
    pub fn file(&self) -> Option<&Path> {
        match self {
            KeyRef::File(path) => Some(path),
            KeyRef::Token(_) => None,
        }
    }
}

/// The failure of `--pin` without a private key. `option` is the option that names the key.
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
