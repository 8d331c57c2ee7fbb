//! Checks a SAML response or assertion against the rules that Google documents for subject tokens.
//!
//! [`token::saml`](crate::token::saml) finds the elements that limit the validity; this module
//! judges them and everything else. A signature must be present, but only Google verifies it.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use roxmltree::Node;

use super::mismatch;
use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::error::Kind;
use crate::secret::Secret;
use crate::time::{parse_rfc3339, rfc3339};
use crate::token::Audience;
use crate::token::saml::{ASSERTION_NS, PROTOCOL_NS, decode, failure, limits};
use crate::token::xml as parser;

const LINK: &str = "subject token";
const SIGNATURE_NS: &str = "http://www.w3.org/2000/09/xmldsig#";
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

const FIX_CLOCKS: &str =
    "get a new token, and check the clocks of this host and of the identity provider";

pub(super) fn check(token: &Secret, config: &CredentialConfig, now: i64, report: &mut Report) {
    let xml = decode(token.expose()).unwrap_or_default();
    let Some(document) = parser::parse(&xml) else {
        let otherwise = match token.expose().starts_with('<') {
            true => ("it is XML that is not base64-encoded", "encode the whole document in base64"),
            false => (
                "it is not base64-encoded XML",
                "set subject_token_type to the type of token that the source returns",
            ),
        };
        return mismatch::report(token, config.token_type, otherwise, report);
    };
    let root = document.root_element();
    if descendants(root, "EncryptedAssertion").next().is_some() {
        report.ok(LINK, "an encrypted assertion, which only Google can read");
        return;
    }
    let assertions: Vec<Node> = descendants(root, "Assertion").collect();
    let [assertion] = assertions[..] else {
        let message = format!("the token contains {} assertions", assertions.len());
        let fix = "configure the identity provider to send exactly one assertion";
        report.broken(LINK, Kind::Protocol, message, fix);
        return;
    };
    let mut problems = Problems::default();
    signature(root, assertion, &mut problems);
    statements(root, assertion, &mut problems);
    times(assertion, now, &mut problems);
    subject(assertion, &mut problems);
    audience(assertion, &config.audience, &mut problems);
    if problems.0.is_empty() {
        report.ok(LINK, "an assertion that follows Google's rules (signature not verified here)");
    }
    for (kind, message, fix, limit) in problems.0 {
        report.broken(LINK, kind, message, fix).limit = limit;
    }
}

/// The rules that a token breaks, each with a kind, a message, a fix, and the time that it depends
/// on.
#[derive(Default)]
struct Problems(Vec<(Kind, String, String, Option<i64>)>);

impl Problems {
    fn add(&mut self, kind: Kind, message: impl Into<String>, fix: impl Into<String>) {
        self.0.push((kind, message.into(), fix.into(), None));
    }

    /// Adds a problem if a rule of the protocol does not hold. `fix` is what the identity provider
    /// must do.
    fn require(&mut self, holds: bool, message: &str, fix: &str) {
        if !holds {
            let fix = format!("configure the identity provider to {fix}");
            self.add(Kind::Protocol, message, fix);
        }
    }
}

/// The elements of an assertion with this name, inside a node.
fn descendants<'a>(node: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.descendants().filter(move |node| node.has_tag_name((ASSERTION_NS, name)))
}

/// The elements of an assertion with this name, directly below a node.
fn children<'a>(node: Node<'a, 'a>, name: &'static str) -> impl Iterator<Item = Node<'a, 'a>> {
    node.children().filter(move |node| node.has_tag_name((ASSERTION_NS, name)))
}

fn signature(root: Node, assertion: Node, problems: &mut Problems) {
    let is_signed =
        |node: Node| node.children().any(|child| child.has_tag_name((SIGNATURE_NS, "Signature")));
    let signed = is_signed(assertion) || is_signed(root);
    let message = "neither the response nor the assertion is signed";
    problems.require(signed, message, "sign the response or the assertion");
    if root.has_tag_name((PROTOCOL_NS, "Response")) && is_signed(root) {
        let issuer = |node| children(node, "Issuer").next().and_then(|issuer| issuer.text());
        let same = issuer(root) == issuer(assertion);
        let message = "the issuers of the response and of the assertion differ";
        problems.require(same, message, "set both Issuer elements to its entity ID");
    }
}

