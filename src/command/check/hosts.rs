//! Checks the hosts and the universe in a configuration. The hosts receive tokens, so one that only
//! looks like Google's is an error, and any other host that is not Google's is a warning. (For the
//! refresh token of a Google account, `user.rs` makes it an error.)

use super::report::Report;
use crate::configuration::GOOGLEAPIS;
use crate::configuration::google_host::is_google;
use crate::error::Kind;
use crate::http::Url;
use crate::show;

/// The largest number of typing mistakes in a host that looks like Google's.
const TYPING_MISTAKES: usize = 3;

/// Hosts of other clouds, which have services with similar names.
const OTHER_CLOUDS: &[&str] =
    &[".amazonaws.com", ".amazonaws.com.cn", ".microsoftonline.com", ".windows.net", ".azure.com"];

/// Checks `universe_domain`. Returns the universe that the other members must be in:
/// `universe_domain`, unless it is wrong.
pub(super) fn universe<'a>(universe: &'a str, report: &mut Report) -> &'a str {
    let service = SERVICES.iter().find_map(|service| universe.strip_prefix(service));
    let lower = universe.to_ascii_lowercase();
    let (what, expected) = match service {
        _ if universe == GOOGLEAPIS => return universe,
        _ if !is_domain(&lower) => (", which is not a domain name".to_owned(), GOOGLEAPIS),
        Some(rest) if !looks_like(rest, GOOGLEAPIS) => {
            (", which is the host of a service, not the domain of a universe".to_owned(), rest)
        }
        _ if looks_like(&lower, GOOGLEAPIS) => {
            (format!(", but Google's domain is {GOOGLEAPIS}"), GOOGLEAPIS)
        }
        _ if lower != universe => (", which is not in lower case".to_owned(), lower.as_str()),
        _ => return universe,
    };
    report.broken(
        "configuration",
        Kind::Configuration,
        format!("universe_domain is {}{what}", show::value(universe)),
        format!("set universe_domain to {expected}"),
    );
    GOOGLEAPIS
}

/// The beginnings of hosts that are not a universe.
const SERVICES: &[&str] = &["sts.", "iam.", "iamcredentials.", "www."];

fn is_domain(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = |label: &str| !label.is_empty() && label.chars().all(is_part);
    text.contains('.') && text.split('.').all(is_label)
}

/// A URL to which clients send tokens.
pub(super) struct Address<'a> {
    pub(super) link: &'static str,
    /// The member of the configuration.
    pub(super) member: &'static str,
    pub(super) url: &'a Url,
    /// The first label of the host.
    pub(super) service: &'static str,
    /// The path on a Google host.
    pub(super) path: String,
    /// Whether the client presents a certificate, for which Google has other hosts.
    pub(super) mtls: bool,
}

impl Address<'_> {
    /// Reports a URL that is not Google's.
    pub(super) fn check(&self, universe: &str, report: &mut Report) {
        match self.problem(universe) {
            None => report.ok(self.link, self.url.to_string()),
            Some((true, message, fix)) => {
                report.broken(self.link, Kind::Configuration, message, fix)
            }
            Some((false, message, fix)) => report.warning(self.link, message, fix),
        };
    }

    /// Whether a URL that is not Google's is an error, the message, and the fix.
    pub(super) fn problem(&self, universe: &str) -> Option<(bool, String, String)> {
        let Address { member, url, service, path, .. } = self;
        let expected = format!("{service}{}.{universe}", if self.mtls { ".mtls" } else { "" });
        let set = format!("set {member} to https://{expected}{path}");
        let host = url.host();
        if url.is_local() {
            return None;
        }
        if !url.is_https() {
            return Some((true, format!("{member} uses plain http: {url}"), set));
        }
        if self.mtls && host == format!("{service}.{universe}") {
            let message = format!("the host {host} in {member} does not accept certificates");
            return Some((true, message, set));
        }
        if is_google(host, service, universe) {
            let (origin, given) = (url.origin(), show::value(url.path()));
            let (_, port) = origin.rsplit_once(':').unwrap_or_default();
            let wrong = match (url.path() == path, port) {
                (true, "443") if url.has_query() => {
                    return Some((false, format!("{member} has a query (?…)"), set));
                }
                (true, "443") => return None,
                (true, _) => format!("the port {port} instead of 443"),
                (false, _) => format!("the path {given} instead of {path}"),
            };
            return Some((true, format!("{member} has {wrong}"), set));
        }
        if universe != GOOGLEAPIS && is_google(host, service, GOOGLEAPIS) {
            let message = format!(
                "{member} is in the universe googleapis.com, but universe_domain is {universe}"
            );
            return Some((true, message, format!("{set}, or remove universe_domain")));
        }
        if is_mistaken(host, &expected) {
            let message = format!("the host {host} in {member} is not {expected}");
            return Some((true, message, set));
        }
        let message = format!("the host {host} in {member} is not a host of {universe}");
        let other = host.strip_prefix(service).and_then(|rest| rest.strip_prefix('.'));
        let other = other.map_or_else(String::new, |other| {
            format!(", set universe_domain to {other} if that is your universe")
        });
        let trust = "or make sure that you trust this server, which receives tokens";
        Some((false, message, format!("{set}{other}, {trust}")))
    }
}

/// Whether a host was probably meant to be the expected one.
fn is_mistaken(host: &str, expected: &str) -> bool {
    looks_like(host, expected) || OTHER_CLOUDS.iter().any(|cloud| host.ends_with(cloud))
}

/// Whether a domain can be mistaken for the expected one: it contains the name of Google, letters
/// from other alphabets, or few typing mistakes.
pub(super) fn looks_like(domain: &str, expected: &str) -> bool {
    let has_other_letters = domain.split('.').any(|label| label.starts_with("xn--"));
    let mistakes = || strsim::osa_distance(domain, expected);
    has_other_letters || domain.contains("google") || mistakes() <= TYPING_MISTAKES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_look_like_a_google_host_are_mistakes() {
        for (host, mistaken) in [
            ("sts.googleapis.com.example.test", true),
            ("sts.goog1eapis.com", true),
            ("sts.gogleapis.com", true),
            ("sts.googleapis.co", true),
            ("stsgoogleapis.com", true),
            ("sts.google.com", true),
            ("iamcredentials.googleapis.com", true),
            ("sts.xn--ggleapis-0nf.com", true),
            ("sts.eu-west-1.amazonaws.com", true),
            ("sts.example.test", false),
            ("gateway.example.test", false),
        ] {
            assert_eq!(is_mistaken(host, "sts.googleapis.com"), mistaken, "{host}");
        }
    }
}
