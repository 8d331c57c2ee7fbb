//! Fuzz targets: each reads bytes as one parser of the program does, and checks what must hold for
//! every input. `tests/fuzz` runs them; they are not part of the program.

mod answers;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::cache::Cached;
use crate::cli;
use crate::client::executable;
use crate::command::check::fuzzing as check;
use crate::configuration::certificate_config::CertificateConfig;
use crate::configuration::credential_file::CredentialFile;
use crate::configuration::duplicates;
use crate::configuration::pool_provider::PoolProvider;
use crate::contract::document::Document;
use crate::contract::{existing, judgement};
use crate::error::Kind;
use crate::files::ownership::Existing;
use crate::google::access_token::AccessToken;
use crate::helper::fuzzing as helper;
use crate::http::{ClientCert, Url};
use crate::options::Pkcs11Uri;
use crate::redaction;
use crate::secret::Secret;
use crate::shell;
use crate::show;
use crate::source::command_line;
use crate::source::fuzzing::{self as source, adfs, aws, kubernetes};
use crate::token::{Origin, SubjectToken, TokenType, jwks, jwt, saml};
use crate::x509;

/// Reads an input. Returns the messages of errors, which must not contain any part of the input.
type Entry = fn(&[u8]) -> Vec<String>;

/// The fuzz targets with their names.
const ENTRIES: &[(&str, Entry)] = &[
    ("jwt", jwt),
    ("saml", saml),
    ("jwks", jwks),
    ("aws_profile", |input| {
        aws::profile_files(&text(input));
        Vec::new()
    }),
    ("aws_process", |input| aws::credential_process(&text(input)).into_iter().collect()),
    ("aws_sso", |input| {
        aws::sso_cache(&text(input));
        Vec::new()
    }),
    ("kubeconfig", |input| kubernetes::kubeconfig(&text(input)).into_iter().collect()),
    ("exec_credential", |input| kubernetes::exec_credential(&text(input)).into_iter().collect()),
    ("exec_info", |input| helper::exec_info(&text(input)).into_iter().collect()),
    ("bazel_request", |input| helper::bazel_request(&text(input)).into_iter().collect()),
    ("git_request", |input| helper::git_request(&text(input)).into_iter().collect()),
    ("cargo_request", |input| helper::cargo_request(&text(input)).into_iter().collect()),
    ("html_form", |input| {
        adfs::form(&text(input));
        Vec::new()
    }),
    ("soap", |input| {
        adfs::soap(&text(input));
        Vec::new()
    }),
    ("output_file", output_file),
    ("configuration", configuration),
    ("certificate_config", certificate_config),
    ("certificate", certificate),
    ("arguments", arguments),
    ("command_line", words),
    ("url", url),
    ("pkcs11_uri", |input| Pkcs11Uri::parse(&text(input)).err().into_iter().collect()),
    ("field", |input| source::field(&text(input)).into_iter().collect()),
    ("mapping", |input| {
        check::attribute_mapping(&text(input));
        Vec::new()
    }),
    ("answers", |input| {
        answers::run(input);
        Vec::new()
    }),
    ("message", message),
];

/// The names of the fuzz targets.
pub fn names() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().map(|(name, _)| *name)
}

/// Runs the fuzz target with this name. Returns whether it exists.
///
/// # Panics
/// If a condition that must hold for every input does not hold.
pub fn run(name: &str, input: &[u8]) -> bool {
    let Some((_, entry)) = ENTRIES.iter().find(|(found, _)| *found == name) else { return false };
    for message in entry(input) {
        assert!(!message.contains("hunter2"), "a message contains a part of the input: {message}");
        assert!(!message.chars().any(char::is_control), "a message has several lines: {message:?}");
    }
    true
}

fn text(input: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(input)
}

fn origin() -> Origin {
    Origin::new("the input".to_owned(), "--path", "get a new token")
}

