//! The hosts of Google's services.

/// Whether this is the public host of a service, its mTLS or regional host, or a host of Private
/// Service Connect.
pub fn is_google(host: &str, service: &str, universe: &str) -> bool {
    let Some(name) = host.strip_suffix(universe).and_then(|name| name.strip_suffix('.')) else {
        return false;
    };
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts: Vec<&str> = name.split('.').collect();
    match parts[..] {
        [first] | [first, "mtls"] => first == service || first.ends_with(&format!("-{service}")),
        [first, "p"] => {
            first.strip_prefix(service).and_then(|rest| rest.strip_prefix('-')).is_some_and(word)
        }
        [first, region, "rep"] => first == service && word(region),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn google_hosts_are_compared_by_their_whole_name() {
        for (host, google) in [
            ("sts.googleapis.com", true),
            ("sts.mtls.googleapis.com", true),
            ("sts-mine.p.googleapis.com", true),
            ("sts.europe-west1.rep.googleapis.com", true),
            ("us-east1-sts.googleapis.com", true),
            ("evil.googleapis.com", false),
            ("sts.googleapis.com.example", false),
            ("xsts.googleapis.com", false),
            ("sts.googleapis.com.p.googleapis.com", false),
            ("sts-.p.googleapis.com", false),
        ] {
            assert_eq!(is_google(host, "sts", "googleapis.com"), google, "{host}");
        }
    }
}
