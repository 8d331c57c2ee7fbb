//! XML signatures: RSA-SHA256 over exclusive canonical XML.
//!
//! This module does not canonicalize XML. Its callers write the XML in canonical form: namespaces
//! are declared on the elements that use them, attributes are sorted, and text is escaped by
//! [`super::xml`]. <https://www.w3.org/TR/xmldsig-core1/>, <https://www.w3.org/TR/xml-exc-c14n/>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use crate::error::Error;
use crate::signing_key::RsaSha256;

const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Signs the element with this id, whose canonical form is `canonical`, and returns the `Signature`
/// element. `enveloped` is true if the signature will be a child of the signed element. `key_info`
/// is a `KeyInfo` element or empty.
///
/// # Errors
/// `CONFIGURATION` if the key is not an RSA key.
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
