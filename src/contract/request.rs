//! What is asked for: the `GOOGLE_EXTERNAL_ACCOUNT_*` variables and the options that beat them.
//!
//! Every variable has an option, because not every client sets them: Rust's sets none.

use std::path::PathBuf;

use ring::digest::{Context as Digest, SHA256};

use crate::error::{Error, Kind};
use crate::options::Options;
use crate::token::{Audience, TokenType};
use crate::world::Env;

/// What names the output file of a client, for messages.
const OUTPUT_FILE: &str =
    "executable.output_file of the configuration (GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE)";

/// The variables that are read, without their `GOOGLE_EXTERNAL_ACCOUNT_`, for the manual.
pub const VARIABLES: &[(&str, &str)] = &[
    ("AUDIENCE", "the audience, where there is no --audience"),
    ("TOKEN_TYPE", "the subject token type, where there is no --token-type"),
    ("OUTPUT_FILE", "where the answer is kept, where there is no --output-file"),
    (
        "INTERACTIVE",
        "1: a person waits at a terminal, so that the answer goes to the output file only",
    ),
    ("REVOKE", "1: forget what is kept instead of getting a token"),
];

/// A file to cache the answer in, and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFile {
    /// Where it is.
    pub path: PathBuf,
    /// The option or variable that named it, for messages.
    pub place: &'static str,
}

/// What a client or a command line asks for.
#[derive(Debug, Clone)]
pub struct SubjectTokenRequest {
    audience: Option<Audience>,
    audience_is_option: bool,
    /// The expected type, from the configuration's `subject_token_type`.
    pub token_type: TokenType,
    /// Where the answer is kept.
    pub output_file: Option<OutputFile>,
    /// A person at a terminal waits; the answer goes to the output file only.
    pub interactive: bool,
    /// Forget what is kept instead of fetching.
    pub revoke: bool,
}

impl SubjectTokenRequest {
    /// Reads options and variables; an option beats its variable.
    ///
    /// # Errors
    /// `CONFIGURATION` where a variable is not text or names an unknown token type.
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
            (None, Some(path)) => Some((path.into(), OUTPUT_FILE)),
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

    /// The audience, for a source that cannot do without one: usually the full resource name of
    /// the workload identity pool provider, `//iam.googleapis.com/projects/…`.
    ///
    /// # Errors
    /// `USAGE` where none was given.
    pub fn audience(&self) -> Result<&Audience, Error> {
        self.audience.as_ref().ok_or_else(|| {
            Error::new(Kind::Usage, "there is no audience")
                .fix("add --audience=… or set GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE")
        })
    }

    /// The audience in the form that the pool provider shows as its default: a variable that holds
    /// `//iam.googleapis.com/…` gets its `https:`. An option counts letter by letter.
    ///
    /// # Errors
    /// As [`SubjectTokenRequest::audience`].
    pub fn audience_for_pool_provider(&self) -> Result<String, Error> {
        let audience = self.audience()?;
        Ok(match self.audience_is_option {
            true => audience.as_str().to_owned(),
            false => audience.with_scheme(),
        })
    }

    /// A digest of what makes this request another than the next: audience, token type, the source
    /// and its options. Hexadecimal SHA-256.
    pub fn digest(&self, source: &str, identity: &[Vec<u8>]) -> String {
        let audience = self.audience.as_ref().map_or("", Audience::as_str);
        let fixed = [audience, self.token_type.urn(), source];
        digest(fixed.iter().map(|part| part.as_bytes()).chain(identity.iter().map(Vec::as_slice)))
    }
}

/// A digest that differs where any of the parts does: hexadecimal SHA-256.
pub fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::new(&SHA256);
    for part in parts {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn token_type(name: &str, place: &str) -> Result<TokenType, Error> {
    TokenType::parse(name).ok_or_else(|| {
        let known: Vec<&str> = TokenType::ALL.iter().map(|row| row.1).collect();
        Error::new(Kind::Configuration, format!("{place} names an unknown token type"))
            .fix(format!("use one of {}", known.join(", ")))
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
    fn every_variable_of_the_table_counts() {
        let shown = |variables: &[(&str, &str)]| {
            format!("{:?}", SubjectTokenRequest::new(&Options::default(), &env(variables)))
        };
        for (name, _) in VARIABLES {
            let value = if *name == "TOKEN_TYPE" { SAML2 } else { "1" };
            assert_ne!(shown(&[(name, value)]), shown(&[]), "{name}");
        }
    }

    #[test]
    fn an_option_beats_its_variable() {
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
    fn variables_count_where_there_is_no_option() {
        let env = env(&[("AUDIENCE", "//a"), ("TOKEN_TYPE", SAML2), ("OUTPUT_FILE", "/a")]);
        let request = SubjectTokenRequest::new(&Options::default(), &env).unwrap();
        assert_eq!(request.audience().unwrap().as_str(), "//a");
        assert_eq!(request.token_type, TokenType::Saml2);
        assert_eq!(request.output_file, Some(OutputFile { path: "/a".into(), place: OUTPUT_FILE }));
        assert!(!request.interactive && !request.revoke);
    }

    #[test]
    fn an_empty_variable_is_none() {
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
