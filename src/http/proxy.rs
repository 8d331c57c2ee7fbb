//! The proxy for a request, from `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, which are
//! read in lower or upper case, as curl and most programs do.
//!
//! Only the lower-case `http_proxy` is read, because in a CGI program the sender of a `Proxy:`
//! header sets the upper-case variable. `NO_PROXY` is a list of hosts, domains (with or without a
//! leading dot), addresses and networks (`10.0.0.0/8`), or `*`. On Windows, if no variable names a
//! proxy, the Windows settings are used.
//! <https://everything.curl.dev/usingcurl/proxies/env.html>

use std::net::IpAddr;

use ureq::{Proxy, ProxyProtocol};

use super::{Request, Url};
use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::world::Env;

/// The name of the Windows settings in messages, in place of the name of a variable.
const WINDOWS: &str = "the Windows settings";

/// A proxy, and the setting that names it.
#[derive(Debug, Clone)]
pub struct NamedProxy {
    pub(super) proxy: Proxy,
    /// A variable, a setting, or [`WINDOWS`].
    pub(super) name: &'static str,
}

impl NamedProxy {
    /// Parses the URL of a proxy, which the setting `name` contains.
    ///
    /// # Errors
    /// `CONFIGURATION` if it is not the URL of an HTTP proxy.
    pub fn new(address: &str, name: &'static str) -> Result<NamedProxy, Error> {
        Ok(NamedProxy { proxy: read(address, name)?, name })
    }

    /// The secrets that are sent to the proxy.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let name = self.proxy.username().unwrap_or_default();
        let password = self.proxy.password().into_iter().map(Secret::new);
        let sent = password.flat_map(|password| [Request::basic_value(name, &password), password]);
        sent.collect()
    }

    /// Whether the connection to the proxy uses TLS.
    pub(super) fn uses_tls(&self) -> bool {
        self.proxy.protocol() == ProxyProtocol::Https
    }

    /// Whether the URL contains a user name or a password.
    pub(super) fn has_account(&self) -> bool {
        self.proxy.username().is_some() || self.proxy.password().is_some()
    }
}

/// The proxy for a URL, with the name of its variable or [`WINDOWS`]; `None` for a direct
/// connection.
///
/// # Errors
/// `CONFIGURATION` if the setting is not the URL of an HTTP proxy.
pub(super) fn for_url(url: &Url, env: &Env) -> Result<Option<NamedProxy>, Error> {
    let names: &[&'static str] = match url.is_https() {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "all_proxy", "ALL_PROXY"],
    };
    let (_, no_proxy) = first(&["no_proxy", "NO_PROXY"], env)?.unwrap_or_default();
    if url.is_local() || is_excluded(url.host(), &no_proxy) {
        return Ok(None);
    }
    let Some((name, address)) = first(names, env)?.or_else(|| of_system(url)) else {
        return Ok(None);
    };
    NamedProxy::new(&address, name).map(Some)
}

fn read(address: &str, name: &'static str) -> Result<Proxy, Error> {
    let wrong = |what: &str| {
        let or = or_bypass(name, "NO_PROXY to *");
        let fix = format!("set {} to http://HOST:PORT{or}", variable(name));
        Error::new(Kind::Configuration, format!("the proxy in {name} {what}")).fix(fix)
    };
    let proxy = Proxy::new(address).map_err(|_| wrong("is not a valid proxy URL"))?;
    let authority = proxy.uri().authority();
    if authority.is_none_or(|authority| authority.host().is_empty()) {
        return Err(wrong("has no host"));
    }
    // The library uses port 80 instead of an invalid port.
    let has_port =
        authority.is_some_and(|authority| !authority.as_str().ends_with(authority.host()));
    if has_port
        && authority.is_none_or(|authority| authority.port_u16().is_none_or(|port| port == 0))
    {
        return Err(wrong("does not have a port from 1 to 65535"));
    }
    match proxy.uri().scheme_str() {
        Some("http" | "https") => Ok(proxy),
        _ => Err(wrong("is not an HTTP proxy")),
    }
}

/// The end of a fix that says how to bypass the proxy. `NO_PROXY` applies to the proxies of
/// variables and of Windows.
pub(super) fn or_bypass(name: &'static str, how: &str) -> String {
    match name == WINDOWS || name.to_ascii_uppercase().ends_with("_PROXY") {
        true => format!(", or {how}"),
        false => String::new(),
    }
}