fn statements(root: Node, assertion: Node, problems: &mut Problems) {
    if failure(root).is_some() {
        let fix = "look for the reason in the log of the identity provider";
        problems.add(Kind::Denied, "the status of the response is not Success", fix);
    }
    let issuers: Vec<Node> = children(assertion, "Issuer").collect();
    let message = "the assertion has no Issuer";
    problems.require(issuers.len() == 1, message, "set the Issuer to its entity ID");
    let mut formats = issuers.iter().filter_map(|issuer| issuer.attribute("Format"));
    let message = "the Format of the Issuer is not entity";
    problems.require(formats.all(|format| format == ENTITY), message, "omit Format of the Issuer");
    let has_statement = children(assertion, "AuthnStatement").next().is_some();
    let message = "the assertion has no AuthnStatement";
    problems.require(has_statement, message, "send an AuthnStatement");
    let conditions = children(assertion, "Conditions").next();
    for (node, element, attribute) in [
        (Some(assertion), "assertion", "IssueInstant"),
        (conditions, "Conditions", "NotBefore"),
        (conditions, "Conditions", "NotOnOrAfter"),
    ] {
        let text = node.and_then(|node| node.attribute(attribute));
        let has = if element == "assertion" { "has" } else { "have" };
        match text {
            None => problems.require(
                false,
                &format!("the {element} {has} no {attribute}"),
                &format!("set {attribute} of the {element}"),
            ),
            Some(text) => problems.require(
                parse_rfc3339(text).is_some(),
                &format!("{attribute} of the {element} is not a time with a time zone"),
                &format!("send {attribute} in UTC, such as 2026-01-31T12:00:00Z"),
            ),
        }
    }
}

fn times(assertion: Node, now: i64, problems: &mut Problems) {
    for limit in assertion.descendants().flat_map(limits) {
        let (attribute, element, time) = (limit.attribute, limit.element, rfc3339(limit.time));
        if limit.expiry.is_some_and(|expiry| expiry <= now) {
            let age = if limit.valid_from.is_some() { ", more than an hour ago" } else { "" };
            let message = format!("the token has expired: {attribute} of {element} is {time}{age}");
            problems.0.push((Kind::Expired, message, FIX_CLOCKS.to_owned(), limit.expiry));
        }
        if limit.valid_from.is_some_and(|valid_from| valid_from > now) {
            let message = format!("the token is not valid yet: {attribute} of {element} is {time}");
            problems.0.push((
                Kind::Configuration,
                message,
                FIX_CLOCKS.to_owned(),
                limit.valid_from,
            ));
        }
    }
}

fn subject(assertion: Node, problems: &mut Problems) {
    let name = descendants(assertion, "NameID").next();
    let is_encrypted = descendants(assertion, "EncryptedID").next().is_some();
    let message = match name {
        None if is_encrypted => "the NameID of the Subject is encrypted",
        None => "the Subject has no NameID",
        Some(_) => "the NameID of the Subject is empty",
    };
    let has_name = name.and_then(|name| name.text()).is_some_and(|name| !name.trim().is_empty());
    problems.require(has_name, message, "send the identifier of the user as an unencrypted NameID");
    let confirmations: Vec<Node> = descendants(assertion, "SubjectConfirmation").collect();
    let is_bearer = |node: &Node| node.attribute("Method") == Some(BEARER);
    let one = confirmations.len() == 1 && confirmations.iter().all(is_bearer);
    problems.require(
        one,
        "the Subject does not have exactly one SubjectConfirmation (bearer)",
        "send exactly one SubjectConfirmation, with the method bearer",
    );
    let data: Vec<Node> = descendants(assertion, "SubjectConfirmationData").collect();
    let has = |name| data.iter().any(|data| data.has_attribute(name));
    let message = "the SubjectConfirmationData has no NotOnOrAfter";
    problems.require(
        has("NotOnOrAfter"),
        message,
        "set NotOnOrAfter of the SubjectConfirmationData",
    );
    let message = "the SubjectConfirmationData has a NotBefore";
    problems.require(!has("NotBefore"), message, "omit NotBefore of the SubjectConfirmationData");
}

fn audience(assertion: Node, audience: &str, problems: &mut Problems) {
    let restrictions: Vec<Node> = descendants(assertion, "AudienceRestriction").collect();
    let message = "the assertion has no AudienceRestriction";
    problems.require(!restrictions.is_empty(), message, "send an AudienceRestriction");
    let audience = Audience::new(audience);
    let names_audience = |restriction: &Node| {
        let mut names = restriction.children().filter_map(|child| child.text());
        names.any(|name| audience.is(name.trim()))
    };
    if !restrictions.iter().all(names_audience) {
        let fix = "set the entity ID of the relying party to https: followed by the audience of the \
                   configuration";
        let message = "the AudienceRestriction does not name the pool provider";
        problems.add(Kind::Configuration, message, fix);
    }
}
