//! The request of `saml-post`: a SAML `AuthnRequest` in the query of the URL.
//!
//! The XML is deflated, base64-encoded and form-encoded (SAML bindings, section 3.4.4.1). It
//! requests a response by HTTP POST, and with `IsPassive` it forbids AD FS to interact with a user.
//! <https://docs.oasis-open.org/security/saml/v2.0/saml-bindings-2.0-os.pdf>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{signature, xml};
use crate::error::Error;
use crate::http::form;
use crate::random;
use crate::signing_key::RsaSha256;
use crate::time::rfc3339;
use crate::token::saml::{ASSERTION_NS, PROTOCOL_NS};

const HTTP_POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

/// The variable parts of the request.
#[derive(Debug)]
pub(super) struct AuthnRequest<'a> {
    /// The URL that receives the request.
    pub(super) destination: &'a str,
    /// The identifier of the relying party trust, which is the issuer of the request.
    pub(super) relying_party: &'a str,
    /// The assertion consumer service that the response is for.
    pub(super) acs_url: &'a str,
    /// The current time in seconds since 1970.
    pub(super) now: i64,
}

impl AuthnRequest<'_> {
    /// Creates the value of the query parameter `SAMLRequest`. The request is signed if there is a
    /// key.
    ///
    /// # Errors
    /// `CONFIGURATION` if the key is not an RSA key.
    pub(super) fn parameter(&self, key: Option<&dyn RsaSha256>) -> Result<String, Error> {
        let xml = self.xml(&format!("_{}", random::hex()?), key)?;
        let deflated = miniz_oxide::deflate::compress_to_vec(xml.as_bytes(), 6);
        Ok(form::escape(&STANDARD.encode(deflated)).to_string())
    }

    /// Creates the XML in exclusive canonical form, with the signature after the issuer.
    fn xml(&self, id: &str, key: Option<&dyn RsaSha256>) -> Result<String, Error> {
        let (acs, destination) = (xml::attribute(self.acs_url), xml::attribute(self.destination));
        let (time, issuer) = (rfc3339(self.now), xml::text(self.relying_party));
        let head = format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{PROTOCOL_NS}\" AssertionConsumerServiceURL=\"{acs}\" \
             Destination=\"{destination}\" ID=\"{id}\" IsPassive=\"true\" IssueInstant=\"{time}\" \
             ProtocolBinding=\"{HTTP_POST}\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"{ASSERTION_NS}\">{issuer}</saml:Issuer>"
        );
        let tail = "</samlp:AuthnRequest>";
        let signature = match key {
            Some(key) => signature::element(key, id, &format!("{head}{tail}"), true, "")?,
            None => String::new(),
        };
        Ok(format!("{head}{signature}{tail}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_pinned() {
        let request = AuthnRequest {
            destination: "https://adfs.example.com/adfs/ls/",
            relying_party: "https://rp/?a&b",
            acs_url: "https://sts.googleapis.com/v1/token",
            now: 1_795_276_800,
        };
        assert_eq!(
            request.xml("_1", None).unwrap(),
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             AssertionConsumerServiceURL=\"https://sts.googleapis.com/v1/token\" \
             Destination=\"https://adfs.example.com/adfs/ls/\" ID=\"_1\" IsPassive=\"true\" \
             IssueInstant=\"2026-11-21T16:00:00Z\" \
             ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Version=\"2.0\">\
             <saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">https://rp/?a&amp;b\
             </saml:Issuer></samlp:AuthnRequest>"
        );
        let parameter = request.parameter(None).unwrap();
        let decoded = percent_encoding::percent_decode_str(&parameter).decode_utf8().unwrap();
        let deflated = STANDARD.decode(decoded.as_bytes()).unwrap();
        let xml = miniz_oxide::inflate::decompress_to_vec(&deflated).unwrap();
        assert!(xml.starts_with(b"<samlp:AuthnRequest "));
    }
}
