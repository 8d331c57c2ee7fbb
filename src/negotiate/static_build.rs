//! A statically linked program cannot load the Kerberos library: it says so.

use std::convert::Infallible;

use super::{Identity, Target};
use crate::context::Context;
use crate::error::{Error, Kind};

#[derive(Debug)]
pub(super) struct Platform(Infallible);

impl Platform {
    pub(super) fn new(_: &Identity, _: &Target, _: &Context) -> Result<Platform, Error> {
        Err(Error::new(Kind::Absent, "this statically linked wif-token cannot use Kerberos").fix(
            "install the dynamically linked wif-token (the deb or rpm package), \
             or use --auth=password or --auth=certificate where the server offers them",
        ))
    }

    pub(super) fn next(&mut self, _: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        match self.0 {}
    }
}
