//! Which key is opened, and for whom.

use cryptoki_sys::*;

use super::calls::Attribute;
use crate::error::Kind;
use crate::options::Pkcs11Uri;
use crate::secret::Secret;

/// The DER encodings of the names of the curves.
pub(super) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(super) const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

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
    /// The attributes of the key of a URI.
    pub(super) fn selection(&self, class: CK_OBJECT_CLASS) -> Vec<Attribute> {
        let label =
            self.uri.object.as_ref().map(|it| Attribute(CKA_LABEL, it.clone().into_bytes()));
        let id = self.uri.id.as_ref().map(|id| Attribute(CKA_ID, id.clone()));
        [Attribute::number(CKA_CLASS, class)].into_iter().chain(label).chain(id).collect()
    }
}