/// Reads any kind of token except SAML. An accepted token is passed on unchanged.
fn jwt(input: &[u8]) -> Vec<String> {
    let text = text(input);
    let mut messages = Vec::new();
    for token_type in [TokenType::Jwt, TokenType::AwsRequest] {
        match SubjectToken::read(&Secret::new(text.as_ref()), token_type, 0, &origin()) {
            Ok(token) => assert_eq!(token.text.expose(), text.trim()),
            Err(error) => messages.push(error.to_string()),
        }
    }
    if let Ok(token) = jwt::read(&text, &origin()) {
        assert!(jwt::is_signed(&text));
        assert_eq!(jwt::expiry(&text), token.expiry);
    }
    messages
}

/// Reads SAML. An accepted token is base64 of XML, and reading it again gives the same expiry.
fn saml(input: &[u8]) -> Vec<String> {
    let text = text(input);
    match saml::read(&text, &origin()) {
        Ok(token) => {
            let again = saml::read(token.text.expose(), &origin());
            assert_eq!(again.map(|again| again.expiry).ok(), Some(token.expiry));
            assert_eq!(saml::expiry(token.text.expose()), token.expiry);
            Vec::new()
        }
        // The error contains codes of the server, which may be any text.
        Err(error) if error.kind() == Kind::Denied => Vec::new(),
        Err(error) => vec![error.to_string()],
    }
}

/// Verifies the JWT in the first line with the key set in the other lines.
fn jwks(input: &[u8]) -> Vec<String> {
    let text = text(input);
    let (token, keys) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(keys) = serde_json::from_str(keys) {
        let _ = jwks::verify(token, &keys);
    }
    Vec::new()
}

/// Reads a cached file. A document that is read and written again stays the same, and can be
/// replaced.
fn output_file(input: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    match Document::from_file(input, "request") {
        Ok(document) => {
            let written = document.to_file("request");
            let read = Document::from_file(written.expose().as_bytes(), "request");
            assert_eq!(
                read.map(|read| read.to_file("request").expose().to_owned()).as_deref(),
                Ok(written.expose())
            );
            assert!(existing::is_document(written.expose().as_bytes()));
            assert!(document.valid_until() >= 0 || document.expiration_time < 0);
        }
        Err(why) => messages.push(why.to_owned()),
    }
    if let Ok(token) = AccessToken::from_file(input, "request") {
        let written = token.to_file("request");
        let read = AccessToken::from_file(written.expose().as_bytes(), "request");
        assert_eq!(
            read.map(|read| read.to_file("request").expose().to_owned()).as_deref(),
            Ok(written.expose())
        );
    }
    let file = Existing { content: input, whole: input, is_private: true };
    existing::is_document_file(&file, None);
    existing::is_token_file(&file, None);
    existing::is_token_file(&file, Some("a.b.c"));
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        judgement::of_success(&value, TokenType::Jwt, judgement::Place::File);
    }
    messages
}

/// Reads a certificate configuration.
fn certificate_config(input: &[u8]) -> Vec<String> {
    let text = Secret::new(text(input).as_ref());
    let config = CertificateConfig::parse(text, Path::new("/certificate_config.json"));
    config.err().iter().map(ToString::to_string).collect()
}

/// Reads a certificate with its chain and its key, all in PEM, or a certificate in DER.
fn certificate(input: &[u8]) -> Vec<String> {
    let text = Secret::new(text(input).as_ref());
    let found = x509::certificates(&text).unwrap_or_else(|| vec![input.to_vec().into()]);
    let Some((leaf, chain)) = found.split_first() else { return Vec::new() };
    let is_valid = x509::check(leaf, 0).is_ok();
    assert!(is_valid || x509::check_chain(leaf, chain, 0).is_err());
    assert!(!is_valid || x509::expiry(leaf).is_none_or(|end| end >= 0));
    assert_eq!(
        x509::common_name(leaf).is_some(),
        x509::claims(leaf).pointer("/subject/dn/cn").is_some_and(Value::is_string)
    );
    let failure = ClientCert::new(&text, &text, "--cert", ["--key", "FILE"]).err();
    failure.iter().map(ToString::to_string).collect()
}

