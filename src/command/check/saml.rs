//! SAML against the rules that Google documents for subject tokens. Signatures are looked for, not
//! verified: that is left to Google.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};

use super::report::Report;
use crate::configuration::CredentialConfig;
use crate::error::Kind;
use crate::secret::Secret;
use crate::time::{parse_rfc3339, rfc3339};
use crate::token::Audience;
use crate::token::saml::{ASSERTION_NS, PROTOCOL_NS};

const LINK: &str = "subject token";
const SIGNATURE_NS: &str = "http://www.w3.org/2000/09/xmldsig#";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// Seconds since `IssueInstant` in which Google takes an assertion.
const LONGEST_AGE: i64 = 3600;

/// The XML of a token.
pub(super) fn xml(token: &Secret) -> Option<String> {
    let packed: String = token.expose().split_ascii_whitespace().collect();
    String::from_utf8(STANDARD.decode(packed).ok()?).ok()
}

pub(super) fn check(token: &Secret, config: &CredentialConfig, now: i64, report: &mut Report) {
    let xml = xml(token).unwrap_or_default();
    let Ok(document) = Document::parse(&xml) else {
        let fix = "subject_token_type and the source do not match";
        report.wrong(LINK, Kind::Protocol, "it is no SAML", fix);
        return;
    };
    let root = document.root_element();
    let all = |name: &'static str| {
        root.descendants().filter(move |node| node.has_tag_name((ASSERTION_NS, name)))
    };
    if all("EncryptedAssertion").next().is_some() {
        report.ok(LINK, "an encrypted assertion, which only Google can read");
        return;
    }
    let assertions: Vec<Node> = all("Assertion").collect();
    let [assertion] = assertions[..] else {
        let message = format!("it holds {} assertions", assertions.len());
        report.wrong(LINK, Kind::Protocol, message, "Google takes exactly one");
        return;
    };
    let before = report.findings.len();
    for problem in problems(root, assertion, &config.audience, now) {
        report.wrong(LINK, problem.0, problem.1, problem.2);
    }
    if report.findings.len() == before {
        report.ok(
            LINK,
            "an assertion that Google's rules allow (its signature is not verified here)",
        );
    }
}

