//! The implementation for the statically linked build, which cannot load a library: it returns an
//! error.

use std::convert::Infallible;

use super::{Identity, Target};
use crate::context::Context;
use crate::error::{Error, Kind};

#[derive(Debug)]
pub(super) struct Platform(Infallible);

impl Platform {
    pub(super) fn new(_: &Identity, _: &Target, _: &Context) -> Result<Platform, Error> {
        Err(Error::new(Kind::Absent, "this statically linked wif-token cannot use Kerberos").fix(
            "install the dynamically linked wif-token (the deb or rpm package), or use \
             --protocol=ws-trust with --auth=password or --auth=certificate",
        ))
    }

    pub(super) fn next(&mut self, _: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }
}
