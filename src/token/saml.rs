//! Reads (never verifies) a SAML 2.0 response or assertion.
//!
//! Google takes base64 of a `Response` or an `Assertion`. Such a token ends at the earliest of what
//! the Security Token Service compares with its clock: every `NotOnOrAfter` (of the conditions and
//! of the subject confirmation), `SessionNotOnOrAfter`, and one hour after an assertion's
//! `IssueInstant`. An encrypted assertion shows none of these: its end is unknown.
//! <https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf> sections 2.5.1 and 2.7.2,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};

use super::{Origin, SubjectToken, not_a_token};
use crate::error::{Error, Kind, redacted};
use crate::secret::Secret;
use crate::time::parse_rfc3339;

/// The namespace of assertions.
pub const ASSERTION_NS: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// The namespace of responses.
pub const PROTOCOL_NS: &str = "urn:oasis:names:tc:SAML:2.0:protocol";

/// Seconds for which Google takes an assertion after its `IssueInstant`.
const LONGEST_LIFE: i64 = 3600;

/// Reads SAML as XML, which is base64-encoded, or as base64, which is passed on unchanged.
///
/// # Errors
/// `PROTOCOL` where it is neither, or no SAML 2.0 response or assertion.
pub fn read(text: &str, origin: &Origin) -> Result<SubjectToken, Error> {
    let fix = format!("check {}: it must give a SAML 2.0 Response or Assertion", origin.option);
    let refuse = |why: &str| not_a_token(origin, why, &fix);
    let (xml, token) = match text.starts_with('<') {
        true => (text.to_owned(), Secret::new(STANDARD.encode(text))),
        false => {
            let packed: String = text.split_ascii_whitespace().collect();
            let bytes = STANDARD.decode(packed).map_err(|_| refuse("it is not XML or base64"))?;
            let xml = String::from_utf8(bytes).map_err(|_| refuse("its base64 holds no XML"))?;
            (xml, Secret::new(text))
        }
    };
    let document = Document::parse(&xml).map_err(|_| refuse("it is not well-formed XML"))?;
    let root = document.root_element();
    let is = |namespace, name| root.has_tag_name((namespace, name));
    let known = is(PROTOCOL_NS, "Response")
        || is(ASSERTION_NS, "Assertion")
        || is(ASSERTION_NS, "EncryptedAssertion");
    if !known {
        return Err(refuse("it is XML of another kind"));
    }
    refuse_failure(root, origin)?;
    Ok(SubjectToken { text: token, expiry: root.descendants().flat_map(ends).min() })
}

/// Refuses a response whose status is not success (SAML core, section 3.2.2).
fn refuse_failure(root: Node, origin: &Origin) -> Result<(), Error> {
    let is_code = |node: &Node| node.has_tag_name((PROTOCOL_NS, "StatusCode"));
    let codes = root.descendants().filter(is_code).filter_map(|node| node.attribute("Value"));
    let codes: Vec<&str> = codes.map(|code| code.rsplit(':').next().unwrap_or(code)).collect();
    match codes.first() {
        None | Some(&"Success") => Ok(()),
        Some(_) => Err(Error::new(Kind::Denied, format!("{} is a refusal", origin.what))
            .cause(redacted(&codes.join(", "), &[]))
            .fix("look for the reason in the identity provider's log")),
    }
}

/// The times at which this element makes the token end, in seconds since 1970.
fn ends<'a>(node: Node<'a, '_>) -> impl Iterator<Item = i64> {
    let time = move |name| parse_rfc3339(node.attribute(name)?);
    let issued = node.has_tag_name((ASSERTION_NS, "Assertion")).then(|| time("IssueInstant"));
    let oldest = issued.flatten().map(|issued| issued + LONGEST_LIFE);
    [time("NotOnOrAfter"), time("SessionNotOnOrAfter"), oldest].into_iter().flatten()
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
    fn the_earliest_end_counts() {
        for (assertion, end) in [
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
            assert_eq!(expiry(&response(assertion)), Some(end), "{assertion}");
        }
    }

    #[test]
    fn an_encrypted_assertion_has_no_known_end() {
        assert_eq!(expiry(&response("<a:EncryptedAssertion/>")), None);
    }

    #[test]
    fn xml_is_encoded_and_base64_is_passed_on_unchanged() {
        let xml = response("");
        let encoded = STANDARD.encode(&xml);
        let wrapped = format!("{}\n{}", &encoded[..20], &encoded[20..]);
        assert_eq!(read(&xml, &test_origin()).unwrap().text.expose(), encoded);
        for text in [&encoded, &wrapped] {
            assert_eq!(read(text, &test_origin()).unwrap().text.expose(), text.as_str());
        }
    }

    #[test]
    fn a_refusal_is_no_token() {
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
    fn what_is_no_saml_is_refused_with_the_reason() {
        for (text, why) in [
            ("not base64!", "not XML or base64"),
            (&STANDARD.encode([0xff]), "holds no XML"),
            ("<html><br></html>", "not well-formed"),
            ("<html/>", "another kind"),
            (r#"<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>"#, "not well-formed"),
        ] {
            let message = read(text, &test_origin()).unwrap_err().to_string();
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
