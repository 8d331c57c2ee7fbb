//! Only Windows has a certificate store: elsewhere this says so.

use std::convert::Infallible;

use super::Thumbprint;
use crate::context::Context;
use crate::error::{Error, Kind};

#[derive(Debug)]
pub(super) struct Key(Infallible);

impl Key {
    pub(super) fn find(_: &Thumbprint, option: &str, _: &Context) -> Result<Key, Error> {
        let what = format!("{option} is for the certificate store of Windows");
        Err(Error::new(Kind::Configuration, what).fix("give the key as --signing-key=PEM here"))
    }

    pub(super) fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }
}