/// The variable that must be set to use a proxy other than the one in `name`.
pub(super) fn variable(name: &'static str) -> &'static str {
    if name == WINDOWS { "HTTPS_PROXY" } else { name }
}

#[cfg(windows)]
fn of_system(url: &Url) -> Option<(&'static str, String)> {
    super::windows_proxy::for_url(url).map(|address| (WINDOWS, address))
}

#[cfg(not(windows))]
fn of_system(_: &Url) -> Option<(&'static str, String)> {
    None
}

fn first(names: &[&'static str], env: &Env) -> Result<Option<(&'static str, String)>, Error> {
    for name in names {
        if let Some(value) = env.text(name)? {
            return Ok(Some((name, value)));
        }
    }
    Ok(None)
}

fn is_excluded(host: &str, no_proxy: &str) -> bool {
    no_proxy.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let domain = entry.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            Ok(address) => entry == "*" || is_within(address, entry),
            Err(_) => {
                domain.is_empty()
                    || host
                        .strip_suffix(&domain)
                        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    })
}

/// Whether `address` is the address in `entry`, or is in the network in `entry`.
fn is_within(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = entry.split_once('/').unwrap_or((entry, "128"));
    let network = network.trim_start_matches('[').trim_end_matches(']').parse();
    let (Ok(network), Ok(bits)) = (network, bits.parse::<u32>()) else {
        return false;
    };
    let differing = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return false,
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    differing >= bits.min(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(variables: &[(&str, &str)]) -> Env {
        Env::Map(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).into())).collect())
    }

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Option<&'static str> {
        for_url(&Url::parse(url).unwrap(), &env(variables)).unwrap().map(|proxy| proxy.name)
    }

    #[test]
    fn the_scheme_and_the_case_select_the_variable() {
        let both = [("https_proxy", "http://a:1"), ("HTTPS_PROXY", "http://b:1")];
        assert_eq!(chosen("https://idp.example/", &both), Some("https_proxy"));
        assert_eq!(chosen("https://idp.example/", &both[1..]), Some("HTTPS_PROXY"));
        assert_eq!(chosen("https://idp.example/", &[("ALL_PROXY", "a:1")]), Some("ALL_PROXY"));
        assert_eq!(chosen("http://idp.example/", &both), None);
        assert_eq!(chosen("http://idp.example/", &[("HTTP_PROXY", "http://a:1")]), None);
        assert_eq!(chosen("http://idp.example/", &[("http_proxy", "a:1")]), Some("http_proxy"));
    }

    #[test]
    fn local_hosts_use_no_proxy() {
        let proxy = [("https_proxy", "http://a:1"), ("http_proxy", "http://a:1")];
        assert_eq!(chosen("http://169.254.169.254/", &proxy), None);
        assert_eq!(chosen("https://localhost:8443/", &proxy), None);
    }

    #[test]
    fn no_proxy_lists_hosts_domains_and_networks() {
        for (host, list, excluded) in [
            ("idp.example.com", "idp.example.com", true),
            ("idp.example.com", "example.com", true),
            ("idp.example.com", ".example.com", true),
            ("idp.example.com", "*.example.com", true),
            ("idp.example.com", "other.test, EXAMPLE.com", true),
            ("idp.example.com", "*", true),
            ("badexample.com", "example.com", false),
            ("idp.example.com", "", false),
            ("idp.example.com", "idp.example.com.evil.test", false),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("11.1.2.3", "10.0.0.0/8", false),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("10.1.2.3", "3", false),
            ("fd00::1", "fd00::/8", true),
            ("fd00::1", "10.0.0.0/8", false),
        ] {
            assert_eq!(is_excluded(host, list), excluded, "{host} in {list}");
        }
    }

    #[test]
    fn a_proxy_has_a_host_and_a_valid_port() {
        for (address, words) in [
            ("http://proxy.example:abc", "does not have a port from 1 to 65535"),
            ("http://hunter2:p@proxy.example:99999", "does not have a port from 1 to 65535"),
            ("proxy.example:0", "does not have a port"),
            ("http://:80", "has no host"),
        ] {
            let error = read(address, "HTTPS_PROXY").unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("hunter2"), "{address}: {error}");
        }
        for address in ["proxy.example", "http://[::1]:3128", "http://u:p@[::1]", "a.example:1"] {
            assert!(read(address, "HTTPS_PROXY").is_ok(), "{address}");
        }
    }

    #[test]
    fn an_invalid_proxy_url_is_not_shown() {
        for value in ["http://user:hunter22@", "socks5://user:hunter22@a:1"] {
            let url = Url::parse("https://idp.example/").unwrap();
            let error = for_url(&url, &env(&[("HTTPS_PROXY", value)])).unwrap_err().to_string();
            assert!(error.contains("HTTPS_PROXY") && !error.contains("hunter22"), "{error}");
        }
    }
}
