//! Why a proxy refused a connection: the status and headers of its response to CONNECT.
//! <https://www.rfc-editor.org/rfc/rfc9110#section-11.7.1>,
//! <https://wiki.squid-cache.org/Features/CustomErrors>

use super::proxy::{NamedProxy, or_bypass, variable};
use super::{Request, Url};
use crate::error::{Error, Kind};

/// The error for a refusal by a proxy. `head` is the head of the proxy's response, or other text if
/// there was no response.
pub(super) fn explain(head: &str, request: &Request, proxy: &NamedProxy) -> Error {
    let (name, url) = (proxy.name, request.url);
    let host = url.host();
    let refusal = Refusal::read(head);
    let or = or_bypass(name, &format!("add {host} to NO_PROXY"));
    match refusal.status {
        Some(407) => refusal.of_account(url, proxy).lost(),
        Some(400..=499) => {
            Error::new(Kind::Denied, format!("the proxy in {name} refused a connection to {host}"))
                .cause(refusal)
                .fix(format!("allow {host} in the proxy{or}"))
                .lost()
        }
        _ => {
            let what = format!("the proxy in {name} cannot reach {host}");
            let fix = match refusal.squid.as_deref() {
                Some("ERR_DNS_FAIL") => {
                    format!("check {}, because the proxy cannot resolve {host}{or}", request.option)
                }
                _ => format!("check {name}{or}"),
            };
            Error::new(Kind::Unreachable, what).cause(refusal).fix(fix)
        }
    }
}

/// The authentication schemes of proxies.
const SCHEMES: [&str; 6] = ["Basic", "Bearer", "Digest", "Kerberos", "Negotiate", "NTLM"];

/// What the head of a response contains.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    status: Option<u16>,
    /// The authentication schemes that the proxy offers.
    schemes: Vec<String>,
    /// The error code of Squid, such as `ERR_ACCESS_DENIED`.
    squid: Option<String>,
}

impl Refusal {
    fn read(head: &str) -> Refusal {
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/")?.split_whitespace().nth(1)?.parse().ok());
        let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let values = |name: &'static str| {
            let named = headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.trim())
        };
        // A challenge is a scheme and parameters, and a header may contain several challenges.
        let challenges = values("proxy-authenticate").flat_map(|value| value.split(','));
        let schemes = challenges
            .filter_map(|challenge| challenge.split_whitespace().next())
            .filter(|word| SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(word)));
        let squid = values("x-squid-error").find_map(|value| value.split_whitespace().next());
        Refusal {
            status,
            schemes: schemes.map(str::to_owned).collect(),
            squid: squid.filter(|word| is_word(word)).map(str::to_owned),
        }
    }

    /// The error for a proxy that requires authentication.
    fn of_account(self, url: &Url, proxy: &NamedProxy) -> Error {
        let (name, host) = (proxy.name, url.host());
        let setting = variable(name);
        let offers_basic = self.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
        let (what, fix) = if !offers_basic && !self.schemes.is_empty() {
            let or = or_bypass(name, &format!("add {host} to NO_PROXY"));
            let schemes = self.schemes.join(" and ");
            (
                format!("the proxy in {name} offers only {schemes} authentication"),
                format!(
                    "configure the proxy to offer Basic authentication or to allow {host} without \
                     authentication, or set {setting} to a local proxy that authenticates to this \
                     proxy, such as Cntlm or Px{or}"
                ),
            )
        } else if proxy.has_account() {
            (
                format!("the proxy in {name} refused the user name or the password"),
                format!(
                    "correct the user name and the password in {setting}, in which characters such \
                     as @ and : must be percent-encoded"
                ),
            )
        } else {
            (
                format!("the proxy in {name} requires a password"),
                format!("set {setting} to http://USER:PASSWORD@HOST:PORT"),
            )
        };
        Error::new(Kind::Denied, what).cause(format!("{self} for {host}")).fix(fix)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.status, &self.squid) {
            (Some(status), Some(code)) => write!(f, "status {status} ({code})"),
            (Some(status), None) => write!(f, "status {status}"),
            (None, _) => f.write_str("no response"),
        }
    }
}

/// Whether a text from the proxy is a word that may be shown.
fn is_word(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.len() < 40 && text.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_from_one_or_several_headers() {
        for (head, status, schemes, squid) in [
            ("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n", Some(407), "NTLM", None),
            (
                "HTTP/1.1 407 x\r\nproxy-authenticate: Negotiate\r\nProxy-Authenticate: Basic \
                 realm=\"a, b c\", charset=\"UTF-8\"\r\n\r\n",
                Some(407),
                "Negotiate Basic",
                None,
            ),
            (
                "HTTP/1.0 407 x\r\nProxy-Authenticate: Negotiate, NTLM, Digest nonce=\"1\"\r\n\r\n",
                Some(407),
                "Negotiate NTLM Digest",
                None,
            ),
            (
                "HTTP/1.1 403 Forbidden\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\r\n",
                Some(403),
                "",
                Some("ERR_ACCESS_DENIED"),
            ),
            ("proxy server did not respond", None, "", None),
        ] {
            let refusal = Refusal::read(head);
            assert_eq!((refusal.status, refusal.schemes.join(" ")), (status, schemes.to_owned()));
            assert_eq!(refusal.squid.as_deref(), squid);
        }
    }
}
