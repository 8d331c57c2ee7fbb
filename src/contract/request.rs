//! The request of a client: the `GOOGLE_EXTERNAL_ACCOUNT_*` variables, and the options that
//! override them.
//!
//! The variables about the token have options too, because the Rust client sets no variables.

use std::path::PathBuf;

use ring::digest::{Context as Digest, SHA256};

use crate::error::{Error, Kind};
use crate::files;
use crate::hex::hex;
use crate::options::Options;
use crate::token::{Audience, TokenType};
use crate::world::Env;

/// The setting of a client that names the output file, for messages.
const OUTPUT_FILE: &str =
    "executable.output_file of the configuration (GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE)";

/// The variables that are read, without `GOOGLE_EXTERNAL_ACCOUNT_`, with their meanings for the
/// manual.
pub const VARIABLES: &[(&str, &str)] = &[
    ("AUDIENCE", "audience of the token; --audience overrides it"),
    ("TOKEN_TYPE", "subject token type; --token-type overrides it"),
    ("OUTPUT_FILE", "file that caches the document; --output-file overrides it"),
    (
        "INTERACTIVE",
        "if 1, a user can sign in, and the document is only written to the output file",
    ),
    ("REVOKE", "if 1, remove the cached token and the refresh token instead of getting a token"),
];

/// A file that caches the token, and the setting that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The option or variable that names the file, for messages.
    pub place: &'static str,
}

/// A request for a subject token, from a client or a command line.
#[derive(Debug, Clone)]
pub struct SubjectTokenRequest {
    audience: Option<Audience>,
    audience_is_option: bool,
    /// The expected type, from the configuration's `subject_token_type`.
    pub token_type: TokenType,
    /// The file that caches the token.
    pub output_file: Option<OutputFile>,
    /// Whether a user can sign in. The document is then only written to the output file.
    pub interactive: bool,
    /// Whether to remove the cached token instead of getting one.
    pub revoke: bool,
}

impl SubjectTokenRequest {
    /// Reads options and variables. An option overrides its variable.
    ///
    /// # Errors
    /// `CONFIGURATION` if a variable is not UTF-8, or the token type is unknown.
    pub fn new(options: &Options, env: &Env) -> Result<SubjectTokenRequest, Error> {
        let variable = |name: &str| {
            debug_assert!(VARIABLES.iter().any(|row| row.0 == name), "{name} is not in the table");
            env.text(&format!("GOOGLE_EXTERNAL_ACCOUNT_{name}"))
        };
        let flag = |name| variable(name).map(|value| value.as_deref() == Some("1"));
        let token_type = match (&options.token_type, variable("TOKEN_TYPE")?) {
            (Some(name), _) => token_type(name, "--token-type")?,
            (None, Some(name)) => token_type(&name, "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE")?,
            (None, None) => TokenType::Jwt,
        };
        let given = options.output_file.clone().map(|path| (path, "--output-file"));
        let output_file = match (given, variable("OUTPUT_FILE")?) {
            (None, Some(path)) => {
                if let Some(error) = files::not_a_path(path.as_ref(), OUTPUT_FILE) {
                    return Err(error);
                }
                Some((path.into(), OUTPUT_FILE))
            }
            (given, _) => given,
        };
        let audience = options.audience.clone();
        Ok(SubjectTokenRequest {
            audience_is_option: audience.is_some(),
            audience: audience.or(variable("AUDIENCE")?).map(Audience::new),
            token_type,
            output_file: output_file.map(|(path, place)| OutputFile { path, place }),
            interactive: flag("INTERACTIVE")?,
            revoke: flag("REVOKE")?,
        })
    }

    /// The audience, for a source that requires one. It is usually the full resource name of the
    /// pool provider, `//iam.googleapis.com/projects/…`.
    ///
    /// # Errors
    /// `USAGE` if no audience is set.
    pub fn audience(&self) -> Result<&Audience, Error> {
        self.audience.as_ref().ok_or_else(|| {
            Error::new(Kind::Usage, "no audience is set")
                .fix("add --audience=NAME or set GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE")
        })
    }

    /// The audience in the form that a pool provider accepts by default: `https:` is added to the
    /// `//iam.googleapis.com/…` of a variable. The value of the option is used unchanged.
    ///
    /// # Errors
    /// The errors of [`SubjectTokenRequest::audience`].
    pub fn audience_for_pool_provider(&self) -> Result<String, Error> {
        let audience = self.audience()?;
        Ok(match self.audience_is_option {
            true => audience.as_str().to_owned(),
            false => audience.with_scheme(),
        })
    }