type Problem = (Kind, String, &'static str);

fn problems(root: Node, assertion: Node, audience: &str, now: i64) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut add = |wrong: bool, kind: Kind, message: &str, fix: &'static str| {
        if wrong {
            found.push((kind, message.to_owned(), fix));
        }
    };
    let idp = "change it at the identity provider";
    let clocks = "check the clocks of the identity provider and of this host, and renew it";
    let children = |node: Node<'_, '_>, name: &'static str| {
        node.children().filter(|child| child.has_tag_name((ASSERTION_NS, name))).count()
    };
    let is_signed = |node: Node<'_, '_>| {
        node.children().any(|child| child.has_tag_name((SIGNATURE_NS, "Signature")))
    };
    let signed = is_signed(assertion) || is_signed(root);
    add(!signed, Kind::Protocol, "neither response nor assertion is signed", idp);
    if root.has_tag_name((PROTOCOL_NS, "Response")) && is_signed(root) {
        let issuer = |node: Node| {
            let mut all = node.children().filter(|c| c.has_tag_name((ASSERTION_NS, "Issuer")));
            all.next().and_then(|issuer| issuer.text()).map(str::to_owned)
        };
        let same = issuer(root) == issuer(assertion);
        add(!same, Kind::Protocol, "response and assertion name different issuers", idp);
    }
    let status = root.descendants().find(|node| node.has_tag_name((PROTOCOL_NS, "StatusCode")));
    let failed = status.is_some_and(|status| status.attribute("Value") != Some(SUCCESS));
    add(failed, Kind::Denied, "its status is not Success", "look into the identity provider's log");
    add(children(assertion, "Issuer") != 1, Kind::Protocol, "it has no Issuer", idp);
    let odd = assertion
        .children()
        .filter(|node| node.has_tag_name((ASSERTION_NS, "Issuer")))
        .any(|issuer| issuer.attribute("Format").is_some_and(|format| format != ENTITY));
    add(odd, Kind::Protocol, "the Format of its Issuer is not entity", idp);
    add(
        children(assertion, "AuthnStatement") == 0,
        Kind::Protocol,
        "it has no AuthnStatement",
        idp,
    );

    let time = |node: Node, name: &str| parse_rfc3339(node.attribute(name)?);
    match time(assertion, "IssueInstant") {
        None => add(true, Kind::Protocol, "it has no IssueInstant", idp),
        Some(issued) => {
            let (late, early) = (issued + LONGEST_AGE <= now, issued > now);
            let when = rfc3339(issued);
            add(late, Kind::Expired, &format!("it was issued at {when}, over an hour ago"), clocks);
            add(early, Kind::Configuration, &format!("it will be issued at {when}"), clocks);
        }
    }
    let conditions =
        assertion.children().find(|node| node.has_tag_name((ASSERTION_NS, "Conditions")));
    for (name, message) in [
        ("NotBefore", "its Conditions have no NotBefore"),
        ("NotOnOrAfter", "its Conditions have no NotOnOrAfter"),
    ] {
        let given = conditions.and_then(|conditions| time(conditions, name));
        add(given.is_none(), Kind::Protocol, message, idp);
    }
    for node in assertion.descendants() {
        for name in ["NotOnOrAfter", "SessionNotOnOrAfter"] {
            if let Some(end) = time(node, name).filter(|end| *end <= now) {
                let message =
                    format!("{name} of its {} was {}", node.tag_name().name(), rfc3339(end));
                add(true, Kind::Expired, &message, clocks);
            }
        }
        if let Some(begin) = time(node, "NotBefore").filter(|begin| *begin > now) {
            add(true, Kind::Configuration, &format!("NotBefore is {}", rfc3339(begin)), clocks);
        }
    }
    subject(assertion, &mut add, idp);
    restriction(assertion, audience, &mut add, idp);
    found
}

fn subject(
    assertion: Node,
    add: &mut impl FnMut(bool, Kind, &str, &'static str),
    idp: &'static str,
) {
    let find = |name: &'static str| {
        assertion.descendants().filter(move |node| node.has_tag_name((ASSERTION_NS, name)))
    };
    add(find("NameID").next().is_none(), Kind::Protocol, "its subject has no NameID", idp);
    let confirmations: Vec<Node> = find("SubjectConfirmation").collect();
    let bearer = confirmations.iter().filter(|c| c.attribute("Method") == Some(BEARER)).count();
    let one = (bearer, confirmations.len()) == (1, 1);
    add(!one, Kind::Protocol, "it has not exactly one SubjectConfirmation, of method bearer", idp);
    let data: Vec<Node> = find("SubjectConfirmationData").collect();
    let ends = data.iter().any(|data| data.has_attribute("NotOnOrAfter"));
    add(!ends, Kind::Protocol, "its SubjectConfirmationData has no NotOnOrAfter", idp);
    let begins = data.iter().any(|data| data.has_attribute("NotBefore"));
    add(begins, Kind::Protocol, "its SubjectConfirmationData has a NotBefore", idp);
}

fn restriction(
    assertion: Node,
    audience: &str,
    add: &mut impl FnMut(bool, Kind, &str, &'static str),
    idp: &'static str,
) {
    let restrictions: Vec<Node> = assertion
        .descendants()
        .filter(|node| node.has_tag_name((ASSERTION_NS, "AudienceRestriction")))
        .collect();
    add(restrictions.is_empty(), Kind::Protocol, "it has no AudienceRestriction", idp);
    let names = |restriction: &Node| {
        restriction
            .children()
            .filter_map(|child| child.text())
            .any(|name| Audience::new(audience).is(name.trim()))
    };
    let all = restrictions.iter().all(names);
    let fix = "make the identity provider's relying party (entity id) the pool provider's name, with https:";
    add(!all, Kind::Configuration, "its AudienceRestriction names another audience", fix);
}
