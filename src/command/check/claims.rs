//! The claims of a token, named as in an attribute mapping, and the principals that result from the
//! mapping.
//! <https://cloud.google.com/iam/docs/workload-identity-federation#mapping>

use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value, json};

use super::claim_rules::texts;
use super::mapping::{Evaluated, evaluate, pairs};
use super::mapping_mistakes::{Mistake, SUBJECT, wrong_expression, wrong_names, wrong_type};
use super::report::{CLAIMS, PRINCIPAL, Report};
use crate::configuration::CredentialConfig;
use crate::configuration::pool_provider::{LONGEST_SUBJECT, PoolProvider};
use crate::error::{Kind, one_line};
use crate::secret::Secret;
use crate::token::jwt;
use crate::token::saml::{self, ASSERTION_NS};
use crate::token::xml as parser;
use crate::x509;

/// The maximum number of characters of a value that are shown.
const SHOWN: usize = 200;

pub(super) fn of_jwt(
    token: &Secret,
    mapping: Option<&str>,
    config: &CredentialConfig,
    report: &mut Report,
) {
    let Some((header, claims)) = jwt::parts(token.expose()) else { return };
    list("header", &Value::Object(header), &mut report.header);
    show(&Value::Object(claims), mapping, "assertion.sub", config, report);
}

/// Lists the members of a JWT for a relying party that has no attribute mapping.
pub(super) fn list_of_jwt(
    header: Map<String, Value>,
    claims: Map<String, Value>,
    report: &mut Report,
) {
    list("header", &Value::Object(header), &mut report.header);
    list("claims", &Value::Object(claims), &mut report.claims);
    report.ok(CLAIMS, format!("{} found", report.claims.len()));
}

pub(super) fn of_saml(
    token: &Secret,
    mapping: Option<&str>,
    config: &CredentialConfig,
    report: &mut Report,
) {
    let xml = saml::decode(token.expose()).unwrap_or_default();
    let Some(document) = parser::parse(&xml) else { return };
    let named = |name: &'static str| {
        document.descendants().filter(move |node| node.has_tag_name((ASSERTION_NS, name)))
    };
    let Some(subject) = named("NameID").next().and_then(|node| node.text()) else { return };
    let mut attributes = Map::new();
    for attribute in named("Attribute") {
        let values = attribute
            .children()
            .filter(|node| node.has_tag_name((ASSERTION_NS, "AttributeValue")))
            .map(|node| Value::from(node.text().unwrap_or_default()));
        let name = attribute.attribute("Name").unwrap_or_default().to_owned();
        attributes.insert(name, values.collect());
    }
    let claims = json!({ "subject": subject, "attributes": attributes });
    show(&claims, mapping, "assertion.subject", config, report);
}

pub(super) fn of_certificate(
    leaf: &CertificateDer,
    mapping: Option<&str>,
    config: &CredentialConfig,
    report: &mut Report,
) {
    show(&x509::claims(leaf), mapping, x509::DEFAULT_SUBJECT, config, report);
}

/// Lists the claims and the principals that result from the mapping of `--mapping`, or from the
/// usual mapping, which the pool provider may not have.
fn show(
    claims: &Value,
    mapping: Option<&str>,
    usual: &str,
    config: &CredentialConfig,
    report: &mut Report,
) {
    list("assertion", claims, &mut report.claims);
    let count = report.claims.len();
    report.ok(CLAIMS, format!("{count} found; names as in an attribute mapping"));
    let Ok(provider) = PoolProvider::parse(&config.audience) else { return };
    let is_given = mapping.is_some();
    let usual = format!("{SUBJECT}={usual}");
    let mapping = pairs(mapping.unwrap_or(&usual));
    for mistake in wrong_names(&mapping, &provider) {
        problem(mistake, is_given, report);
    }
    if mapping.iter().all(|(attribute, _)| attribute.trim_end() != SUBJECT) {
        let message = format!("--mapping has no {SUBJECT}");
        report.broken(PRINCIPAL, Kind::Usage, message, format!("add {usual} to --mapping"));
    }
    for (attribute, expression) in mapping {
        if attribute.is_empty() {
            let fix = "set --mapping to pairs such as google.subject=assertion.sub";
            let message = "--mapping is not a list of ATTRIBUTE=EXPRESSION pairs";
            report.broken(PRINCIPAL, Kind::Usage, message, fix);
            continue;
        }
        match evaluate(expression, claims) {
            Evaluated::Value(value) => {
                principals(attribute, value, is_given, &provider, report);
            }
            Evaluated::Missing => {
                let message = format!("the token has no {}", one_line(expression));
                let fix = "map a claim that the token has (see the list of claims)".to_owned();
                problem((message, fix), is_given, report);
            }
            Evaluated::NotAPath if let Some(mistake) = wrong_expression(expression, claims) => {
                problem(mistake, is_given, report);
            }
            Evaluated::NotAPath => {
                report.skipped(
                    PRINCIPAL,
                    format!("only Google can evaluate the CEL expression of {attribute}"),
                );
            }
        }
    }
    if !report.principals.is_empty() && !report.has_problem(PRINCIPAL) {
        let condition = match is_given {
            true => String::new(),
            false => format!(" if the attribute mapping is {usual}"),
        };
        report.ok(PRINCIPAL, format!("the name of this workload in IAM policies{condition}"));
    }
}