    /// A digest that identifies the request by audience, token type, source and options of the
    /// source. It is a hexadecimal SHA-256.
    pub fn digest(&self, source: &str, identity: &[Vec<u8>]) -> String {
        let audience = self.audience.as_ref().map_or("", Audience::as_str);
        let fixed = [audience, self.token_type.urn(), source];
        digest(fixed.iter().map(|part| part.as_bytes()).chain(identity.iter().map(Vec::as_slice)))
    }
}

/// A digest that differs if any of the parts differs: a hexadecimal SHA-256.
pub fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::new(&SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    hex(digest.finish().as_ref())
}

fn token_type(name: &str, place: &str) -> Result<TokenType, Error> {
    TokenType::parse(name).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{place} is not a known token type"))
            .fix(TokenType::fix_for_unknown())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        let name = |name| format!("GOOGLE_EXTERNAL_ACCOUNT_{name}");
        Env::Map(variables.iter().map(|(k, v)| (name(*k), (*v).into())).collect())
    }

    const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";

    #[test]
    fn every_variable_of_the_table_is_read() {
        let shown = |variables: &[(&str, &str)]| {
            format!("{:?}", SubjectTokenRequest::new(&Options::default(), &env(variables)))
        };
        for (name, _) in VARIABLES {
            let value = if *name == "TOKEN_TYPE" { SAML2 } else { "1" };
            assert_ne!(shown(&[(name, value)]), shown(&[]), "{name}");
        }
    }

    #[test]
    fn an_option_overrides_its_variable() {
        let env = env(&[("AUDIENCE", "//a"), ("TOKEN_TYPE", "nonsense"), ("OUTPUT_FILE", "/a")]);
        let options = Options {
            audience: Some("//b".to_owned()),
            token_type: Some(SAML2.to_owned()),
            output_file: Some("/b".into()),
            ..Options::default()
        };
        let request = SubjectTokenRequest::new(&options, &env).unwrap();
        assert_eq!(request.audience().unwrap().as_str(), "//b");
        assert_eq!(request.token_type, TokenType::Saml2);
        assert_eq!(request.output_file.unwrap().place, "--output-file");
    }

    #[test]
    fn variables_are_used_without_options() {
        let env = env(&[("AUDIENCE", "//a"), ("TOKEN_TYPE", SAML2), ("OUTPUT_FILE", "/a")]);
        let request = SubjectTokenRequest::new(&Options::default(), &env).unwrap();
        assert_eq!(request.audience().unwrap().as_str(), "//a");
        assert_eq!(request.token_type, TokenType::Saml2);
        assert_eq!(request.output_file, Some(OutputFile { path: "/a".into(), place: OUTPUT_FILE }));
        assert!(!request.interactive && !request.revoke);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let env =
            env(&[("AUDIENCE", ""), ("TOKEN_TYPE", ""), ("INTERACTIVE", "0"), ("REVOKE", "1")]);
        let request = SubjectTokenRequest::new(&Options::default(), &env).unwrap();
        assert_eq!(request.audience().unwrap_err().kind(), Kind::Usage);
        assert_eq!(request.token_type, TokenType::Jwt);
        assert!(!request.interactive && request.revoke);
    }

    #[test]
    fn every_part_of_a_request_changes_its_digest() {
        let request =
            SubjectTokenRequest::new(&Options::default(), &env(&[("AUDIENCE", "//a")])).unwrap();
        let other =
            SubjectTokenRequest::new(&Options::default(), &env(&[("AUDIENCE", "//b")])).unwrap();
        let saml = SubjectTokenRequest::new(
            &Options::default(),
            &env(&[("AUDIENCE", "//a"), ("TOKEN_TYPE", SAML2)]),
        );
        let parts =
            |parts: &[&str]| parts.iter().map(|p| p.as_bytes().to_vec()).collect::<Vec<_>>();
        let digests = [
            request.digest("file", &parts(&["ab"])),
            request.digest("file", &parts(&["a", "b"])),
            request.digest("env", &parts(&["ab"])),
            other.digest("file", &parts(&["ab"])),
            saml.unwrap().digest("file", &parts(&["ab"])),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert_eq!(digest.len(), 64);
            assert!(!digests[..index].contains(digest), "{index}");
        }
        assert_eq!(digests[0], request.digest("file", &parts(&["ab"])));
    }
}
