//! Which values may be shown in a message, a log or a report.
//!
//! A setting that takes a path, a name or a URL may be given the content instead: a key, a token, or
//! a whole file. Such a value is described and not repeated. [`looks_like`] decides about a value
//! before it becomes part of a message, and [`scrubbed`] removes what is unmistakably content from
//! every message.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The length of the longest file name that all common file systems allow, in bytes.
const LONGEST_NAME: usize = 255;

/// What a value is that is not a path, a name or a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// An object or an array of objects.
    Json,
    /// A key or a certificate.
    Pem,
    /// XML or HTML.
    Xml,
    /// A JSON object in base64.
    Base64Json,
    /// A JWT, or the beginning of one.
    Jwt,
    /// A URL with a user name or a password.
    Credentials,
    /// A token with a known prefix.
    Token,
    /// A text with line breaks or control characters.
    Lines,
    /// `NAME=VALUE`
    Assignment,
    /// A word that is too long for a name.
    Long,
    /// Random characters.
    Random,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Json => "JSON",
            Content::Pem => "a PEM key or certificate",
            Content::Xml => "XML",
            Content::Base64Json => "base64-encoded JSON",
            Content::Jwt => "a JWT",
            Content::Credentials => "a URL with a user name or password",
            Content::Token => "a token",
            Content::Lines => "text with line breaks or control characters",
            Content::Assignment => "an assignment, NAME=VALUE",
            Content::Long => "a token or a text",
            Content::Random => "a token or a secret",
        })
    }
}

/// How tokens and secrets of well-known issuers begin, and what they are.
pub const TOKEN_PREFIXES: &[(&str, &str)] = &[
    ("ya29.", "a Google access token"),
    ("1//0", "a Google refresh token"),
    ("AIza", "a Google API key"),
    ("GOCSPX-", "a Google OAuth client secret"),
    ("ghp_", "a GitHub token"),
    ("gho_", "a GitHub token"),
    ("ghu_", "a GitHub token"),
    ("ghs_", "a GitHub token"),
    ("ghr_", "a GitHub token"),
    ("github_pat_", "a GitHub token"),
    ("glpat-", "a GitLab access token"),
    ("glrt-", "a GitLab runner token"),
    ("glcbt-", "a GitLab job token"),
    ("gldt-", "a GitLab deploy token"),
    ("glptt-", "a GitLab trigger token"),
    ("gloas-", "a GitLab OAuth client secret"),
    ("hvs.", "a Vault token"),
    ("hvb.", "a Vault token"),
    ("hvr.", "a Vault token"),
    ("xoxb-", "a Slack token"),
    ("xoxp-", "a Slack token"),
    ("xoxa-", "a Slack token"),
    ("xoxe", "a Slack token"),
    ("xoxr-", "a Slack token"),
    ("xoxs-", "a Slack token"),
    ("xapp-1-", "a Slack token"),
    ("dop_v1_", "a DigitalOcean token"),
    ("doo_v1_", "a DigitalOcean token"),
    ("dor_v1_", "a DigitalOcean token"),
    ("sk-ant-", "an Anthropic API key"),
    ("sk-proj-", "an OpenAI API key"),
    ("sk_live_", "a Stripe API key"),
    ("rk_live_", "a Stripe API key"),
];

/// What a value looks like, if it may be content and not a path, name or URL.
pub fn looks_like(value: &str) -> Option<Content> {
    let is_path = ["/", "./", "../", "~/"].iter().any(|start| value.starts_with(start))
        || value.get(1..2) == Some(":");
    let is_secret = || match is_path {
        true => is_aws_secret_key(value),
        false => {
            let has_word = || value.split(is_mark).any(|word| is_random(word, 20));
            is_random(value, 32) || is_random_word(value) || has_word()
        }
    };
    content(value).or_else(|| is_secret().then_some(Content::Random))
}

