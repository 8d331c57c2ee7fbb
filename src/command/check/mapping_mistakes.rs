//! Mistakes in an attribute mapping: names that Google does not accept, expressions that select no
//! claim, and values of the wrong type.
//! <https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation#mapping>

use std::collections::BTreeSet;

use serde_json::Value;

use super::mapping::Nesting;
use crate::configuration::pool_provider::PoolProvider;
use crate::error::one_line;

/// The attribute that every mapping must have.
pub(super) const SUBJECT: &str = "google.subject";

/// The attribute whose value is a list.
const GROUPS: &str = "google.groups";

/// The largest number of attributes `attribute.NAME`.
const MOST_ATTRIBUTES: usize = 50;

/// The maximum length of the name of an attribute, in characters.
const LONGEST_NAME: usize = 100;

/// What is wrong, and its fix.
pub(super) type Mistake = (String, String);

/// Lists the mistakes in the names of the attributes.
pub(super) fn wrong_names(pairs: &[(&str, &str)], provider: &PoolProvider) -> Vec<Mistake> {
    let names = || pairs.iter().map(|(name, _)| *name).filter(|name| !name.is_empty());
    let mut mistakes: Vec<Mistake> =
        names().filter_map(|name| wrong_name(name, provider)).collect();
    let mut seen = BTreeSet::new();
    if let Some(name) = names().find(|name| !seen.insert(*name)) {
        let name = one_line(name);
        mistakes.push((
            format!("{name} occurs twice in --mapping"),
            format!("remove one of the two pairs with {name}"),
        ));
    }
    let count = names().filter(|name| name.starts_with("attribute.")).count();
    if count > MOST_ATTRIBUTES {
        mistakes.push((
            format!("--mapping has {count} custom attributes, but {MOST_ATTRIBUTES} are allowed"),
            "remove the attributes that no IAM policy or attribute condition uses".to_owned(),
        ));
    }
    mistakes
}

fn wrong_name(name: &str, provider: &PoolProvider) -> Option<Mistake> {
    let shown = one_line(name);
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_workload = provider.project.is_some();
    Some(match name.split_once('.') {
        _ if name.ends_with(char::is_whitespace) => (
            format!("--mapping has a space after {}", shown.trim_end()),
            "remove the spaces around = in --mapping and in --attribute-mapping".to_owned(),
        ),
        Some(("google", "subject" | "groups")) => return None,
        // A workforce pool has more attributes, such as google.display_name.
        Some(("google", _)) if !is_workload => return None,
        Some(("google", other)) => (
            format!("{shown} is not an attribute of a workload identity pool"),
            format!("use {SUBJECT}, {GROUPS} or attribute.{}", one_line(other)),
        ),
        Some(("attribute", own)) if own.is_empty() || !own.chars().all(fits) => (
            format!("the name {shown} has characters other than a-z, 0-9 and _ after the dot"),
            "rename the attribute in --mapping and in --attribute-mapping".to_owned(),
        ),
        Some(("attribute", own)) if own.len() > LONGEST_NAME => (
            format!("the name {shown} has more than {LONGEST_NAME} characters after the dot"),
            "shorten the name of the attribute".to_owned(),
        ),
        Some(("attribute", _)) => return None,
        other => (
            format!("{shown} is not {SUBJECT}, {GROUPS} or attribute.NAME"),
            format!("use attribute.{}", one_line(other.map_or(name, |(_, own)| own))),
        ),
    })
}

/// Finds a mistake in an expression that is not the path of a claim. If none is found, the
/// expression may be right.
pub(super) fn wrong_expression(expression: &str, claims: &Value) -> Option<Mistake> {
    let expression = expression.trim();
    let shown = one_line(expression);
    if !is_balanced(expression) {
        return Some((
            format!("the brackets or quotation marks in {shown} are not closed"),
            "close them, and put the whole value of --mapping in quotation marks".to_owned(),
        ));
    }
    let name = expression.strip_prefix("assertion.");
    if let Some(name) = name.filter(|name| claims.get(name).is_some()) {
        let name = one_line(name);
        let quote = if name.contains('\'') { '"' } else { '\'' };
        return Some((
            format!(
                "{shown} is not the claim {name}: the name has characters other than a-z, 0-9 and _"
            ),
            format!("write assertion[{quote}{name}{quote}]"),
        ));
    }
    let root = expression.split(['.', '[']).next().unwrap_or_default();
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_.[]'\"".contains(c);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_$".contains(c);
    let path = expression.strip_prefix('$').unwrap_or(expression);
    let is_other_path = root != "assertion" && path.chars().all(is_path);
    let starts = root.starts_with(|c: char| c.is_ascii_alphabetic() || "_$".contains(c));
    (is_other_path && starts && root.chars().all(is_name)).then(|| {
        let claim = expression.rsplit('.').next().unwrap_or_default();
        (
            format!("{shown} does not begin with assertion, the only name in an attribute mapping"),
            format!("write the path of a claim, such as assertion.{}", one_line(claim)),
        )
    })
}

