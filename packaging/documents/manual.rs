//! The manual page, in the man macros that both mandoc and groff read.

use std::fmt::Write as _;

use wif_token::command::COMMANDS;
use wif_token::contract::request::VARIABLES;
use wif_token::error::KINDS;
use wif_token::options::{COMMON, OF_SOURCES, OptionInfo, Takes};
use wif_token::source::SOURCES;

/// The day of the last change of what is written here by hand.
const DATE: &str = "2026-11-21";

/// The longest line of the source, in bytes, as mandoc wants it.
const WIDTH: usize = 80;

const HEAD: &str = r#".ad l
.nh
.SH NAME
wif\-token \- get a subject token for Google Cloud workload identity federation
.SH SYNOPSIS
.B wif\-token
.I SOURCE
.RI [ \-\-option=value ]...
.br
.B wif\-token
.I COMMAND
.RI [ \-\-option=value ]...
.br
.B wif\-token help
.RI [ SOURCE | COMMAND ]
.SH DESCRIPTION
.B wif\-token
is the executable of a credential configuration for workload identity
federation.
gcloud, Terraform and the Google client libraries run it, read one version-1
JSON document from its standard output, and exchange the subject token in it for
an access token.
.PP
It is silent when it succeeds.
A failure is a document on standard output, the same message as one line on
standard error, and an exit status by kind.
.PP
Write each setting as one word,
.BR \-\-name=value :
clients split the command of a credential configuration on blanks, and few of
them know quotes.
What needs blanks goes into an arguments file, one argument a line.
An option that takes a secret takes
.BI env: NAME
or
.BI file: PATH ,
never the secret.
"#;

const TAIL: &str = r#".SH FILES
.TP
.I OUTPUT_FILE
The answer, kept for the next run; mode 0600, always replaced whole.
A run that finds it fresh, and made for the same audience, token type, source
and options, fetches nothing.
.TP
.I OUTPUT_FILE.lock
The lock at which concurrent runs wait, so that one of them fetches.
.SH EXAMPLES
A credential configuration that runs
.BR wif\-token :
.PP
.in +4n
.nf
gcloud iam workload\-identity\-pools create\-cred\-config \e
    projects/1/locations/global/workloadIdentityPools/POOL/providers/NAME \e
    \-\-executable\-command="/usr/bin/wif\-token file \-\-path=/run/token" \e
    \-\-executable\-output\-file=/run/my\-app/subject\-token.json \e
    \-\-output\-file=credentials.json
.fi
.in
.PP
A file that holds the bare token, for clients that run no executables:
.PP
.in +4n
.nf
wif\-token url \-\-url=https://tokens.example.com/subject \e
    \-\-format=text \-\-output\-file=/run/my\-app/subject\-token
.fi
.in
.SH SEE ALSO
.UR https://cloud.google.com/iam/docs/workload\-identity\-federation
Workload identity federation
.UE
"#;

pub(super) fn text() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text =
        format!(".TH WIF\\-TOKEN 1 {DATE} \"wif-token {version}\" \"User Commands\"\n{HEAD}");
    text.push_str(".SH SOURCES\n");
    for source in SOURCES {
        let _ = writeln!(text, ".SS {}\n{}", escaped(source.name), sentence(source.summary));
        if let Some(rest) = source.rest {
            let _ = writeln!(text, "Takes\n.B \\-\\-\n.I {}", escaped(rest));
        }
        options(&mut text, source.options());
    }
    text.push_str(".SH OPTIONS OF EVERY SOURCE\n");
    options(&mut text, OF_SOURCES);
    text.push_str(".SH COMMANDS\n");
    for command in COMMANDS {
        let _ = writeln!(text, ".SS {}\n{}", escaped(command.name), sentence(command.summary));
        if command.of_source {
            text.push_str("Takes a source and its options.\n");
        }
        options(&mut text, command.options());
    }
    text.push_str(".SH OPTIONS OF EVERY SOURCE AND COMMAND\n");
    options(&mut text, COMMON);
    text.push_str(".SH ENVIRONMENT\n");
    for (name, meaning) in VARIABLES {
        let _ = writeln!(text, ".TP\n.B GOOGLE_EXTERNAL_ACCOUNT_{name}\n{}", sentence(meaning));
    }
    text.push_str(
        ".TP\n.BR HTTPS_PROXY \", \" ALL_PROXY \", \" NO_PROXY\nThe proxy, and what goes past it.\n",
    );
    text.push_str(".SH EXIT STATUS\n.TP\n.B 0\nSuccess.\n");
    for (_, code, status, meaning) in KINDS {
        let _ = writeln!(text, ".TP\n.B {status}\n{code}: {}.", escaped(meaning));
    }
    text + TAIL
}

fn options(text: &mut String, table: impl IntoIterator<Item = &'static OptionInfo>) {
    for option in table {
        let _ = write!(text, ".TP\n\\fB\\-\\-{}\\fR", escaped(option.name));
        if let Some(value) = option.placeholder() {
            // A long choice may go on in the next line.
            let _ = write!(text, "=\\fI{}\\fR", escaped(&value).replace('|', "|\\:"));
        }
        let _ = write!(text, "\n{}\n", sentence(&option.help()));
        if let Takes::Seconds(least, most) = option.takes {
            let _ = writeln!(text, "From {least} to {most}.");
        }
        for (is_so, what) in [(option.required, "Required."), (option.repeated, "May be repeated.")]
        {
            if is_so {
                let _ = writeln!(text, "{what}");
            }
        }
    }
}

/// The text as a sentence on lines of its own; a capital letter where it begins with prose.
fn sentence(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let prose = word.chars().all(|c| c.is_ascii_lowercase() || c == '\'' || c == ',');
    let text = escaped(text) + ".";
    match text.split_at_checked(1) {
        Some((first, rest)) if prose => wrapped(&(first.to_ascii_uppercase() + rest)),
        _ => wrapped(&text),
    }
}

fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        if length > 0 && length + 1 + word.len() <= WIDTH {
            lines.push(' ');
            length += 1;
        } else if length > 0 {
            lines.push('\n');
            length = 0;
        }
        // A long path may go on in the next line.
        let word = if word.len() > 60 { word.replace('/', "/\\:") } else { word.to_owned() };
        // A line that begins with a dot would be a request.
        lines.push_str(if length == 0 && word.starts_with('.') { "\\&" } else { "" });
        lines.push_str(&word);
        length += word.len();
    }
    lines
}

/// Text that roff prints letter by letter.
fn escaped(text: &str) -> String {
    let plain = [("\\", "\\e"), ("-", "\\-"), ("'", "\\(aq"), ("`", "\\(ga"), ("…", "...")];
    plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
