//! Which key is opened, and for whom.

use cryptoki_sys::*;
use ring::digest::{Context, SHA256, digest};

use super::calls::Attribute;
use crate::error::Kind;
use crate::hex::hex;
use crate::options::Pkcs11Uri;
use crate::secret::Secret;

/// The key to open.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) uri: Pkcs11Uri,
    /// The option that contains the URI.
    pub(super) option: String,
    /// The option, or the part of it, that names the PIN.
    pub(super) pin_place: String,
    /// The kind of the error if there is no such key.
    pub(super) missing: Kind,
    /// Whether a key that does not exist is created.
    pub(super) generates: bool,
    pub(super) pin: Option<Secret>,
}

impl Target {
    /// A digest that identifies the URI, and distinguishes most PINs. It depends on only one byte
    /// of the digest of the PIN, because a PIN is so short that it could be found by trying all
    /// values.
    pub(super) fn digest(&self) -> String {
        let pin = digest(&SHA256, self.pin.as_ref().map_or("", Secret::expose).as_bytes());
        let mut digest = Context::new(&SHA256);
        digest.update(pin.as_ref().get(..1).unwrap_or_default());
        digest.update(self.uri.to_string().as_bytes());
        hex(digest.finish().as_ref())
    }

    /// The attributes of an object of this class that the URI selects.
    pub(super) fn selection(&self, class: CK_OBJECT_CLASS) -> Vec<Attribute> {
        let label =
            self.uri.object.as_ref().map(|it| Attribute(CKA_LABEL, it.clone().into_bytes()));
        let id = self.uri.id.as_ref().map(|id| Attribute(CKA_ID, id.clone()));
        [Attribute::number(CKA_CLASS, class)].into_iter().chain(label).chain(id).collect()
    }
}
