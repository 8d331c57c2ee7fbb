//! Reads a SAML 2.0 response or assertion, without verifying its signature.
//!
//! Google accepts a base64-encoded `Response` or `Assertion`. The Security Token Service compares
//! these times with its clock, and the earliest one is the expiry of the token: every
//! `NotOnOrAfter` (of the conditions and of the subject confirmation), every `SessionNotOnOrAfter`,
//! and one hour after the `IssueInstant` of an assertion. The times of an encrypted assertion
//! cannot be read, so its expiry is unknown.
//! <https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf> sections 2.5.1 and 2.7.2,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};
use zeroize::Zeroizing;

use super::{Origin, SubjectToken, not_a_token, xml as parser};
use crate::error::{Error, Kind, redacted};
use crate::secret::Secret;
use crate::time::parse_rfc3339;

/// The namespace of assertions.
pub const ASSERTION_NS: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// The namespace of responses.
pub const PROTOCOL_NS: &str = "urn:oasis:names:tc:SAML:2.0:protocol";

/// How long Google accepts an assertion after its `IssueInstant`, in seconds.
const LONGEST_LIFETIME: i64 = 3600;

/// Reads SAML as XML, which is then encoded in base64, or in base64, from which white space is
/// removed.
///
/// # Errors
/// `PROTOCOL` if the text is not a SAML 2.0 response or assertion, `DENIED` if the response reports
/// a failure.
pub fn read(text: &str, origin: &Origin) -> Result<SubjectToken, Error> {
    let fix =
        format!("check {}, which must return a SAML 2.0 Response or Assertion", origin.option);
    let refuse = |why: &str| not_a_token(origin, why, &fix);
    let (xml, token) = match text.starts_with('<') {
        true => (Zeroizing::new(text.to_owned()), Secret::new(STANDARD.encode(text))),
        false => {
            let xml = decode(text).ok_or_else(|| refuse("it is not XML or base64-encoded XML"))?;
            (xml, Secret::new(without_space(text)))
        }
    };
    let document = parser::parse(&xml).ok_or_else(|| refuse("it is not well-formed XML"))?;
    let root = document.root_element();
    if !is_known(root) {
        let name = root.tag_name().name();
        let is_plain = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return Err(refuse(&match is_plain {
            true => format!("it is XML with the root element {name}"),
            false => "it is XML with a different root element".to_owned(),
        }));
    }
    refuse_failure(root, origin)?;
    Ok(SubjectToken { text: token, expiry: first_expiry(&document) })
}

fn is_known(root: Node) -> bool {
    let is = |namespace, name| root.has_tag_name((namespace, name));
    is(PROTOCOL_NS, "Response")
        || is(ASSERTION_NS, "Assertion")
        || is(ASSERTION_NS, "EncryptedAssertion")
}

/// Whether a text is a SAML 2.0 response or assertion, as XML or in base64.
pub fn is_saml(text: &str) -> bool {
    let decoded = if text.starts_with('<') { None } else { decode(text) };
    let document = parser::parse(decoded.as_ref().map_or(text, |xml| xml));
    document.is_some_and(|document| is_known(document.root_element()))
}

/// The first second in which Google no longer accepts a base64-encoded token, in seconds since 1970.
pub fn expiry(base64: &str) -> Option<i64> {
    let xml = decode(base64)?;
    first_expiry(&parser::parse(&xml)?)
}

fn first_expiry(document: &Document) -> Option<i64> {
    document.root_element().descendants().flat_map(limits).filter_map(|limit| limit.expiry).min()
}

/// Decodes a base64-encoded token; `None` if it is not base64 of UTF-8 text.
pub fn decode(base64: &str) -> Option<Zeroizing<String>> {
    String::from_utf8(STANDARD.decode(without_space(base64)).ok()?).ok().map(Zeroizing::new)
}

fn without_space(text: &str) -> String {
    text.split_ascii_whitespace().collect()
}

/// Refuses a response whose status is not `Success` (SAML core, section 3.2.2).
fn refuse_failure(root: Node, origin: &Origin) -> Result<(), Error> {
    match failure(root) {
        None => Ok(()),
        Some(codes) => Err(Error::new(Kind::Denied, format!("{} reports a failure", origin.what))
            .cause(redacted(&codes, &[]))
            .fix("look for the reason in the log of the identity provider")),
    }
}

/// The status codes of a response that is not a success, such as `Responder, AuthnFailed`.
pub fn failure(root: Node) -> Option<String> {
    const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
    let is_code = |node: &Node| node.has_tag_name((PROTOCOL_NS, "StatusCode"));
    let codes = root.descendants().filter(is_code).filter_map(|node| node.attribute("Value"));
    let codes: Vec<&str> = codes.collect();
    let is_failure = codes.first().is_some_and(|code| *code != SUCCESS);
    let last = |code: &&str| code.rsplit(':').next().map(str::to_owned);
    is_failure.then(|| codes.iter().filter_map(last).collect::<Vec<_>>().join(", "))
}

