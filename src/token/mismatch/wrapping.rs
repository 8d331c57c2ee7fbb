//! A token inside another text: quotes, a header, an assignment, whitespace, or one encoding too
//! many.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;

use super::{Explanation, placeholder, type_of};
use crate::secret::Secret;
use crate::token::{Origin, TokenType};

/// Removes one kind of wrapping from a token; `None` if the text does not have that wrapping.
type Unwrap = fn(&str) -> Option<Secret>;

/// The kinds of wrapping: how to remove one, its description, and the fix.
const WRAPPINGS: &[(Unwrap, &str, &str)] = &[
    (quotes, "it is enclosed in quotes", "remove the quotes, for example with jq -r instead of jq"),
    (
        scheme,
        "it begins with the name of an authentication scheme",
        "remove the scheme (such as Bearer) before the token",
    ),
    (
        assignment,
        "it has a name before the token, as in NAME=TOKEN",
        "remove the name before the token",
    ),
    (white_space, "it contains whitespace", "write the token on one line, without spaces"),
    (escapes, "it contains \\n as two characters", "write the token without escape sequences"),
    (percent, "it is percent-encoded", "decode it once as a URL component"),
    (
        base64url,
        "it is base64url-encoded",
        "encode it in base64, with the characters + and / and with padding",
    ),
    (
        unpadded,
        "it is base64-encoded without padding",
        "append = until the length is a multiple of 4",
    ),
    (base64, "it is base64-encoded twice", "decode it once, for example with base64 -d"),
    (
        padding,
        "its parts are encoded in base64, not in base64url without padding",
        "configure the issuer to encode each part in base64url without padding (RFC 7515)",
    ),
    (armor, "it is enclosed in PEM lines", "remove the lines that begin with -----"),
    (
        element,
        "it is enclosed in angle brackets or an XML element",
        "remove the brackets or the element",
    ),
    (punctuation, "it ends with punctuation", "remove the punctuation after the token"),
];

/// The maximum number of wrappings inside the outermost one.
const DEEPEST: usize = 2;

/// The maximum length in bytes of a text that is searched for nested wrappings.
const LONGEST: usize = 16 * 1024;

pub(super) fn explain(text: &str, expected: TokenType, origin: &Origin) -> Option<Explanation> {
    let is_long = text.len() > LONGEST;
    let found = outermost(text, origin, if is_long { 0 } else { DEEPEST });
    if found.is_some() || is_long {
        return found;
    }
    let words = text.split(|c: char| c.is_whitespace() || ",;\"'".contains(c));
    match words.filter(|word| type_of(word).is_some()).count() {
        0 if text.starts_with(['"', '\'']) && expected != TokenType::AwsRequest => {
            WRAPPINGS.first().map(|(_, what, fix)| ((*what).to_owned(), (*fix).to_owned()))
        }
        0 => None,
        1 => Some((
            "it contains a token and other text".to_owned(),
            format!("remove everything except the token ({})", origin.option),
        )),
        count => Some((
            format!("it contains {count} tokens"),
            format!("remove all tokens except one ({})", origin.option),
        )),
    }
}

fn outermost(text: &str, origin: &Origin, depth: usize) -> Option<Explanation> {
    WRAPPINGS.iter().find_map(|(unwrap, what, fix)| {
        let inner = unwrap(text)?;
        let inner = inner.expose().trim();
        if inner == text {
            return None;
        }
        placeholder::explain(inner, origin).filter(|_| inner.len() > 2).or_else(|| {
            let is_token = type_of(inner).is_some()
                || depth > 0 && outermost(inner, origin, depth - 1).is_some();
            is_token.then(|| ((*what).to_owned(), (*fix).to_owned()))
        })
    })
}

/// Decodes XML in base64url. Google expects SAML in base64.
fn base64url(text: &str) -> Option<Secret> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    let xml = String::from_utf8(bytes).ok().filter(|xml| xml.trim_start().starts_with('<'));
    xml.filter(|_| STANDARD.decode(text).is_err()).map(Secret::new)
}

/// XML in base64 without padding.
fn unpadded(text: &str) -> Option<Secret> {
    let xml = String::from_utf8(STANDARD_NO_PAD.decode(text).ok()?).ok()?;
    let is_wrong = xml.trim_start().starts_with('<') && STANDARD.decode(text).is_err();
    is_wrong.then(|| Secret::new(xml))
}

fn quotes(text: &str) -> Option<Secret> {
    let pairs = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('«', '»')];
    pairs.into_iter().find_map(|(open, close)| {
        text.strip_prefix(open).map(|rest| Secret::new(rest.strip_suffix(close).unwrap_or(rest)))
    })
}

fn scheme(text: &str) -> Option<Secret> {
    let after = |text: &str, word: &str| {
        let start = text.get(..word.len())?;
        start
            .eq_ignore_ascii_case(word)
            .then(|| text.get(word.len()..).unwrap_or_default().trim().to_owned())
    };
    let value = after(text, "authorization:").unwrap_or_else(|| text.to_owned());
    ["bearer ", "token ", "jwt ", "bearer:", "bearer%20"]
        .iter()
        .find_map(|word| after(&value, word))
        .map(Secret::new)
}