/// Reports a problem with the mapping: as an error if `--mapping` is set, and otherwise as a
/// warning, because the pool provider may have a different mapping.
fn problem((message, fix): Mistake, is_given: bool, report: &mut Report) {
    match is_given {
        true => report.broken(PRINCIPAL, Kind::Configuration, message, fix),
        false => report.warning(
            PRINCIPAL,
            message,
            format!("{fix}, or set --mapping to try another mapping"),
        ),
    }
    .settled_by_exchange = !is_given;
}

fn principals(
    attribute: &str,
    value: &Value,
    is_given: bool,
    provider: &PoolProvider,
    report: &mut Report,
) {
    if let Some(mistake) = wrong_type(attribute, value) {
        // Google documents only the types of its own attributes.
        let is_certain = is_given && attribute.starts_with("google.");
        return problem(mistake, is_certain, report);
    }
    for text in texts(Some(value)) {
        let text = one_line(text);
        if attribute != SUBJECT {
            report.principals.push(provider.principal_set(attribute, &text));
            continue;
        }
        if !(1..=LONGEST_SUBJECT).contains(&text.len()) {
            let message = format!(
                "{SUBJECT} would have {} bytes, but 1 to {LONGEST_SUBJECT} are allowed",
                text.len()
            );
            let fix = "map a different claim, or a part of this one with extract()".to_owned();
            problem((message, fix), is_given, report);
            continue;
        }
        report.principals.push(provider.principal(&text));
    }
}

/// Adds all values inside a claim, with the expressions that select them.
fn list(name: &str, value: &Value, claims: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let first = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
                match first && key.chars().all(plain) && name != "assertion.attributes" {
                    true => list(&format!("{name}.{key}"), value, claims),
                    false => list(&format!("{name}['{}']", one_line(key)), value, claims),
                }
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object()) => {
            for (index, item) in items.iter().enumerate() {
                list(&format!("{name}[{index}]"), item, claims);
            }
        }
        other => {
            let text = match other.to_string() {
                // A token inside a token can be a credential too.
                text if text.contains("eyJ") => "[token]".to_owned(),
                text => one_line(&text),
            };
            let cut = text.char_indices().nth(SHOWN).and_then(|(at, _)| text.get(..at));
            claims.push((name.to_owned(), cut.map_or(text.clone(), |cut| format!("{cut}…"))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::Status;
    use super::*;

    #[test]
    fn claims_are_listed_with_their_expressions() {
        let mut listed = Vec::new();
        let claims = json!({
            "sub": "s",
            "a b": 1,
            "list": ["x", "y"],
            "objects": [{"k": true}],
            "attributes": {"g": ["v"]},
        });
        list("assertion", &claims, &mut listed);
        let listed: Vec<String> = listed.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(
            listed,
            [
                "assertion.sub=\"s\"",
                "assertion['a b']=1",
                "assertion.list=[\"x\",\"y\"]",
                "assertion.objects[0].k=true",
                "assertion.attributes['g']=[\"v\"]",
            ]
        );
    }

    #[test]
    fn a_problem_with_the_usual_mapping_is_only_a_warning() {
        let provider =
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";
        let provider = PoolProvider::parse(provider).unwrap();
        let long = Value::from("x".repeat(128));
        for (is_given, status) in [(true, 3), (false, 0)] {
            let mut report = Report::default();
            principals(SUBJECT, &long, is_given, &provider, &mut report);
            assert_eq!(report.exit_status(), status);
            assert_ne!(report.findings[0].status, Status::Ok);
            report.settle();
            assert_eq!(report.findings[0].status == Status::Ok, !is_given);
        }
    }
}
