//! The proxy in the settings of Windows: those of the user, or those of the machine
//! (`netsh winhttp`).
//!
//! A setting names one proxy for all schemes, or one for each: `http=a:80;https=b:443`. The hosts
//! to reach directly are patterns with `*`; `<local>` means all names without a dot. Scripts for
//! automatic configuration (PAC, WPAD) are not evaluated.
//! <https://learn.microsoft.com/windows/win32/api/winhttp/ns-winhttp-winhttp_proxy_info>

#[cfg(windows)]
mod settings;

use super::Url;

/// The proxy for a URL; `None` for a direct connection.
#[cfg(windows)]
pub(super) fn for_url(url: &Url) -> Option<String> {
    settings::of_user().or_else(settings::of_machine)?.proxy(url)
}

/// A proxy setting in the format of Windows.
struct Setting {
    proxies: String,
    bypass: String,
}

impl Setting {
    fn proxy(&self, url: &Url) -> Option<String> {
        if entries(&self.bypass).any(|entry| is_direct(url, entry)) {
            return None;
        }
        let scheme = if url.is_https() { "https" } else { "http" };
        let of_scheme = |wanted: &str| {
            let mut named = entries(&self.proxies).filter_map(|entry| entry.split_once('='));
            Some(named.find(|(scheme, _)| scheme.eq_ignore_ascii_case(wanted))?.1)
        };
        let of_all = || entries(&self.proxies).find(|entry| !entry.contains('='));
        let socks = || Some(format!("socks5://{}", of_scheme("socks")?));
        of_scheme(scheme).or_else(of_all).map(str::to_owned).or_else(socks)
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ';' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}

/// Whether an entry of the bypass list, `[SCHEME://]HOST[:PORT]`, matches a URL.
fn is_direct(url: &Url, entry: &str) -> bool {
    let entry = entry.to_ascii_lowercase();
    let host = url.host();
    if entry == "<local>" {
        return !host.contains(['.', ':']);
    }
    let (scheme, pattern) = entry.split_once("://").unwrap_or(("", &entry));
    let origin = url.origin();
    let (of_url, authority) = origin.split_once("://").unwrap_or_default();
    (scheme.is_empty() || scheme == of_url)
        && (matches(host, pattern) || matches(authority, pattern))
}

/// Whether a text matches a pattern, in which `*` matches any text.
fn matches(text: &str, pattern: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(tail) = text.strip_prefix(head) else { return false };
    (0..=tail.len()).filter_map(|at| tail.get(at..)).any(|tail| matches(tail, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str, proxies: &str, bypass: &str) -> Option<String> {
        let setting = Setting { proxies: proxies.to_owned(), bypass: bypass.to_owned() };
        setting.proxy(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_setting_names_one_proxy_or_one_for_each_scheme() {
        for (proxies, expected) in [
            ("proxy.example:8080", Some("proxy.example:8080")),
            ("http://proxy.example:8080", Some("http://proxy.example:8080")),
            ("http=a:80;https=b:443", Some("b:443")),
            ("http=a:80 HTTPS=b:443", Some("b:443")),
            ("http=a:80;c:3128", Some("c:3128")),
            ("http=a:80;https=http://b:443;socks=s:1080", Some("http://b:443")),
            ("socks=s:1080", Some("socks5://s:1080")),
            ("http=a:80", None),
            (" ; ", None),
        ] {
            assert_eq!(
                proxy("https://idp.example/", proxies, "").as_deref(),
                expected,
                "{proxies}"
            );
        }
        assert_eq!(proxy("http://idp.example/", "http=a:80;https=b:443", "").unwrap(), "a:80");
    }

    #[test]
    fn the_bypass_list_contains_patterns() {
        for (url, bypass, direct) in [
            ("https://idp.example.com/", "*.example.com", true),
            ("https://idp.example.com/", "other.test;*.EXAMPLE.com", true),
            ("https://idp.example.com/", "other.test *.com", true),
            ("https://idp.example.com/", "idp.*.com", true),
            ("https://idp.example.com/", "*", true),
            ("https://idp.example.com/", "idp.example.com", true),
            ("https://idp.example.com/", "idp.example.com:443", true),
            ("https://idp.example.com/", "https://idp.example.com", true),
            ("https://idp.example.com/", "http://idp.example.com", false),
            ("https://idp.example.com/", "idp.example.com:8443", false),
            ("https://idp.example.com:8443/", "*.example.com:8443", true),
            ("https://idp.example.com/", "example.com", false),
            ("https://badexample.com/", "*.example.com", false),
            ("https://10.1.2.3/", "10.*", true),
            ("https://110.1.2.3/", "10.*", false),
            ("https://intranet/", "<local>", true),
            ("https://idp.example.com/", "<local>", false),
            ("https://[fd00::1]/", "<local>", false),
            ("https://[fd00::1]/", "[fd00::1]:443", true),
            ("https://idp.example.com/", "", false),
        ] {
            assert_eq!(proxy(url, "p:1", bypass).is_none(), direct, "{url} {bypass}");
        }
    }
}
