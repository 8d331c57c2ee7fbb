//! The `credential_source` of a credential configuration: where a client gets the subject token.
//!
//! The kinds of Google's clients but `certificate`. <https://google.aip.dev/auth/4117>

use std::path::PathBuf;

use super::members::Members;
use crate::error::Error;
use crate::http::Url;
use crate::secret::Secret;

/// How long a client waits for an executable, in milliseconds, where the configuration is silent.
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
        /// How long a client waits for a person, in milliseconds.
        interactive_timeout_ms: Option<u64>,
        /// Where the program keeps its answer.
        output_file: Option<PathBuf>,
    },
    /// A file that holds the token, or a member of the JSON in it.
    File(PathBuf, Option<String>),
    /// An HTTP GET with these headers, as text or a member of JSON.
    Url(Url, Vec<(String, Secret)>, Option<String>),
    /// A signed `GetCallerIdentity` request (`environment_id` aws1).
    Aws,
}

/// Reads that of a whole configuration.
///
/// # Errors
/// `CONFIGURATION` where it is of no kind, or lacks what its kind needs.
pub(super) fn read(members: &Members) -> Result<CredentialSource, Error> {
    let source =
        members.object("credential_source")?.ok_or_else(|| members.missing("credential_source"))?;
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
                .fix("no client knows another version: write the configuration anew")),
        };
    }
    let field = match source.object("format")? {
        None => None,
        Some(format) => match format.text("type")?.as_deref() {
            None | Some("text") => None,
            Some("json") => Some(format.required("subject_token_field_name")?),
            Some(_) => return Err(format.wrong("type is neither text nor json")),
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
        true => "is a certificate, which only Google's own libraries use",
        false => "names no executable, file, url or environment_id",
    };
    Err(members.wrong(&format!("credential_source {what}")).fix("write the configuration anew"))
}
