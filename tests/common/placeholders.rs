//! Placeholders in the files of scenarios and transcripts. Normalisation is the reverse: it replaces
//! values that differ between runs by their placeholders before an output is compared.
//!
//! | placeholder | stands for | normalised in outputs |
//! |---|---|---|
//! | `{home}` | the home folder of the run | yes |
//! | `{program}` | the path of the program under test | yes |
//! | `{server}`, `{host}` | `http://127.0.0.1:PORT` of the loopback server; the same without `http://` | yes |
//! | `{jwt}`, `{jwt+N}`, `{jwt-N}` | an unsigned JWT that expires in 3600 (in N, N ago) seconds | yes |
//! | `{jwt@N}` | an unsigned JWT that expires at epoch second N | yes |
//! | `{token}` | an unsigned JWT for the pool provider of `{aud}`, with a lifetime of one hour | no |
//! | `{amz}`, `{amz-day}` | the start of the run as AWS writes it, `20261121T160000Z`, and its day | no |
//! | `{now+N}`, `{now-N}` | an epoch second | within two days of now |
//! | `{time+N}`, `{time-N}` | the same as `2026-11-21T16:00:00Z` | within two days of now |
//! | `{skew}` | the seconds since 2020-11-21T16:00:00Z, the `Date` of a server with a wrong clock | yes |
//! | `{version}` | the version of this program, only after `wif-token ` | yes |
//! | `{aud}` | the full name of a pool provider ([`AUDIENCE`]) | no |
//! | `{large}` | 1 MiB and one byte of the letter a | no |
//! | `{latin1}` | the byte E9, which is not UTF-8 | no |
//!
//! Other text in braces is not changed.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{AUDIENCE, jwt_until, now};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wif-token");
const WRONG_CLOCK: i64 = 1_605_974_400;
const TWO_DAYS: i64 = 2 * 86_400;

pub struct Placeholders {
    home: String,
    server: String,
    start: i64,
}

impl Placeholders {
    pub fn new(home: String, server: String) -> Placeholders {
        Placeholders { home, server, start: now() }
    }

    /// The bytes of a file. `{latin1}` works only in this function.
    pub fn bytes(&self, text: &str) -> Vec<u8> {
        let parts: Vec<_> =
            text.split("{latin1}").map(|part| self.fill(part).into_bytes()).collect();
        parts.join(&0xe9)
    }

    pub fn fill(&self, text: &str) -> String {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            filled += before;
            let found =
                after.split_once('}').and_then(|(name, tail)| Some((self.value(name)?, tail)));
            let (value, tail) = found.unwrap_or(("{".to_owned(), after));
            filled += &value;
            rest = tail;
        }
        filled + rest
    }

    fn value(&self, name: &str) -> Option<String> {
        let fixed = match name {
            "home" => Some(self.home.clone()),
            "program" => Some(PROGRAM.to_owned()),
            "server" => Some(self.server.clone()),
            "host" => Some(self.host().to_owned()),
            "aud" => Some(AUDIENCE.to_owned()),
            "large" => Some("a".repeat(1024 * 1024 + 1)),
            "jwt" => Some(jwt_until(self.start + 3600)),
            "token" => Some(super::token_from(self.start)),
            "amz" => Some(self.amz()),
            "amz-day" => Some(self.amz().chars().take(8).collect()),
            _ => None,
        };
        fixed.or_else(|| self.at(name))
    }

    /// `jwt+N`, `jwt-N`, `jwt@N`, `now+N`, `now-N`, `time+N` and `time-N`.
    fn at(&self, name: &str) -> Option<String> {
        let (kind, number) = name.split_at_checked(name.find(['+', '-', '@'])?)?;
        let second = match number.strip_prefix('@') {
            Some(second) => second.parse().ok()?,
            None => self.start + number.parse::<i64>().ok()?,
        };
        match kind {
            "jwt" => Some(jwt_until(second)),
            "now" => Some(second.to_string()),
            "time" => OffsetDateTime::from_unix_timestamp(second).ok()?.format(&Rfc3339).ok(),
            _ => None,
        }
    }

    fn amz(&self) -> String {
        time_of(self.start).replace(['-', ':'], "")
    }

    fn host(&self) -> &str {
        self.server.trim_start_matches("http://")
    }

    /// Replaces the parts of an output that differ between runs with their placeholders.
    pub fn normalise(&self, text: &str) -> String {
        let version = concat!("wif-token ", env!("CARGO_PKG_VERSION"));
        let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let text = replace_runs(text, is_token, |run| self.jwt_name(run));
        let text = text.replace(PROGRAM, "{program}");
        let text = text.replace(&self.server, "{server}").replace(self.host(), "{host}");
        let text = text.replace(&self.home, "{home}").replace(version, "wif-token {version}");
        let is_time = |c: char| c.is_ascii_digit() || "-:TZ".contains(c);
        let text = replace_runs(&text, is_time, |run| self.time_name(run));
        replace_runs(&text, |c| c.is_ascii_digit(), |run| self.second_name(run))
    }

    fn jwt_name(&self, run: &str) -> Option<String> {
        let end = super::tokens::claims(run)?.get("exp")?.as_i64()?;
        (run == jwt_until(end)).then(|| match end - self.start {
            3600 => "{jwt}".to_owned(),
            life if life.abs() < TWO_DAYS => format!("{{jwt{life:+}}}"),
            _ => format!("{{jwt@{end}}}"),
        })
    }

    fn time_name(&self, run: &str) -> Option<String> {
        let time = OffsetDateTime::parse(run, &Rfc3339).ok()?;
        let from_now = time.unix_timestamp() - self.start;
        (from_now.abs() < TWO_DAYS && time.nanosecond() == 0)
            .then(|| format!("{{time{from_now:+}}}"))
    }

    fn second_name(&self, run: &str) -> Option<String> {
        let from_now = run.parse::<i64>().ok()? - self.start;
        let from_skew = from_now + WRONG_CLOCK;
        match from_now.abs() < TWO_DAYS {
            true => Some(format!("{{now{from_now:+}}}")),
            false => (from_skew.abs() <= SLACK).then(|| "{skew}".to_owned()),
        }
    }
}

/// The seconds that a run may take before its times count as different.
pub const SLACK: i64 = 15;

/// `2999-01-01T00:00:00Z`
pub fn time_of(second: i64) -> String {
    (OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)).format(&Rfc3339).unwrap()
}

/// Replaces each longest run of characters for which `belongs` is true with its name, if it has
/// one.
fn replace_runs(
    text: &str,
    belongs: impl Fn(char) -> bool,
    name: impl Fn(&str) -> Option<String>,
) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(&belongs) {
        let end = rest[start..].find(|c| !belongs(c)).map_or(rest.len(), |length| start + length);
        let run = &rest[start..end];
        replaced += &rest[..start];
        replaced += &name(run).unwrap_or_else(|| run.to_owned());
        rest = &rest[end..];
    }
    replaced + rest
}
