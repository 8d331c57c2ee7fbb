//! The options that are not a source's or a command's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{OptionInfo, Takes, Values};
use crate::http::{self, Authorities, CaFile};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON document: for a source, that of version 1.
    Json,
    /// The bare token.
    Text,
    /// `Authorization: Bearer …`.
    Header,
}

/// Options of every source and every command.
pub static COMMON: &[OptionInfo] = &[
    OptionInfo::new(
        "args-file",
        Takes::Path("PATH"),
        "more arguments, one a line, with # comments",
    ),
    OptionInfo::new(
        "timeout",
        Takes::Seconds(1, 3600),
        "the deadline of the whole run: by default 25, or 290 where a person signs in",
    ),
    OptionInfo::new(
        "ca-file",
        Takes::Path("PEM"),
        "trust these certificate authorities instead of the platform's",
    ),
    OptionInfo::new("allow-http", Takes::Text("HOST"), "let plain http go to this host too"),
    OptionInfo::new("log-file", Takes::Path("PATH"), "append diagnostics to this file"),
];

/// Options of every source.
pub static OF_SOURCES: &[OptionInfo] = &[
    OptionInfo::new(
        "audience",
        Takes::Text("NAME"),
        "the audience, before GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
    ),
    OptionInfo::new(
        "token-type",
        Takes::Text("URN"),
        "the subject token type, before GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE",
    ),
    OptionInfo::new(
        "output-file",
        Takes::Path("PATH"),
        "where the answer is kept, before GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE",
    ),
    OptionInfo::new(
        "expiry-margin",
        Takes::Seconds(0, 86_400),
        "report the token's end so much earlier; by default a tenth of its life, at most 300",
    ),
    OptionInfo::new(
        "format",
        Takes::Choice(&["json", "text"]),
        "the contract's document, or the bare token",
    ),
    OptionInfo::new(
        "exit-zero",
        Takes::Flag,
        "end a failure with status 0, so that Go and Java show its message",
    ),
];

/// What the options say that are not a source's or a command's own.
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
    /// The deadline of a run without `--timeout`: clients give up after 30 s by default.
    pub const TIMEOUT: Duration = Duration::from_secs(25);

    /// How long the run may last.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(Self::TIMEOUT)
    }

    /// Takes them from what was given.
    pub fn new(values: &Values) -> Options {
        let text = |name| values.text(name).map(str::to_owned);
        let path = |name| values.path(name).map(Path::to_owned);
        Options {
            audience: text("audience"),
            token_type: text("token-type"),
            output_file: path("output-file"),
            timeout: values.seconds("timeout").map(Duration::from_secs),
            expiry_margin: values.seconds("expiry-margin"),
            http: http::Settings {
                tls: http::Terms {
                    authorities: path("ca-file")
                        .map(|path| Authorities::File(CaFile { path, place: "--ca-file" })),
                    ..http::Terms::default()
                },
                allow_http: text("allow-http"),
                ..http::Settings::default()
            },
            log_file: path("log-file"),
            format: values.text("format").map(|format| match format {
                "text" => Format::Text,
                "header" => Format::Header,
                _ => Format::Json,
            }),
            exit_zero: values.flag("exit-zero"),
        }
    }
}