/// What a value unmistakably is, if it is content and not a path, name or URL.
pub fn content(value: &str) -> Option<Content> {
    let text = value.trim();
    let is_assignment = || {
        text.split_once('=').is_some_and(|(name, value)| {
            let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            !name.is_empty() && !value.is_empty() && name.chars().all(is_name)
        })
    };
    Some(match text {
        _ if text.starts_with('{') || text.starts_with("[{") => Content::Json,
        _ if text.contains("-----BEGIN") => Content::Pem,
        _ if text.starts_with('<') => Content::Xml,
        _ if is_base64_json(text) => Content::Base64Json,
        _ if jwt(text).is_some() => Content::Jwt,
        _ if credentials(text).is_some() => Content::Credentials,
        _ if TOKEN_PREFIXES.iter().any(|(prefix, _)| text.starts_with(prefix)) => Content::Token,
        _ if value.chars().any(char::is_control) => Content::Lines,
        _ if is_assignment() => Content::Assignment,
        _ if text.split(['/', '\\']).any(|name| name.len() > LONGEST_NAME) => Content::Long,
        _ => return None,
    })
}

/// Whether a text is a JSON object in base64, possibly on several lines.
pub fn is_base64_json(text: &str) -> bool {
    let start: String = text.chars().filter(|c| !c.is_whitespace()).take(64).collect();
    let start = start.get(..start.len() / 4 * 4).unwrap_or_default();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c) || c.is_whitespace();
    // A JWT contains dots, which are not in base64.
    text.chars().all(is_base64)
        && STANDARD.decode(start).is_ok_and(|bytes| {
            // In a JSON object, a name or the closing brace follows the opening brace. Any word
            // that begins with "ey" decodes to an opening brace.
            let inside = bytes.trim_ascii_start().strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
            inside.is_some_and(|inside| inside.starts_with(b"\"") || inside.starts_with(b"}"))
        })
}

/// Whether a text is the usual name of a variable, in capitals. A random text in capitals may be a
/// secret.
pub fn is_variable(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_random =
        name.len() >= 12 && !name.contains('_') && name.contains(|c: char| c.is_ascii_digit());
    name.len() <= 64
        && name.starts_with(|c: char| !c.is_ascii_digit())
        && name.chars().all(fits)
        && !is_random
}

/// A value for a message: the value itself, or what it looks like.
pub fn value(value: &str) -> Cow<'_, str> {
    match looks_like(value) {
        Some(what) => format!("[a value that looks like {what}]").into(),
        None => value.into(),
    }
}

/// A path for a message: the path itself, or what it looks like.
pub fn path(path: &Path) -> String {
    value(&path.to_string_lossy()).into_owned()
}

/// Removes from a message what is unmistakably content: keys, JSON objects, JWTs, tokens with a
/// known prefix, and the credentials in URLs.
pub fn scrubbed(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    replace(&mut text, "[PEM]", pem);
    replace(&mut text, "[JSON]", object);
    replace(&mut text, "[token]", jwt);
    for (prefix, _) in TOKEN_PREFIXES {
        replace(&mut text, "[token]", |text| prefixed(text, prefix));
    }
    replace(&mut text, "[credentials]", credentials);
    text
}

/// Replaces everything that `find` finds. `find` returns where the first match in a text begins and
/// ends.
fn replace(text: &mut Cow<str>, replacement: &str, find: impl Fn(&str) -> Option<(usize, usize)>) {
    let (mut rest, mut result) = (text.as_ref(), String::new());
    while let Some((start, end)) = find(rest) {
        result.push_str(rest.get(..start).unwrap_or_default());
        result.push_str(replacement);
        rest = rest.get(end..).unwrap_or_default();
    }
    if rest.len() < text.len() {
        *text = Cow::Owned(result + rest);
    }
}

/// Finds keys in PEM format, up to the end of the text if the last line is missing.
fn pem(text: &str) -> Option<(usize, usize)> {
    let start = text.find("-----BEGIN")?;
    let rest = text.get(start..)?;
    let last = rest.rfind("-----END").and_then(|end| Some((end, rest.get(end + 8..)?)));
    let end = last.and_then(|(end, rest)| Some(end + 8 + rest.find("-----")? + 5));
    Some((start, start + end.unwrap_or(rest.len())))
}

/// Words in the names of JSON members that contain a secret.
const SECRET_MEMBERS: &[&str] = &[
    "secret",
    "Secret",
    "token",
    "accessToken",
    "SessionToken",
    "password",
    "private_key",
    "client_email",
    "credential",
    "AccessKey",
];

