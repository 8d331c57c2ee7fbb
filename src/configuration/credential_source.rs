//! The `credential_source` of a credential configuration: where a client gets the subject token.
//!
//! All kinds of Google's clients are supported, except `certificate`.
//! <https://google.aip.dev/auth/4117>

use std::path::PathBuf;

use super::members::Members;
use super::unsupported;
use crate::error::Error;
use crate::http::Url;
use crate::secret::Secret;

/// How long a client waits for an executable by default, in milliseconds.
pub const TIMEOUT_MS: u64 = 30_000;

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
    let what = match source.map.contains_key("certificate") {
        true => "uses a certificate, which only Google's libraries support",
        false => "has no executable, file, url or environment_id",
    };
    Err(members
        .wrong(&format!("credential_source {what}"))
        .fix("create the configuration with wif-token config SOURCE"))
}
