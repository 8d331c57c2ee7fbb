//! An attribute mapping: a list of `ATTRIBUTE=EXPRESSION` pairs.
//!
//! The expressions are in CEL. Only paths are evaluated here: `assertion.sub`,
//! `assertion['https://…']['a']`, `assertion.attributes['g'][0]`.
//! <https://cloud.google.com/iam/docs/workload-identity-federation#mapping>

use serde_json::Value;

/// Keeps track of the brackets and quotation marks of CEL.
#[derive(Default)]
pub(super) struct Nesting {
    depth: i32,
    quote: Option<char>,
}

impl Nesting {
    /// Reads the next character.
    pub(super) fn read(&mut self, c: char) {
        match (self.quote, c) {
            (Some(open), _) if open == c => self.quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => self.quote = Some(c),
            (None, '(' | '[' | '{') => self.depth += 1,
            (None, ')' | ']' | '}') => self.depth -= 1,
            _ => {}
        }
    }

    /// Whether all brackets and quotation marks are closed.
    pub(super) fn is_closed(&self) -> bool {
        self.depth == 0 && self.quote.is_none()
    }
}

/// Splits a mapping into its pairs. A comma inside brackets or quotes is part of an expression.
pub(super) fn pairs(mapping: &str) -> Vec<(&str, &str)> {
    let (mut nesting, mut begin) = (Nesting::default(), 0);
    let mut parts = Vec::new();
    for (at, c) in mapping.char_indices() {
        if c == ',' && nesting.is_closed() {
            parts.push(mapping.get(begin..at).unwrap_or_default());
            begin = at + 1;
        }
        nesting.read(c);
    }
    parts.push(mapping.get(begin..).unwrap_or_default());
    parts.into_iter().map(|part| part.trim().split_once('=').unwrap_or(("", part))).collect()
}

/// The result of an expression.
#[derive(Debug, PartialEq)]
pub(super) enum Evaluated<'a> {
    Value(&'a Value),
    /// The token has no such claim.
    Missing,
    /// The expression is not a path.
    NotAPath,
}

/// Finds the claim that an expression selects.
pub(super) fn evaluate<'a>(expression: &str, claims: &'a Value) -> Evaluated<'a> {
    let Some(mut rest) = expression.trim().strip_prefix("assertion") else {
        return Evaluated::NotAPath;
    };
    let mut value = Some(claims);
    while !rest.is_empty() {
        let Some((step, after)) = step(rest) else { return Evaluated::NotAPath };
        value = value.and_then(|value| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        });
        rest = after;
    }
    value.map_or(Evaluated::Missing, Evaluated::Value)
}

enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

fn step(rest: &str) -> Option<(Step<'_>, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        return (!name.is_empty() && !after.starts_with('(')).then_some((Step::Name(name), after));
    }
    let rest = rest.strip_prefix('[')?;
    match rest.chars().next()? {
        quote @ ('\'' | '"') => {
            let (name, after) = rest.get(1..)?.split_once(quote)?;
            Some((Step::Name(name), after.strip_prefix(']')?))
        }
        _ => {
            let (index, after) = rest.split_once(']')?;
            Some((Step::Index(index.parse().ok()?), after))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_select_claims() {
        let claims = json!({
            "sub": "s",
            "https://sts.amazonaws.com/": { "aws_account": "1" },
            "attributes": { "groups": ["a", "b"] },
        });
        for (expression, value) in [
            ("assertion.sub", Some("s")),
            ("assertion['sub']", Some("s")),
            ("assertion['https://sts.amazonaws.com/']['aws_account']", Some("1")),
            ("assertion['https://sts.amazonaws.com/'].aws_account", Some("1")),
            ("assertion.attributes['groups'][1]", Some("b")),
            ("assertion.attributes.groups[0]", Some("a")),
            ("assertion.nothing", None),
            ("assertion.sub.more", None),
        ] {
            let expected = value.map(Value::from);
            let expected = expected.as_ref().map_or(Evaluated::Missing, Evaluated::Value);
            assert_eq!(evaluate(expression, &claims), expected, "{expression}");
        }
        for expression in
            ["assertion.sub.extract('{a}')", "'x' + assertion.sub", "assertion.sub + 'x'", "x"]
        {
            assert_eq!(evaluate(expression, &claims), Evaluated::NotAPath, "{expression}");
        }
    }

    #[test]
    fn a_mapping_is_split_only_at_commas_between_pairs() {
        assert_eq!(
            pairs("google.subject=assertion.sub,attribute.x=a['b,c'].d(1,2), google.groups=g"),
            [
                ("google.subject", "assertion.sub"),
                ("attribute.x", "a['b,c'].d(1,2)"),
                ("google.groups", "g")
            ]
        );
        assert_eq!(pairs("nonsense"), [("", "nonsense")]);
    }
}