/// Finds a JSON object with secrets, including one in quotes, up to the end of the text if the
/// object is cut short.
fn object(text: &str) -> Option<(usize, usize)> {
    let opens = |(start, _): &(usize, &str)| {
        let rest = text.get(start + 1..).unwrap_or_default();
        rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\' || c == 'n')
            .starts_with('"')
    };
    let (start, _) = text.match_indices('{').find(opens)?;
    let end = text.rfind('}').filter(|&end| end > start).map_or(text.len(), |end| end + 1);
    let object = text.get(start..end)?;
    SECRET_MEMBERS.iter().any(|word| object.contains(word)).then_some((start, end))
}

/// Finds a JWT or a part of one: `eyJ` and all following characters that a JWT can contain.
fn jwt(text: &str) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.+/=".contains(c);
    text.match_indices("eyJ").find_map(|(at, _)| {
        if text.get(..at)?.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = text.get(at..)?;
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        (length > 12).then_some((at, at + length))
    })
}

/// Finds a token with this prefix. A prefix inside a word is a part of the word.
fn prefixed(text: &str, prefix: &str) -> Option<(usize, usize)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.match_indices(prefix).find_map(|(at, _)| {
        let is_inside = text.get(..at)?.ends_with(|c: char| c.is_ascii_alphanumeric());
        let start = at + prefix.len();
        let rest = text.get(start..)?;
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        (!is_inside && length > 12).then_some((at, start + length))
    })
}

/// Finds the user name and password in a URL.
fn credentials(text: &str) -> Option<(usize, usize)> {
    text.match_indices("://").find_map(|(at, _)| {
        let start = at + 3;
        let authority = text.get(start..)?.split(['/', '?', '#', ' ', '"']).next()?;
        let end = start + authority.rfind('@')?;
        let placeholders = ["[credentials]", "USER:PASSWORD"];
        (!placeholders.contains(&text.get(start..end)?)).then_some((start, end))
    })
}

/// Whether a text of at least this length consists of random characters: upper case, lower case and
/// digits.
fn is_random(text: &str, least: usize) -> bool {
    text.len() >= least
        && changes(text).is_some_and(|(changes, has_all)| has_all && changes * 20 >= text.len() * 9)
}

/// Whether a text is a hexadecimal number of at least 128 bits, or a word of letters of one case and
/// random digits.
fn is_random_word(text: &str) -> bool {
    let is_hex = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    is_hex
        || (text.len() >= 24 && has_digit && !text.contains(is_mark))
            && changes(text).is_some_and(|(changes, has_all)| !has_all && changes * 4 >= text.len())
}

/// Whether a text is a secret key of AWS: 40 random characters, the first of which can be a slash.
fn is_aws_secret_key(text: &str) -> bool {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    // A path usually begins with a directory that has no digit in its name.
    let first = text.split('/').nth(1).unwrap_or_default();
    text.len() == 40
        && text.chars().all(is_base64)
        && first.contains(|c: char| c.is_ascii_digit())
        && is_random(text, 32)
}

fn is_mark(c: char) -> bool {
    !c.is_ascii_alphanumeric()
}