/// A time in an assertion that limits the validity of the token. Times are in seconds since 1970.
#[derive(Debug)]
pub struct Limit<'a> {
    /// The name of the element.
    pub element: &'a str,
    /// The name of the attribute.
    pub attribute: &'static str,
    /// The value of the attribute.
    pub time: i64,
    /// The first second in which Google accepts the token, if this attribute limits it.
    pub valid_from: Option<i64>,
    /// The first second in which Google no longer accepts the token, if this attribute limits it.
    pub expiry: Option<i64>,
}

/// The limits that an element sets. Attributes that are not times are skipped.
pub fn limits<'a>(node: Node<'a, '_>) -> impl Iterator<Item = Limit<'a>> {
    let element = node.tag_name().name();
    let time = move |attribute| parse_rfc3339(node.attribute(attribute)?);
    let expiry = move |attribute| {
        let time = time(attribute)?;
        Some(Limit { element, attribute, time, valid_from: None, expiry: Some(time) })
    };
    let valid_from = move |attribute| {
        let time = time(attribute)?;
        Some(Limit { element, attribute, time, valid_from: Some(time), expiry: None })
    };
    let issued = node.has_tag_name((ASSERTION_NS, "Assertion")).then(|| valid_from("IssueInstant"));
    let issued = issued
        .flatten()
        .map(|limit| Limit { expiry: Some(limit.time + LONGEST_LIFETIME), ..limit });
    let others = [valid_from("NotBefore"), expiry("NotOnOrAfter"), expiry("SessionNotOnOrAfter")];
    issued.into_iter().chain(others.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_origin;

    fn response(assertion: &str) -> String {
        format!(
            r#"<p:Response xmlns:p="{PROTOCOL_NS}" xmlns:a="{ASSERTION_NS}">{assertion}</p:Response>"#
        )
    }

    fn expiry(xml: &str) -> Option<i64> {
        read(xml, &test_origin()).unwrap().expiry
    }

    #[test]
    fn the_earliest_time_is_the_expiry() {
        for (assertion, expected) in [
            (
                r#"<a:Assertion IssueInstant="2026-11-21T16:00:00Z">
                   <a:SubjectConfirmationData NotOnOrAfter="2026-11-21T16:05:00.250Z"/>
                   <a:Conditions NotOnOrAfter="2026-11-21T17:00:00Z"/></a:Assertion>"#,
                1_795_277_100,
            ),
            (
                r#"<a:Assertion IssueInstant="2026-11-21T16:00:00Z">
                   <a:Conditions NotOnOrAfter="2026-11-22T16:00:00Z"/></a:Assertion>"#,
                1_795_276_800 + 3600,
            ),
            (
                r#"<a:Assertion IssueInstant="2026-11-21T16:00:00Z">
                   <a:AuthnStatement SessionNotOnOrAfter="2026-11-21T17:01:00+01:00"/></a:Assertion>"#,
                1_795_276_860,
            ),
        ] {
            assert_eq!(expiry(&response(assertion)), Some(expected), "{assertion}");
        }
    }

    #[test]
    fn the_expiry_of_an_encrypted_assertion_is_unknown() {
        assert_eq!(expiry(&response("<a:EncryptedAssertion/>")), None);
    }

    #[test]
    fn xml_is_encoded_and_base64_is_passed_on_in_one_line() {
        let xml = response("");
        let encoded = STANDARD.encode(&xml);
        let wrapped = format!("{}\n{}", &encoded[..20], &encoded[20..]);
        assert_eq!(read(&xml, &test_origin()).unwrap().text.expose(), encoded);
        for text in [&encoded, &wrapped] {
            assert_eq!(read(text, &test_origin()).unwrap().text.expose(), encoded);
        }
    }

    #[test]
    fn a_response_with_a_failure_status_is_refused() {
        let status = |codes: &str| response(&format!("<p:Status>{codes}</p:Status>"));
        let code = "urn:oasis:names:tc:SAML:2.0:status";
        let refusal = status(&format!(
            "<p:StatusCode Value='{code}:Responder'><p:StatusCode Value='{code}:NoPassive'/>\
             </p:StatusCode>"
        ));
        let error = read(&refusal, &test_origin()).unwrap_err();
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.to_string().contains("Responder, NoPassive"), "{error}");
        let success = status(&format!("<p:StatusCode Value='{code}:Success'/>"));
        assert!(read(&success, &test_origin()).is_ok());
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, why) in [
            ("not base64!", "not XML or base64-encoded XML"),
            (&STANDARD.encode([0xff]), "not XML or base64-encoded XML"),
            ("<html><br></html>", "not well-formed"),
            ("<html/>", "XML with the root element html"),
            (r#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#, "not well-formed"),
        ] {
            let message = read(text, &test_origin()).unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
