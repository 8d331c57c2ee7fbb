//! The SOAP 1.2 envelope of a WS-Trust 1.3 request, and its faults.
//! <https://docs.oasis-open.org/ws-sx/ws-trust/v1.3/ws-trust.html>,
//! <https://docs.oasis-open.org/wss/v1.1/>

use std::ops::Range;

use roxmltree::{Document, Node};

use super::xml;
use crate::error::Error;
use crate::random;
use crate::time::rfc3339;

const TRUST: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://www.w3.org/2005/08/addressing";
const POLICY: &str = "http://schemas.xmlsoap.org/ws/2004/09/policy";
const SAML2: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

/// WS-Security, what all of its names begin with.
pub(super) const WSS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";

/// How long a `Timestamp` lasts, in seconds.
const TIMESTAMP_LIFE: i64 = 300;

/// The id of the `Timestamp`, for a signature.
pub(super) const TIMESTAMP_ID: &str = "_0";

/// An envelope that asks for an assertion for `relying_party`; `security` is the content of its
/// security header, empty for none.
///
/// # Errors
/// `INTERNAL` where the operating system gives no random numbers.
pub(super) fn envelope(to: &str, relying_party: &str, security: &str) -> Result<String, Error> {
    let (to, relying_party) = (xml::text(to), xml::text(relying_party));
    let id = random::uuid()?;
    let security = match security.is_empty() {
        true => String::new(),
        false => format!(
            "<o:Security xmlns:o=\"{WSS}-wssecurity-secext-1.0.xsd\" s:mustUnderstand=\"1\">{security}</o:Security>"
        ),
    };
    Ok(format!(
        "<s:Envelope xmlns:s=\"{ENVELOPE}\" xmlns:a=\"{ADDRESSING}\"><s:Header>\
         <a:Action s:mustUnderstand=\"1\">{TRUST}/RST/Issue</a:Action>\
         <a:MessageID>urn:uuid:{id}</a:MessageID>\
         <a:ReplyTo><a:Address>{ADDRESSING}/anonymous</a:Address></a:ReplyTo>\
         <a:To s:mustUnderstand=\"1\">{to}</a:To>{security}</s:Header><s:Body>\
         <t:RequestSecurityToken xmlns:t=\"{TRUST}\">\
         <p:AppliesTo xmlns:p=\"{POLICY}\"><a:EndpointReference><a:Address>{relying_party}</a:Address>\
         </a:EndpointReference></p:AppliesTo>\
         <t:KeyType>{TRUST}/Bearer</t:KeyType>\
         <t:RequestType>{TRUST}/Issue</t:RequestType>\
         <t:TokenType>{SAML2}</t:TokenType>\
         </t:RequestSecurityToken></s:Body></s:Envelope>"
    ))
}

/// A `Timestamp` that begins now (seconds since 1970), in canonical form.
pub(super) fn timestamp(now: i64) -> String {
    format!(
        "<u:Timestamp xmlns:u=\"{WSS}-wssecurity-utility-1.0.xsd\" u:Id=\"{TIMESTAMP_ID}\">\
         <u:Created>{}</u:Created><u:Expires>{}</u:Expires></u:Timestamp>",
        rfc3339(now),
        rfc3339(now + TIMESTAMP_LIFE)
    )
}

/// A `UsernameToken` with its password as text, which TLS protects.
pub(super) fn username_token(user: &str, password: &str) -> String {
    let (user, password) = (xml::text(user), xml::text(password));
    format!(
        "<o:UsernameToken><o:Username>{user}</o:Username>\
         <o:Password Type=\"{WSS}-username-token-profile-1.0#PasswordText\">{password}</o:Password>\
         </o:UsernameToken>"
    )
}

/// What an answer holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The assertion, as it stands in the answer.
    Assertion(Range<usize>),
    /// The innermost code of a fault and its reason.
    Fault { code: String, reason: String },
    /// Neither.
    Neither,
}

/// Reads an answer.
pub(super) fn read(text: &str) -> Answer {
    let Ok(document) = Document::parse(text) else { return Answer::Neither };
    let find = |name: &str| document.descendants().find(|node| node.tag_name().name() == name);
    if let Some(fault) = find("Fault") {
        let last = |name: &str| {
            let named = |node: &Node| node.tag_name().name() == name;
            let text = fault.descendants().rfind(named).and_then(|node| node.text());
            text.unwrap_or_default().trim().to_owned()
        };
        let code = last("Value");
        let code = code.rsplit(':').next().unwrap_or_default().to_owned();
        return Answer::Fault { code, reason: last("Text") };
    }
    let token = find("RequestedSecurityToken").and_then(|node| node.first_element_child());
    token.map_or(Answer::Neither, |token| Answer::Assertion(token.range()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assertion_is_cut_out_as_it_stands() {
        let assertion = "<A:Assertion  xmlns:A='x' ><A:Issuer>&#233;</A:Issuer>\r\n</A:Assertion>";
        let answer = format!(
            "<s:Envelope xmlns:s='{ENVELOPE}'><s:Body><t:RequestSecurityTokenResponseCollection \
             xmlns:t='{TRUST}'><t:RequestSecurityTokenResponse><t:RequestedSecurityToken>{assertion}\
             </t:RequestedSecurityToken></t:RequestSecurityTokenResponse>\
             </t:RequestSecurityTokenResponseCollection></s:Body></s:Envelope>"
        );
        let Answer::Assertion(range) = read(&answer) else { panic!("{:?}", read(&answer)) };
        assert_eq!(&answer[range], assertion);
    }

    #[test]
    fn a_fault_has_a_code_and_a_reason() {
        let fault = format!(
            "<s:Envelope xmlns:s='{ENVELOPE}'><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>\
             <s:Subcode><s:Value xmlns:a='{TRUST}'>a:InvalidScope</s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text xml:lang='en'>ID3082: not valid</s:Text></s:Reason></s:Fault></s:Body>\
             </s:Envelope>"
        );
        let expected = Answer::Fault {
            code: "InvalidScope".to_owned(),
            reason: "ID3082: not valid".to_owned(),
        };
        assert_eq!(read(&fault), expected);
        assert_eq!(read("<html>"), Answer::Neither);
        assert_eq!(read("<a/>"), Answer::Neither);
    }

    #[test]
    fn what_is_asked_for_is_escaped() {
        let envelope = envelope("https://a/?b&c", "urn:<rp>", "").unwrap();
        assert!(Document::parse(&envelope).is_ok());
        assert!(envelope.contains("<a:Address>urn:&lt;rp&gt;</a:Address>"));
        assert!(username_token("u", "p<&").contains(">p&lt;&amp;<"));
    }
}