/// How often upper case, lower case, digits and marks alternate in a text, and whether it has upper
/// case, lower case and digits; `None` if it has other characters. In words they alternate less often
/// than in a secret.
fn changes(text: &str) -> Option<(usize, bool)> {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => Some(0),
        b'A'..=b'Z' => Some(1),
        b'0'..=b'9' => Some(2),
        b'+' | b'/' | b'_' | b'-' | b'=' | b'~' | b'.' => Some(3),
        _ => None,
    };
    let classes = text.bytes().map(class).collect::<Option<Vec<_>>>()?;
    let changes = classes.windows(2).filter(|pair| pair.first() != pair.last()).count();
    Some((changes, (0..3).all(|class| classes.contains(&class))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl";

    #[test]
    fn content_is_described() {
        for (value, what) in [
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "a PEM key or certificate"),
            (" {\n \"type\": 1}", "JSON"),
            ("[{}]", "JSON"),
            ("<saml/>", "XML"),
            (JWT, "a JWT"),
            ("eyJ0eXBlIjoiZXh0ZXJuYWxfYWNjb3VudCJ9", "base64-encoded JSON"),
            ("ewogICJ0eXBlIjogImV4dGVybmFs\nX2FjY291bnQiCn0=", "base64-encoded JSON"),
            ("Bearer eyJhbGciOiJSUzI1NiJ9.", "a JWT"),
            ("https://user:hunter2@host/", "a URL with a user name or password"),
            ("glpat-x", "a token"),
            ("a\nb", "text with line breaks or control characters"),
            ("ID_TOKEN=x", "an assignment, NAME=VALUE"),
            (&"x".repeat(256), "a token or a text"),
            ("glrt-xYz123AbC456dEf789Gh", "a token"),
            ("xoxp-1", "a token"),
            ("q8Zk2Vt/Lm0xWb7RcY3nHs5Jd1PgE9uTfA4oKi6S", "a token or a secret"),
            ("s.kQpXz2LmN8vTyRwB4dJcE1gH", "a token or a secret"),
            ("xK8p2Lq9Zt4Wm7Rb3Vn5", "a token or a secret"),
            ("5f2d8c1e9b7a4f3d6e8c0b1a2d4f6e8c", "a token or a secret"),
            ("5F2D8C1E9B7A4F3D6E8C0B1A2D4F6E8C", "a token or a secret"),
            ("q8zk2vtlm0xwb7rcy3nhs5jd1pge9utf", "a token or a secret"),
            (".8Q~Zk2VtLm0xWb7RcY3nHs5Jd1PgE9uTfA4oKi6", "a token or a secret"),
            ("/3rXUt1nFEM4K7MDENG/bPxRf1CYzQ8mPLk5KEYa", "a token or a secret"),
        ] {
            assert_eq!(looks_like(value).unwrap().to_string(), what, "{value}");
            assert_eq!(super::value(value), format!("[a value that looks like {what}]"));
        }
    }

    #[test]
    fn paths_names_and_urls_are_shown() {
        for value in [
            "/run/secrets/token",
            "C:/Program Files/wif-token/key.pem",
            "~/.aws/sso/cache/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.json",
            "token",
            "CI_JOB_JWT_V2",
            "my-profile@prod",
            "eyecareClinicProduction2",
            "https://login.example.com:8443/a?b=c",
            "my-app-sa@my-project-123456.iam.gserviceaccount.com",
            "//iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/p",
            "arn:aws:iam::123456789012:role/MyRole",
            "MyCompany/MyProduct2/ServiceAccounts/Token1",
            "/tmp/aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z",
            "keyJack",
            "k8sprodeuwest1cluster2node",
            "risk-proj-analytics-123456",
            "linuxapp-production-svc",
            "xapp-frontend-production-1",
            "my-app-1-Prod-2-eu-west-1",
            "./9f86d081884c7d659a2feaa0c55ad015",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b.json",
            "/var/run/Secrets/tokens1/Gcp2/Ksa3/token",
            "abc123.tfstate",
            "s.profile-of-the-team-in-vienna",
            "kubernetes/my-cluster-2/ServiceAccount1",
            "111111111111111111111",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert_eq!(looks_like(value), None, "{value}");
            assert_eq!(scrubbed(value), value);
        }
    }

    #[test]
    fn messages_contain_no_content() {
        for (text, shown) in [
            (format!("cannot read {JWT}: too long"), "cannot read [token]: too long"),
            (format!("a/{JWT} and {JWT}"), "a/[token] and [token]"),
            (
                "x -----BEGIN A----- MII= -----END A----- y -----BEGIN B----- MII".to_owned(),
                "x [PEM] y [PEM]",
            ),
            ("{  \"a\": {\"token\": 1} } does not exist".to_owned(), "[JSON] does not exist"),
            ("the profile \"{\\n \\\"secret\\\": 1".to_owned(), "the profile \"[JSON]"),
            ("http://u:p@h/ and http://h".to_owned(), "http://[credentials]@h/ and http://h"),
            ("http://USER:PASSWORD@HOST stays".to_owned(), "http://USER:PASSWORD@HOST stays"),
            ("glpat-0123456789abcdef is bad".to_owned(), "[token] is bad"),
            ("not glpat- but glpat-0123456789abcdef".to_owned(), "not glpat- but [token]"),
            ("{\"sub\":\"my-app\"} stays".to_owned(), "{\"sub\":\"my-app\"} stays"),
            ("${name} {} {aud} stays".to_owned(), "${name} {} {aud} stays"),
        ] {
            assert_eq!(scrubbed(&text), shown);
        }
        for (prefix, _) in TOKEN_PREFIXES {
            assert_eq!(scrubbed(&format!("the text {prefix}0123456789abc ")), "the text [token] ");
        }
    }
}
