//! Redirects that stay on the same server.
//!
//! The agent does not follow redirects, because a redirect could send a credential to another host.
//! A redirect to the same origin (scheme, host and port, RFC 6454) is safe in this respect. A
//! source whose protocol requires such a redirect resolves it here and sends the next request
//! itself.

use super::{Response, Url};

impl Response {
    /// The target of a 302 redirect, if it has the same origin as `from`, the URL of the request.
    pub fn same_origin_redirect(&self, from: &Url) -> Option<Url> {
        match self.status {
            302 => same_origin(self.headers("location").next()?, from),
            _ => None,
        }
    }
}

/// Resolves a `Location` header: an absolute URL or an absolute path (RFC 9110, section 10.2.2).
fn same_origin(location: &str, from: &Url) -> Option<Url> {
    // `//host/path` is a URL with another host, not a path.
    let is_path = location.starts_with('/') && !location.starts_with("//");
    let target = match is_path {
        true => Url::parse(&format!("{}{location}", from.origin())).ok()?,
        false => Url::parse(location).ok()?,
    };
    (target.origin() == from.origin()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_redirects_to_the_same_origin_are_resolved() {
        let from = Url::parse("https://adfs.example.com/adfs/ls/?a=b").unwrap();
        for (location, path) in [
            ("/adfs/ls/wia?c=d", Some("/adfs/ls/wia")),
            ("https://adfs.example.com/adfs/ls/wia", Some("/adfs/ls/wia")),
            ("https://ADFS.example.com:443/wia", Some("/wia")),
            ("http://adfs.example.com/wia", None),
            ("https://adfs.example.com:8443/wia", None),
            ("https://adfs.example.com.evil.example/wia", None),
            ("https://user@adfs.example.com/wia", None),
            ("//evil.example/wia", None),
            ("wia", None),
            ("", None),
        ] {
            let target = same_origin(location, &from);
            assert_eq!(target.as_ref().map(Url::path), path, "{location}");
        }
    }
}
