//! `--relying-party`: checks whether a relying party other than Google accepts the token of a
//! source.
//!
//! The check gets a token as the source would print it, and judges the token by the rules that the
//! relying party publishes. Nothing is sent to the relying party, and nothing is written to an
//! output file.

use serde_json::Value;

use super::claim_rules::{self, Members, audiences, time};
use super::parties::RelyingParty;
use super::report::Report;
use super::rules::Rules;
use super::{claims, google, issuer, next};
use crate::client::credentials::CredentialOptions;
use crate::command::Invocation;
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind, one_line};
use crate::options::Options as Common;
use crate::secret::Secret;
use crate::source::SourceInfo;
use crate::source::command_line::SourceLine;
use crate::source::fetch::Fetch;
use crate::time::rfc3339;
use crate::token::{TokenType, jwt};

options! {
    /// Options of `check` that concern another relying party.
    pub(super) struct Options {
        /// check the token of SOURCE against the rules of this relying party, instead of a configuration
        relying_party: Option<RelyingParty> = "--relying-party",
    }
}

const TOKEN: &str = "subject token";

/// What to check: a token of the source for a relying party.
pub(super) struct Target {
    rules: &'static Rules,
    line: SourceLine,
    request: SubjectTokenRequest,
}

impl Target {
    /// Reads what to check; `None` without `--relying-party` and without a source.
    ///
    /// # Errors
    /// `USAGE` if the option or the source is missing, or if an option has no effect.
    pub(super) fn of(invocation: &Invocation, cx: &Context) -> Result<Option<Target>, Error> {
        let party = Options::read(&invocation.values)?.relying_party;
        let (party, source) = match (party, invocation.source) {
            (None, None) => return Ok(None),
            (Some(party), Some(source)) => (party, source),
            (Some(party), None) => return Err(no_source(party)),
            (None, Some(source)) => return Err(no_party(source)),
        };
        refuse_useless(invocation, source)?;
        let line = SourceLine::new(source, invocation.values.clone())?;
        let mut request = SubjectTokenRequest::new(&Common::new(&invocation.values), &cx.env)?;
        (request.output_file, request.revoke) = (None, false);
        let of_source = (source.build)(&invocation.values)?.trust().token_type;
        for token_type in of_source.into_iter().chain([request.token_type]) {
            require_jwt(token_type)?;
        }
        Ok(Some(Target { rules: party.rules(), line, request }))
    }
}

fn no_source(party: RelyingParty) -> Error {
    Error::new(Kind::Usage, "--relying-party requires a source").fix(format!(
        "run wif-token check --relying-party={0} SOURCE, or wif-token check --relying-party={0} \
         file --path=FILE for a token in a file",
        party.word()
    ))
}

fn no_party(source: &SourceInfo) -> Error {
    let what = format!("check {} requires --relying-party", source.name);
    Error::new(Kind::Usage, what).fix(format!(
        "add --relying-party={}, or run wif-token check --credentials=FILE to check a credential \
         configuration",
        RelyingParty::WORDS.join("|")
    ))
}

/// Refuses options of `check` that concern a credential configuration, unless they are options of
/// the source too.
fn refuse_useless(invocation: &Invocation, source: &SourceInfo) -> Result<(), Error> {
    let tables = [CredentialOptions::TABLE, super::kubernetes::Options::TABLE];
    let names = tables.into_iter().flatten().map(|option| option.name).chain(["mapping"]);
    let of_source: Vec<_> = source.options().map(|option| option.name).collect();
    let mut useless = names.filter(|name| !of_source.contains(name));
    match useless.find(|name| invocation.values.flag(name)) {
        Some(name) => {
            let what = format!("--{name} has no effect with --relying-party");
            Err(Error::new(Kind::Usage, what).fix(format!("remove --{name} or --relying-party")))
        }
        None => Ok(()),
    }
}

fn require_jwt(token_type: TokenType) -> Result<(), Error> {
    if matches!(token_type, TokenType::Jwt | TokenType::IdToken) {
        return Ok(());
    }
    let what = format!("the source returns a token of the type {}", token_type.urn());
    Err(Error::new(Kind::Usage, what)
        .cause("check supports only JWTs for relying parties other than Google")
        .fix("select a JWT with the options of the source, and remove --token-type"))
}

