//! The options that every source, or every source and command, has.

use std::path::PathBuf;
use std::time::Duration;

use super::{OptionInfo, OptionValue, Seconds, Values};
use crate::http::{self, Authorities, CaFile};

choices! {
    /// How the result is printed. Each source and command accepts some of these.
    pub enum Format {
        /// A JSON document. For a source, the document of the contract.
        Json = "json",
        /// Only the token or result.
        Text = "text",
        /// `Authorization: Bearer …`.
        Header = "header",
        /// `Bearer …`.
        Bearer = "bearer",
    }
}

choices! {
    /// `--format` of a command that prints or writes a token, a result or a report. The value is read
    /// as a [`Format`].
    pub enum TextOrJson {
        /// Only the token or result, or one line for each check.
        Text = "text",
        /// A JSON document.
        Json = "json",
    }
}

options! {
    /// Options of every source and every command.
    #[allow(dead_code)] // the reader handles --args-file
    pub(super) struct Common {
        /// read more arguments from this file, one per line; lines that begin with # are comments
        args_file: Option<PathBuf> = "--args-file=PATH",
        /// time limit of the run, or of each request for exec, serve, keep and helper cargo (default:
        /// 25, or 290 if a user can sign in)
        timeout: Option<Seconds<1, 3600>> = "--timeout",
        /// trust the certificate authorities in this file instead of those of the platform
        ca_file: Option<PathBuf> = "--ca-file=PEM",
        /// allow plain http to this host
        allow_http: Option<String> = "--allow-http=HOST",
        /// append a log of the run to this file
        log_file: Option<PathBuf> = "--log-file=PATH",
    }
}

choices! {
    /// How a source prints a token.
    pub(super) enum SourceFormat {
        /// The document of the contract.
        Json = "json",
        /// Only the token.
        Text = "text",
    }
}

options! {
    /// Options of every source.
    #[allow(dead_code)] // --format is read as a Format
    pub(super) struct OfSources {
        /// audience of the token; overrides GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE
        audience: Option<String> = "--audience=NAME",
        /// subject token type; overrides GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE
        token_type: Option<String> = "--token-type=URN",
        /// cache the token in this file; overrides GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE
        output_file: Option<PathBuf> = "--output-file=PATH",
        /// report an expiry that is this much earlier than the real one (default: a random
        /// value from a tenth to a fifth of the lifetime, at most 600)
        expiry_margin: Option<Seconds<0, 86_400>> = "--expiry-margin",
        /// print the document for clients (default), or only the token
        format: Option<SourceFormat> = "--format",
        /// exit with status 0 on failure, so that Go and Java clients show the message
        exit_zero: bool = "--exit-zero",
    }
}

/// Options of every source and every command.
pub const COMMON: &[OptionInfo] = Common::TABLE;

/// Options of every source.
pub const OF_SOURCES: &[OptionInfo] = OfSources::TABLE;

/// The values of the options that every source, or every source and command, has.
#[derive(Debug, Default)]
pub struct Options {
    /// `--audience`
    pub audience: Option<String>,
    /// `--token-type`, not yet checked
    pub token_type: Option<String>,
    /// `--output-file`
    pub output_file: Option<PathBuf>,
    /// `--timeout`
    pub timeout: Option<Duration>,
    /// `--expiry-margin`, in seconds
    pub expiry_margin: Option<u64>,
    /// `--ca-file` and `--allow-http`
    pub http: http::Settings,
    /// `--log-file`
    pub log_file: Option<PathBuf>,
    /// `--format`
    pub format: Option<Format>,
    /// `--exit-zero`
    pub exit_zero: bool,
}

impl Options {
    /// The default of `--timeout`. It is shorter than the 30 s that clients wait by default.
    pub const TIMEOUT: Duration = Duration::from_secs(25);

    /// The time limit of the run.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Self::TIMEOUT)
    }

    /// Reads the options from the values of a command line.
    pub fn new(values: &Values) -> Options {
        let (Ok(common), Ok(of_sources)) = (Common::read(values), OfSources::read(values)) else {
            return Options::default(); // cannot happen: none of the options is required
        };
        let ca_file = |path| Authorities::File(CaFile { path, place: "--ca-file" });
        Options {
            audience: of_sources.audience,
            token_type: of_sources.token_type,
            output_file: of_sources.output_file,
            timeout: common.timeout.map(|Seconds(seconds)| Duration::from_secs(seconds)),
            expiry_margin: of_sources.expiry_margin.map(|Seconds(seconds)| seconds),
            http: http::Settings {
                tls: http::Terms {
                    authorities: common.ca_file.map(ca_file),
                    ..http::Terms::default()
                },
                allow_http: common.allow_http,
                ..http::Settings::default()
            },
            log_file: common.log_file,
            format: values.all("format").find_map(Format::from_value),
            exit_zero: of_sources.exit_zero,
        }
    }
}