/// Removes `NAME=`, with `export` or a similar word before it, and `name:` as in YAML.
fn assignment(text: &str) -> Option<Secret> {
    let words = ["export ", "set ", "declare -x ", "$env:", "- ", "--"];
    let text = words.iter().find_map(|word| text.strip_prefix(word)).unwrap_or(text);
    let (name, value) = text.split_once(['=', ':'])?;
    let name = name.trim();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let is_name = !name.is_empty() && name.len() <= 64 && name.chars().all(is_part);
    is_name.then(|| Secret::new(value.trim()))
}

fn white_space(text: &str) -> Option<Secret> {
    // Other characters belong to other text around the token.
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.+/=%".contains(c) || c.is_whitespace();
    let is_wrapped = text.contains(char::is_whitespace) && text.chars().all(is_part);
    is_wrapped.then(|| Secret::new(text.split_whitespace().collect::<String>()))
}

fn escapes(text: &str) -> Option<Secret> {
    text.contains('\\').then(|| Secret::new(text.replace("\\r", "").replace("\\n", "")))
}

fn percent(text: &str) -> Option<Secret> {
    let is_encoded = text.contains('%');
    is_encoded.then(|| percent_decode_str(text).decode_utf8().ok().map(Secret::new))?
}

fn base64(text: &str) -> Option<Secret> {
    let packed = Secret::new(text.split_ascii_whitespace().collect::<String>());
    let engines: [&GeneralPurpose; 4] = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
    let bytes = engines.iter().find_map(|engine| engine.decode(packed.expose()).ok())?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

/// Changes the parts of a compact JWT from base64 to base64url without padding.
fn padding(text: &str) -> Option<Secret> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_+/=.".contains(c);
    let is_base64 = text.contains(['=', '+', '/']) && text.chars().all(is_part);
    is_base64.then(|| Secret::new(text.replace('=', "").replace('+', "-").replace('/', "_")))
}

fn armor(text: &str) -> Option<Secret> {
    let inside = text.lines().filter(|line| !line.starts_with("-----"));
    text.starts_with("-----BEGIN ").then(|| Secret::new(inside.collect::<String>()))
}

fn element(text: &str) -> Option<Secret> {
    let rest = text.strip_prefix('<')?;
    let inside = rest.split_once('>').map(|(_, rest)| rest.split('<').next().unwrap_or_default());
    let inside = inside.filter(|inside| !inside.trim().is_empty());
    Some(Secret::new(inside.or_else(|| rest.strip_suffix('>'))?))
}

fn punctuation(text: &str) -> Option<Secret> {
    let rest = text.trim_end_matches([',', ';', '.', '"', '\'']);
    (rest != text).then(|| Secret::new(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::test_origin;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";
    const SAML: &str = r#"<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol"/>"#;

    #[test]
    fn wrappings_of_a_token_are_described() {
        let (head, tail) = JWT.split_at(30);
        let quoted = format!("\"{JWT}\"");
        let twice = STANDARD.encode(STANDARD.encode(SAML));
        for (text, words) in [
            (quoted.clone(), "in quotes"),
            (format!("“{JWT}”"), "in quotes"),
            ("\"a.b.c\"".to_owned(), "in quotes"),
            (format!("Bearer {JWT}"), "authentication scheme"),
            (format!("Authorization: bearer {JWT}"), "authentication scheme"),
            (format!("ID_TOKEN={JWT}"), "a name before the token"),
            (format!("export ID_TOKEN={quoted}"), "a name before the token"),
            (format!("$env:ID_TOKEN = '{JWT}'"), "a name before the token"),
            (format!("token: {JWT}"), "a name before the token"),
            ("ID_TOKEN=$CI_TOKEN".to_owned(), "a reference to a variable"),
            ("Bearer ${TOKEN}".to_owned(), "a reference to a variable"),
            (format!("{head}\n{tail}"), "whitespace"),
            (format!("{JWT}\\n"), "\\n as two characters"),
            (JWT.replace('.', "%2E"), "percent-encoded"),
            (STANDARD.encode(JWT), "base64-encoded twice"),
            (twice, "base64-encoded twice"),
            (URL_SAFE_NO_PAD.encode(format!("{SAML} ")), "base64url-encoded"),
            (STANDARD_NO_PAD.encode(format!("<!-- ??> -->{SAML} ")), "without padding"),
            (JWT.replacen("fQ", "fQ==", 1).replace("J9.", "J9=."), "base64url"),
            (format!("-----BEGIN TOKEN-----\n{head}\n{tail}\n-----END TOKEN-----"), "PEM lines"),
            (format!("<token>{JWT}</token>"), "an XML element"),
            (format!("<{JWT}>"), "angle brackets"),
            (format!("{JWT},"), "punctuation"),
            (format!("Your token is {JWT} until noon"), "a token and other text"),
            (format!("Enter password: {JWT}"), "a token and other text"),
            (format!("{JWT}\n{JWT}"), "2 tokens"),
        ] {
            let (what, _) = explain(&text, TokenType::Jwt, &test_origin()).unwrap_or_default();
            assert!(what.contains(words), "{text}: {what}");
        }
        for text in ["opaque", "a.b.c", "a=b", "<html>", "Zm9v", "-----BEGIN X-----\nMIIE"] {
            assert_eq!(explain(text, TokenType::Jwt, &test_origin()), None, "{text}");
        }
    }
}
