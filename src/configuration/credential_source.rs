//! The `credential_source` of a credential configuration: where a client gets the subject token.
//!
//! All kinds of credential sources that Google's clients have are supported.
//! <https://google.aip.dev/auth/4117>

use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::members::Members;
use super::unsupported;
use crate::error::Error;
use crate::http::Url;
use crate::secret::Secret;
use crate::token::TokenType;

/// How long a client waits for an executable by default, in milliseconds.
pub const TIMEOUT_MS: u64 = 30_000;

/// The timeouts that clients accept, in milliseconds.
pub const TIMEOUTS_MS: RangeInclusive<u64> = 5_000..=120_000;

/// The timeouts that clients accept while a user signs in, in milliseconds.
pub const INTERACTIVE_TIMEOUTS_MS: RangeInclusive<u64> = 30_000..=1_800_000;

/// Where the subject token comes from.
#[derive(Debug)]
pub enum CredentialSource {
    /// A program that prints a version-1 document.
    Executable {
        /// The command line, in one string.
        command: String,
        /// How long a client waits, in milliseconds.
        timeout_ms: u64,
        /// How long a client waits while a user signs in, in milliseconds.
        interactive_timeout_ms: Option<u64>,
        /// The file in which the program caches its document.
        output_file: Option<PathBuf>,
    },
    /// A file that contains the token as text, or as the JSON member of this name.
    File(PathBuf, Option<String>),
    /// An HTTP GET with these headers. The response contains the token as text, or as the JSON
    /// member of this name.
    Url(Url, Vec<(String, Secret)>, Option<String>),
    /// A signed `GetCallerIdentity` request (`environment_id` is `aws1`).
    Aws,
    /// An X.509 certificate, which the client also presents by mutual TLS.
    Certificate(CertificateSource),
}

/// The files of a certificate.
#[derive(Debug)]
pub struct CertificateSource {
    /// The certificate configuration; `None` if the environment determines it
    /// (`use_default_certificate_config`).
    pub config: Option<PathBuf>,
    /// The certificates of the authorities between the certificate and one that Google trusts.
    pub trust_chain: Option<PathBuf>,
}

/// Reads the `credential_source` member of a configuration.
///
/// # Errors
/// `CONFIGURATION` if its kind is unknown, or a member that its kind requires is missing.
pub(super) fn read(members: &Members) -> Result<CredentialSource, Error> {
    let source =
        members.object("credential_source")?.ok_or_else(|| members.missing("credential_source"))?;
    unsupported::refuse_in_source(&source)?;
    if let Some(executable) = source.object("executable")? {
        return Ok(CredentialSource::Executable {
            command: executable.required("command")?,
            timeout_ms: executable.whole("timeout_millis")?.unwrap_or(TIMEOUT_MS),
            interactive_timeout_ms: executable.whole("interactive_timeout_millis")?,
            output_file: executable.text("output_file")?.map(PathBuf::from),
        });
    }
    if let Some(environment) = source.text("environment_id")? {
        return match environment.as_str() {
            "aws1" => Ok(CredentialSource::Aws),
            _ => Err(source
                .wrong("environment_id is not aws1")
                .fix("set environment_id to aws1, the only version that clients support")),
        };
    }
    let field = match source.object("format")? {
        None => None,
        Some(format) => match format.text("type")?.as_deref() {
            None | Some("text") => None,
            Some("json") => Some(format.required("subject_token_field_name").map_err(|error| {
                error.fix(
                    "set format.subject_token_field_name to the member with the token, or set \
                     format.type to text if the whole content is the token",
                )
            })?),
            Some(_) => {
                return Err(format
                    .wrong("type is not text or json")
                    .fix("set type to text or json"));
            }
        },
    };
    if let Some(path) = source.text("file")? {
        return Ok(CredentialSource::File(path.into(), field));
    }
    if let Some(url) = source.url("url")? {
        let headers = match source.object("headers")? {
            None => Vec::new(),
            Some(headers) => headers
                .map
                .keys()
                .map(|name| {
                    Ok((name.clone(), Secret::new(headers.text(name)?.unwrap_or_default())))
                })
                .collect::<Result<_, Error>>()?,
        };
        return Ok(CredentialSource::Url(url, headers, field));
    }
    if let Some(certificate) = source.object("certificate")? {
        return certificate_source(&certificate).map(CredentialSource::Certificate);
    }
    Err(members
        .wrong("credential_source has no executable, file, url, certificate or environment_id")
        .fix("create the configuration with wif-token config SOURCE"))
}

fn certificate_source(members: &Members) -> Result<CertificateSource, Error> {
    let (location, default) = ("certificate_config_location", "use_default_certificate_config");
    let config = members.text(location)?.map(PathBuf::from);
    let trust_chain = members.text("trust_chain_path")?.map(PathBuf::from);
    match (members.flag(default)?, &config) {
        (true, Some(_)) => Err(members
            .wrong(&format!("{default} and {location} cannot be used together"))
            .fix(format!("remove {default} or {location}"))),
        (false, None) => Err(members.missing(location).fix(format!(
            "set {location} to the path of a certificate configuration, or {default} to true"
        ))),
        _ => Ok(CertificateSource { config, trust_chain }),
    }
}

/// Reads `subject_token_type`, which must be the type for certificates if the source is a
/// certificate.
///
/// # Errors
/// `CONFIGURATION` if it is missing or unknown, or does not fit the source.
pub(super) fn token_type(members: &Members, source: &CredentialSource) -> Result<TokenType, Error> {
    let name = members.required("subject_token_type")?;
    let is_mtls = name == TokenType::MTLS;
    match (source, TokenType::parse(&name)) {
        (CredentialSource::Certificate(_), _) if is_mtls => Ok(TokenType::Mtls),
        (CredentialSource::Certificate(_), _) => Err(members
            .wrong("subject_token_type is not the type for a certificate")
            .fix(format!("set subject_token_type to {}", TokenType::MTLS))),
        (_, Some(token_type)) => Ok(token_type),
        (_, None) if is_mtls => Err(members
            .wrong("this subject_token_type requires credential_source.certificate")
            .fix("set subject_token_type to the type of the token that the source returns")),
        (_, None) => Err(members
            .wrong("subject_token_type is not a known token type")
            .fix(TokenType::fix_for_unknown())),
    }
}
