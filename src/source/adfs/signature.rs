//! An XML signature, RSA-SHA256 over exclusive canonical XML.
//!
//! Nothing is canonicalised here: what is signed is written in canonical form in the first place
//! (namespaces on the elements that use them, attributes in order, text escaped as [`super::xml`]
//! does it). <https://www.w3.org/TR/xmldsig-core1/>, <https://www.w3.org/TR/xml-exc-c14n/>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use crate::error::Error;
use crate::signing_key::RsaSha256;

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// The `Signature` element over the element of this id, whose canonical form is `canonical`.
/// `enveloped` where it is to stand inside that element. `key_info` is put in as it is.
///
/// # Errors
/// `CONFIGURATION` where the key is not RSA.
pub(super) fn element(
    key: &dyn RsaSha256,
    id: &str,
    canonical: &str,
    enveloped: bool,
    key_info: &str,
) -> Result<String, Error> {
    let hash = STANDARD.encode(digest(&SHA256, canonical.as_bytes()));
    let enveloped = match enveloped {
        true => format!(r#"<ds:Transform Algorithm="{DSIG}enveloped-signature"></ds:Transform>"#),
        false => String::new(),
    };
    let info = format!(
        "<ds:SignedInfo xmlns:ds=\"{DSIG}\">\
         <ds:CanonicalizationMethod Algorithm=\"{EXCLUSIVE}\"></ds:CanonicalizationMethod>\
         <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod>\
         <ds:Reference URI=\"#{id}\"><ds:Transforms>{enveloped}\
         <ds:Transform Algorithm=\"{EXCLUSIVE}\"></ds:Transform></ds:Transforms>\
         <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod>\
         <ds:DigestValue>{hash}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    );
    let value = STANDARD.encode(key.rsa_sha256(info.as_bytes())?);
    Ok(format!(
        "<ds:Signature xmlns:ds=\"{DSIG}\">{info}\
         <ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>"
    ))
}
