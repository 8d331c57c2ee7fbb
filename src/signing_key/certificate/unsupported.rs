//! The implementation for operating systems without a certificate store: it returns an error.

use std::convert::Infallible;

use super::Thumbprint;
use crate::context::Context;
use crate::error::{Error, Kind};

#[derive(Debug)]
pub(super) struct Key(Infallible);

impl Key {
    pub(super) fn find(_: &Thumbprint, option: &str, _: &Context) -> Result<Key, Error> {
        let what = format!("{option} is supported on Windows only");
        Err(Error::new(Kind::Configuration, what).fix("use --signing-key"))
    }

    pub(super) fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }
}
