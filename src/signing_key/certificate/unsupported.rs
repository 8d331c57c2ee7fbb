//! The implementation for operating systems without a certificate store: it returns an error.

use std::convert::Infallible;

use super::{Padding, Thumbprint};
use crate::context::Context;
use crate::error::{Error, Kind};

#[derive(Debug)]
pub(super) struct Key(Infallible);

impl Key {
    pub(super) fn find(_: &Thumbprint, option: &str, _: &Context) -> Result<Key, Error> {
        Err(Error::new(Kind::Configuration, "only Windows has a certificate store")
            .fix(format!("set {option} to a key file")))
    }

    pub(super) fn sign(&self, _: Padding, _: &[u8]) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }

    pub(super) fn certificate(&self) -> Vec<u8> {
        match self.0 {}
    }
}