/// Reads a credential configuration and the pool provider in its audience.
fn configuration(input: &[u8]) -> Vec<String> {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return Vec::new() };
    duplicates::first(&text(input));
    match CredentialFile::parse(&value, Path::new("/credentials.json"), None, String::new()) {
        Ok(CredentialFile::ExternalAccount(config)) => {
            if let Ok(provider) = PoolProvider::parse(&config.audience) {
                assert_eq!(provider.name(), config.audience);
            }
            if let Some(impersonation) = config.impersonation {
                let same = impersonation.beside(&impersonation.account);
                assert_eq!(same.map(|same| same.url), Some(impersonation.url));
            }
            Vec::new()
        }
        Ok(_) => Vec::new(),
        Err(error) => vec![error.to_string()],
    }
}

/// Reads an arguments file. It means the same as its lines on the command line, except that quotes
/// are refused and a byte order mark at the beginning is ignored.
fn arguments(input: &[u8]) -> Vec<String> {
    let text = text(input);
    let lines = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().map(str::trim);
    let words: Vec<OsString> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(OsString::from)
        .collect();
    let of_words = cli::parse(words).command.err().map(|error| error.to_string());
    let Ok(mut file) = tempfile::NamedTempFile::new() else { return Vec::new() };
    if file.write_all(text.as_bytes()).is_ok()
        && !text.contains("args-file")
        && !text.contains(['"', '\''])
    {
        let mut option = OsString::from("--args-file=");
        option.push(file.path());
        let of_file = cli::parse(vec![option]).command.err().map(|error| error.to_string());
        let several = "has more than one argument";
        if !of_file.as_ref().is_some_and(|error| error.contains(several)) {
            assert_eq!(of_file, of_words);
        }
    }
    Vec::new()
}

/// Reads the words of a command line, one in each line. Quoted and split, they are the same. The
/// text is also split as the command of a configuration.
fn words(input: &[u8]) -> Vec<String> {
    let text = text(input);
    let words: Vec<&str> = text.split('\n').filter(|word| !word.contains('\0')).collect();
    let line = words.iter().map(|word| shell::quoted(word)).collect::<Vec<_>>().join(" ");
    assert_eq!(shlex::split(&line).unwrap_or_default(), words);
    let words = executable::words(&text);
    assert!(words.iter().map(|word| word.len()).sum::<usize>() <= text.len());
    let _ = command_line::parse(words.clone());
    cli::parse(words);
    Vec::new()
}

/// Reads a URL. Printed and parsed again, it is the same, except for the query, which is not
/// printed.
fn url(input: &[u8]) -> Vec<String> {
    let text = text(input);
    match Url::parse(&text) {
        Ok(url) => {
            assert_eq!(Url::parse(url.as_typed()).as_ref(), Ok(&url));
            let printed = url.to_string();
            assert!(!printed.contains(['?', '#']), "{printed}");
            let again = Url::parse(&printed);
            assert_eq!(again.as_ref().map(Url::to_string), Ok(printed));
            assert_eq!(again.map(|again| again.origin()), Ok(url.origin()));
            let origin = Url::parse(&url.origin());
            assert_eq!(origin.map(|origin| origin.origin()), Ok(url.origin()));
            Vec::new()
        }
        Err(why) => vec![why],
    }
}

/// Removes the secret in the first line from the text in the other lines.
fn message(input: &[u8]) -> Vec<String> {
    let text = text(input);
    let (secret, text) = text.split_once('\n').unwrap_or(("", &text));
    show::scrubbed(text);
    show::value(text);
    // A shorter secret is not removed. The mark of a removed secret must not join the text around it.
    if secret.len() >= 4 && !"[secret]".contains(secret) {
        let shown = redaction::remove(text, &[secret]).replace("[secret]", "\n");
        assert!(!shown.contains(secret), "a secret remains: {shown:?}");
    }
    Vec::new()
}
