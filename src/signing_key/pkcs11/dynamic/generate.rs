//! Creates a key in a token.

use cryptoki_sys::*;

use super::calls::{Attribute, Failed, Session};
use super::failure::{self, Failure};
use super::target::Target;
use crate::der;
use crate::random;

/// Creates a P-256 key that never leaves the token, with the label and the ID of the URI. The label
/// is required. Without an ID, a random one is used.
pub(super) fn key(session: &Session, target: &Target) -> Result<CK_OBJECT_HANDLE, Failure> {
    if target.uri.object.is_none() {
        return Err(failure::unnamed_key(target));
    }
    let id = match target.uri.id {
        None => Some(Attribute(CKA_ID, random::hex()?.into_bytes())),
        Some(_) => None,
    };
    let of_class = |class| {
        let mut template = target.selection(class);
        template.push(Attribute::flag(CKA_TOKEN, true));
        template.extend(id.as_ref().map(|Attribute(kind, value)| Attribute(*kind, value.clone())));
        template
    };
    let (mut public, mut private) = (of_class(CKO_PUBLIC_KEY), of_class(CKO_PRIVATE_KEY));
    public.extend([
        Attribute(CKA_EC_PARAMS, der::P256.to_vec()),
        Attribute::flag(CKA_VERIFY, true),
        Attribute::flag(CKA_PRIVATE, false),
    ]);
    private.extend([
        Attribute::flag(CKA_PRIVATE, true),
        Attribute::flag(CKA_SENSITIVE, true),
        Attribute::flag(CKA_EXTRACTABLE, false),
        Attribute::flag(CKA_SIGN, true),
    ]);
    session.generate(CKM_EC_KEY_PAIR_GEN, &public, &private).map_err(|failed| match failed {
        Failed { code: CKR_MECHANISM_INVALID, .. } => failure::cannot_generate(target),
        failed => failed.into(),
    })
}
