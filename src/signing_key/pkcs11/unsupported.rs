//! The implementation for a program that cannot load a module: it returns an error.

use std::convert::Infallible;

use super::{KeyType, PublicKey, Scheme};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::options::Pkcs11Uri;

/// A key in a token, which does not exist in this program.
#[derive(Debug, Clone)]
pub struct TokenKey(Infallible);

impl TokenKey {
    /// Reports that this program cannot load a module.
    ///
    /// # Errors
    /// `CONFIGURATION` always.
    pub fn open(
        _: &Pkcs11Uri,
        option: &str,
        _: Kind,
        _: bool,
        _: &Context,
    ) -> Result<TokenKey, Error> {
        // A certificate configuration is named by its path.
        let file = match option.starts_with("--") {
            true => format!("set {option} to a file"),
            false => format!("set key_path in {option} to a file"),
        };
        let (what, fix) = match cfg!(windows) {
            true => ("wif-token for Windows cannot use keys in PKCS#11 tokens", file),
            false => (
                "this statically linked wif-token cannot load a PKCS#11 module",
                format!(
                    "install the dynamically linked wif-token (the deb or rpm package), or {file}"
                ),
            ),
        };
        Err(Error::new(Kind::Configuration, what).fix(fix))
    }

    /// The type of the key.
    pub fn key_type(&self) -> KeyType {
        match self.0 {}
    }

    /// Signs a message.
    ///
    /// # Errors
    /// None.
    pub fn sign(&self, _: Scheme, _: &[u8]) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }

    /// The certificates in the token.
    ///
    /// # Errors
    /// None.
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, Error> {
        match self.0 {}
    }

    /// The public key.
    ///
    /// # Errors
    /// None.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        match self.0 {}
    }

    /// Whether the token can sign in this way.
    pub fn supports(&self, _: Scheme) -> bool {
        match self.0 {}
    }
}
