//! The SOAP 1.2 envelope of a WS-Trust 1.3 request, and the elements of its security header.
//! <https://docs.oasis-open.org/ws-sx/ws-trust/v1.3/ws-trust.html>,
//! <https://docs.oasis-open.org/wss/v1.1/>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::random;
use crate::signing_key::RsaSha256;
use crate::source::adfs::{signature, xml};
use crate::time::rfc3339;
use crate::token::saml::ASSERTION_NS;

const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
const POLICY: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy";

/// The common prefix of the WS-Security names.
const WSS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";

/// The lifetime of a `Timestamp`, in seconds.
const TIMESTAMP_LIFETIME: i64 = 300;

/// The ID of the `Timestamp`, to which the signature refers.
const TIMESTAMP_ID: &str = "_0";

/// The ID of the certificate, to which the signature refers.
const CERTIFICATE_ID: &str = "_1";

/// Creates an envelope that requests an assertion for `relying_party`. `security` is the content of
/// the security header; if it is empty, the envelope has no such header.
///
/// # Errors
/// `INTERNAL` if the operating system does not provide random numbers.
pub(super) fn envelope(to: &str, relying_party: &str, security: &str) -> Result<String, Error> {
    let (to, relying_party) = (xml::text(to), xml::text(relying_party));
    let id = random::uuid()?;
    let security = Zeroizing::new(match security.is_empty() {
        true => String::new(),
        false => format!(
            "<o:Security xmlns:o=\"{WSS}-wssecurity-secext-1.0.xsd\" s:mustUnderstand=\"1\">{security}</o:Security>"
        ),
    });
    Ok(format!(
        "<s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:a=\"{ADDRESSING}\"><s:Header>\
         <a:Action s:mustUnderstand=\"1\">{TRUST}/RST/Issue</a:Action>\
         <a:MessageID>urn:uuid:{id}</a:MessageID>\
         <a:ReplyTo><a:Address>{ADDRESSING}/anonymous</a:Address></a:ReplyTo>\
         <a:To s:mustUnderstand=\"1\">{to}</a:To>{}</s:Header><s:Body>\
         <t:RequestSecurityToken xmlns:t=\"{TRUST}\">\
         <p:AppliesTo xmlns:p=\"{POLICY}\"><a:EndpointReference><a:Address>{relying_party}</a:Address>\
         </a:EndpointReference></p:AppliesTo>\
         <t:KeyType>{TRUST}/Bearer</t:KeyType>\
         <t:RequestType>{TRUST}/Issue</t:RequestType>\
         <t:TokenType>{ASSERTION_NS}</t:TokenType>\
         </t:RequestSecurityToken></s:Body></s:Envelope>",
        security.as_str()
    ))
}

/// Creates a `Timestamp` for the time `now` (seconds since 1970), in canonical form.
pub(super) fn timestamp(now: i64) -> String {
    format!(
        "<u:Timestamp xmlns:u=\"{WSS}-wssecurity-utility-1.0.xsd\" u:Id=\"{TIMESTAMP_ID}\">\
         <u:Created>{}</u:Created><u:Expires>{}</u:Expires></u:Timestamp>",
        rfc3339(now),
        rfc3339(now + TIMESTAMP_LIFETIME)
    )
}

/// Creates a `UsernameToken` with the password as plain text. TLS protects it in transit.
pub(super) fn username_token(user: &str, password: &str) -> String {
    let (user, password) = (xml::text(user), xml::text(password));
    format!(
        "<o:UsernameToken><o:Username>{user}</o:Username>\
         <o:Password Type=\"{WSS}-username-token-profile-1.0#PasswordText\">{password}</o:Password>\
         </o:UsernameToken>"
    )
}

/// Creates the elements for a certificate (DER) and for the signature of its key over `timestamp`.
///
/// # Errors
/// `CONFIGURATION` if the key is not an RSA key.
pub(super) fn signed_by(
    key: &dyn RsaSha256,
    certificate: &[u8],
    timestamp: &str,
) -> Result<String, Error> {
    let token_type = format!("ValueType=\"{WSS}-x509-token-profile-1.0#X509v3\"");
    let certificate = format!(
        "<o:BinarySecurityToken xmlns:u=\"{WSS}-wssecurity-utility-1.0.xsd\" \
         u:Id=\"{CERTIFICATE_ID}\" \
         EncodingType=\"{WSS}-soap-message-security-1.0#Base64Binary\" \
         {token_type}>{}</o:BinarySecurityToken>",
        STANDARD.encode(certificate)
    );
    let key_info = format!(
        "<ds:KeyInfo><o:SecurityTokenReference>\
         <o:Reference URI=\"#{CERTIFICATE_ID}\" {token_type}></o:Reference>\
         </o:SecurityTokenReference></ds:KeyInfo>"
    );
    let signature = signature::element(key, TIMESTAMP_ID, timestamp, false, &key_info)?;
    Ok(format!("{certificate}{signature}"))
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;

    #[test]
    fn values_are_escaped() {
        let envelope = envelope("https://a/?b&c", "urn:<rp>", "").unwrap();
        assert!(Document::parse(&envelope).is_ok());
        assert!(envelope.contains("<a:Address>urn:&lt;rp&gt;</a:Address>"));
        assert!(username_token("u", "p<&").contains(">p&lt;&amp;<"));
    }
}