/// Whether all brackets and quotation marks of an expression are closed.
fn is_balanced(expression: &str) -> bool {
    let mut nesting = Nesting::default();
    expression.chars().for_each(|c| nesting.read(c));
    nesting.is_closed()
}

/// Explains why Google does not accept a value for an attribute, with the fix.
pub(super) fn wrong_type(attribute: &str, value: &Value) -> Option<Mistake> {
    let is_list = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    let is = match value {
        Value::String(_) => "a string",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a Boolean",
        Value::Object(_) | Value::Null => "an object",
        Value::Array(_) if is_list => "a list of strings",
        Value::Array(_) => "a list of values other than strings",
    };
    let must_be = match attribute {
        GROUPS => "a list of strings",
        _ => "a string",
    };
    let fits = match attribute {
        GROUPS => is_list,
        // Each string of a list has its own principal.
        _ => value.is_string() || is_list && attribute.starts_with("attribute."),
    };
    (!fits).then(|| {
        (
            format!("{attribute} would be {is}, but must be {must_be}"),
            format!("map a claim that is {must_be}, or configure the issuer to send {must_be}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::mapping::pairs;
    use super::*;

    fn provider(name: &str) -> PoolProvider {
        PoolProvider::parse(&format!("//iam.googleapis.com/{name}/providers/q")).unwrap()
    }

    #[test]
    fn names_that_google_does_not_accept_are_found() {
        let workload = provider("projects/1/locations/global/workloadIdentityPools/p");
        let workforce = provider("locations/global/workforcePools/p");
        let mistakes = |mapping: &str, provider: &PoolProvider| {
            let found = wrong_names(&pairs(mapping), provider);
            found.into_iter().map(|(what, fix)| format!("{what}; {fix}")).collect::<Vec<_>>()
        };
        let long = format!("attribute.{}=a", "x".repeat(101));
        let many: Vec<_> = (0..51).map(|number| format!("attribute.a{number}=a")).collect();
        for (mapping, words) in [
            ("google.subject =a", "a space after google.subject"),
            ("google.email=a", "use google.subject, google.groups or attribute.email"),
            ("attribute.Repo=a", "characters other than a-z, 0-9 and _"),
            ("attribute.=a", "characters other than"),
            (&long, "more than 100 characters"),
            ("attributes.repo=a", "use attribute.repo"),
            ("repo=a", "use attribute.repo"),
            ("google.subject=a,google.subject=b", "occurs twice"),
            (&many.join(","), "has 51 custom attributes"),
        ] {
            let found = mistakes(mapping, &workload);
            assert!(found.len() == 1 && found[0].contains(words), "{mapping}: {found:?}");
        }
        let good = "google.subject=a,google.groups=b,attribute.a_1=c";
        assert_eq!(mistakes(good, &workload), <[String; 0]>::default());
        assert_eq!(mistakes("google.display_name=a", &workforce), <[String; 0]>::default());
    }

    #[test]
    fn mistakes_in_expressions_are_found() {
        let claims = json!({ "sub": "s", "my-claim": "c", "cognito:groups": ["g"] });
        for (expression, fix) in [
            ("claims.sub", "such as assertion.sub"),
            ("Assertion.sub", "such as assertion.sub"),
            ("sub", "such as assertion.sub"),
            ("$.sub", "such as assertion.sub"),
            ("google.subject", "such as assertion.subject"),
            ("assertion.my-claim", "write assertion['my-claim']"),
            ("assertion.cognito:groups", "write assertion['cognito:groups']"),
            ("assertion.sub.extract('{a}'", "close them"),
            ("'a", "close them"),
        ] {
            let found = wrong_expression(expression, &claims).map(|(_, fix)| fix);
            assert!(found.as_ref().is_some_and(|found| found.contains(fix)), "{expression}");
        }
        for expression in [
            "assertion.sub.extract('{a}')",
            "'a::' + assertion.sub",
            "assertion.a - assertion.b",
            "has(assertion.a) ? assertion.a : ''",
            "string(assertion.n)",
        ] {
            assert_eq!(wrong_expression(expression, &claims), None, "{expression}");
        }
    }

    #[test]
    fn the_types_of_values_are_compared() {
        for (attribute, value, fits) in [
            (SUBJECT, json!("s"), true),
            (SUBJECT, json!(5), false),
            (SUBJECT, json!(["s"]), false),
            (SUBJECT, json!({"a": 1}), false),
            (GROUPS, json!(["g"]), true),
            (GROUPS, json!([]), true),
            (GROUPS, json!("g"), false),
            (GROUPS, json!([1]), false),
            ("attribute.a", json!("s"), true),
            ("attribute.a", json!(["s"]), true),
            ("attribute.a", json!(true), false),
        ] {
            assert_eq!(wrong_type(attribute, &value).is_none(), fits, "{attribute} {value}");
        }
    }
}
