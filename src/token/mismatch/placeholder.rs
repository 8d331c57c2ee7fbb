//! Text in place of a token: an unexpanded variable or template expression, and the words that programs
//! print if there is no token.

use super::Explanation;
use crate::token::Origin;

/// The longest placeholder, in bytes.
const LONGEST: usize = 200;

/// The words that programs print instead of a value that does not exist.
const NOTHING: &[&str] = &["null", "none", "nil", "undefined", "nan", "true", "false", "{}", "[]"];

/// Words in the placeholders of documentation.
const WORDS: &[&str] = &["token", "jwt", "assertion", "saml", "your", "changeme", "placeholder"];

/// The fix for text that a shell, a template or a CI system should have expanded.
const UNEXPANDED: &str = "write the token itself, because no shell or template expands the text";

pub(super) fn explain(text: &str, origin: &Origin) -> Option<Explanation> {
    if text.len() > LONGEST {
        return None;
    }
    if NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        let what = format!("it is the word {}", text.to_ascii_lowercase());
        let fix = format!(
            "check {}, because usually the program that wrote the word did not find a token",
            origin.option
        );
        return Some((what, fix));
    }
    if !text.is_empty() && text.chars().all(|c| "*xX•".contains(c)) || is_masked(text) {
        let what = "it is a masked value".to_owned();
        let fix = format!(
            "copy the token from its source, because logs and consoles show masked values (check {})",
            origin.option
        );
        return Some((what, fix));
    }
    let (what, fix) = match text {
        _ if text.starts_with("${{") => ("it is an expression ${{ … }} of a CI system", UNEXPANDED),
        _ if text.starts_with("{{") => ("it is an expression {{ … }} of a template", UNEXPANDED),
        _ if text.starts_with("$(") => ("it is a command substitution, $(…)", UNEXPANDED),
        _ if text.starts_with('`') && text.contains(' ') => {
            ("it is a command substitution, `…`", UNEXPANDED)
        }
        _ if is_variable(text) => {
            ("it is a reference to a variable, such as $NAME or %NAME%", UNEXPANDED)
        }
        _ if text.starts_with('@') => (
            "it is a file name after an at sign (@FILE)",
            "replace the file name with the content of the file",
        ),
        _ if is_example(text) => ("it is a placeholder", "replace the placeholder with the token"),
        _ => return None,
    };
    Some((what.to_owned(), format!("{fix} (check {})", origin.option)))
}

fn is_masked(text: &str) -> bool {
    let word = text.trim_matches(['[', ']', '<', '>', '*']);
    ["masked", "redacted", "hidden", "secret"].iter().any(|mask| word.eq_ignore_ascii_case(mask))
}

/// Whether the whole text is a variable: `$NAME`, `${NAME}`, `$env:NAME`, `%NAME%` or `!NAME!`.
fn is_variable(text: &str) -> bool {
    let dollar = text.strip_prefix('$').map(|rest| {
        let inner = rest.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let rest = inner.unwrap_or(rest);
        rest.strip_prefix("env:").or_else(|| rest.strip_prefix("env.")).unwrap_or(rest)
    });
    let between = |mark| text.strip_prefix(mark).and_then(|rest: &str| rest.strip_suffix(mark));
    let name = dollar.or_else(|| between('%')).or_else(|| between('!'));
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(is_part))
}

/// Whether a text is a placeholder of a manual, such as `<token>`, `[TOKEN]` or `YOUR_TOKEN`.
fn is_example(text: &str) -> bool {
    let bracketed = |open, close| text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    let inner = bracketed('<', '>').or_else(|| bracketed('[', ']')).or_else(|| bracketed('{', '}'));
    let is_capital = |c: char| c.is_ascii_uppercase() || "_-".contains(c);
    let name = inner.or_else(|| text.chars().all(is_capital).then_some(text));
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_- ".contains(c);
    name.filter(|name| name.chars().all(is_part)).is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        WORDS.iter().any(|word| name.contains(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_origin;

    #[test]
    fn placeholders_and_masked_values_are_recognized() {
        for (text, words) in [
            ("$ID_TOKEN", "a reference to a variable"),
            ("${ID_TOKEN}", "a reference to a variable"),
            ("$env:ID_TOKEN", "a reference to a variable"),
            ("%ID_TOKEN%", "a reference to a variable"),
            ("!ID_TOKEN!", "a reference to a variable"),
            ("${{ secrets.ID_TOKEN }}", "${{ … }}"),
            ("{{ .Values.token }}", "{{ … }}"),
            ("$(cat /run/token)", "$(…)"),
            ("`cat /run/token`", "`…`"),
            ("@/run/token", "at sign"),
            ("<token>", "a placeholder"),
            ("<your ID token>", "a placeholder"),
            ("[TOKEN]", "a placeholder"),
            ("YOUR_TOKEN", "a placeholder"),
            ("null", "the word null"),
            ("None", "the word none"),
            ("***", "a masked value"),
            ("[MASKED]", "a masked value"),
        ] {
            let (what, _) = explain(text, &test_origin()).unwrap_or_default();
            assert!(what.contains(words), "{text}: {what}");
        }
        for text in ["", "opaque", "<html>", "a.b.c", "OPAQUE", "%7B%7D", "$2y$10$abc"] {
            assert_eq!(explain(text, &test_origin()), None, "{text}");
        }
    }
}