pub(super) fn check(target: Target, invocation: &Invocation, cx: &Context, report: &mut Report) {
    let Target { rules, line, request } = target;
    let requested = request.audience().ok().map(|audience| audience.as_str().to_owned());
    next("source", report, invocation);
    let Some(token) = token(&line, request, cx, report) else { return };
    next(TOKEN, report, invocation);
    judge(&token, rules, requested.as_deref(), cx, report);
    google::check_clock(cx.is_offline(), cx, report);
}

/// Gets the token, and reports the steps.
fn token(
    line: &SourceLine,
    request: SubjectTokenRequest,
    cx: &Context,
    report: &mut Report,
) -> Option<Secret> {
    let result = Fetch::new(line, request, cx.env.clone()).and_then(|fetch| {
        let cx = cx.narrowed(|world, _| world.env = fetch.env().clone());
        fetch.document(&cx)
    });
    let steps = cx.log.recorded();
    match result {
        Ok(document) => {
            let length = document.token.expose().len();
            report.ok("source", format!("a token of {length} bytes")).with_steps(steps);
            Some(document.token)
        }
        Err(error) if error.is_offline() => {
            report.skipped("source", super::OFFLINE);
            None
        }
        Err(error) => {
            report.error("source", &error).with_steps(steps);
            None
        }
    }
}

fn judge(
    token: &Secret,
    rules: &Rules,
    requested: Option<&str>,
    cx: &Context,
    report: &mut Report,
) {
    let Some((header, claims)) = jwt::parts(token.expose()) else { return };
    let before = report.findings.len();
    claim_rules::algorithm(&header, rules, report);
    claim_rules::times(&claims, rules, cx.clock.now(), report);
    claim_rules::claims(token.expose(), &claims, rules, report);
    let issuer = claim_rules::issuer(&claims, rules, report);
    if report.findings.len() == before {
        let expiry = time(&claims, "exp").map(rfc3339).unwrap_or_default();
        let message =
            format!("a JWT that follows the rules of {} and expires at {expiry}", rules.name);
        report.ok(TOKEN, message);
    }
    audience(&claims, rules, requested, report);
    if let Some(issuer) = issuer {
        issuer::check(token, &issuer, rules, cx, report);
    }
    claims::list_of_jwt(header, claims, report);
}

/// Compares the audience of the token with that of `--audience`, and with the one that the relying
/// party expects by default.
fn audience(claims: &Members, rules: &Rules, requested: Option<&str>, report: &mut Report) {
    let link = "audience";
    let (name, setting) = (rules.name, rules.settings.audience);
    let found = match audiences(claims) {
        Ok(found) => found,
        Err(message) => {
            let fix = "configure the issuer to set aud to the requested audience";
            report.broken(link, Kind::Protocol, message, fix);
            return;
        }
    };
    let shown = one_line(&found.join(", "));
    let is_national = found.iter().any(|aud| rules.national_clouds.contains(aud));
    let expected = requested.or(rules.audience.filter(|_| !is_national));
    let azp = claims.get("azp").and_then(Value::as_str).filter(|_| rules.prefers_azp);
    if let Some(expected) = expected.filter(|expected| !found.contains(expected)) {
        let message = format!("the aud of the token is {shown}, not {expected}");
        let fix = format!(
            "get a token for the audience {expected}, or set {setting} and --audience to the aud \
             of the token"
        );
        report.broken(link, Kind::Configuration, message, fix);
    } else if let Some(usual) = rules.audience.filter(|usual| !is_covered(&found, usual, rules)) {
        let message = format!("the aud of the token is {shown}, but {name} expects {usual}");
        let alone = if rules.every_audience { " alone" } else { "" };
        let fix = format!(
            "get a token for the audience {usual}{alone}, or set {setting} to the aud of the token"
        );
        report.warning(link, message, fix);
    } else if let Some(azp) = azp.filter(|azp| !found.contains(azp)) {
        let azp = one_line(azp);
        let message = format!("{name} uses the azp of the token, {azp}, instead of its aud");
        let fix = format!(
            "add {azp} to {setting}, and compare it with aud in the trust policy, or configure the \
             issuer to omit azp"
        );
        report.warning(link, message, fix);
    } else {
        report.ok(
            link,
            format!(
                "the aud of the token is {shown}; {name} accepts it only if it matches {setting}"
            ),
        );
    }
}

/// Whether a relying party that expects the audience `usual` accepts the audiences `found`.
fn is_covered(found: &[&str], usual: &str, rules: &Rules) -> bool {
    match rules.every_audience {
        true => found.iter().all(|audience| *audience == usual),
        false => {
            found.contains(&usual) || found.iter().any(|aud| rules.national_clouds.contains(aud))
        }
    }
}
