//! The grammar of values that become a part of a configuration, a request or a command to paste.

use crate::error::{Error, Kind};

/// Checks that the value of `option` is valid. `example` is a valid value, for the fix.
///
/// # Errors
/// `USAGE` if `valid` is false. `what` says what is wrong, and follows the name of the option in
/// the message.
pub fn require(valid: bool, option: &str, what: &str, example: &str) -> Result<(), Error> {
    match valid {
        true => Ok(()),
        false => Err(Error::new(Kind::Usage, format!("{option} {what}"))
            .fix(format!("use a value such as {option}={example}"))),
    }
}

/// Checks that a value of an option names a service account.
///
/// # Errors
/// `USAGE` if it does not.
pub fn require_service_account(text: &str, option: &str) -> Result<(), Error> {
    match is_service_account(text) {
        true => Ok(()),
        false => Err(not_a_service_account(option)),
    }
}

/// The error for a value of an option that does not name a service account.
pub fn not_a_service_account(option: &str) -> Error {
    Error::new(Kind::Usage, format!("{option} is not the email address of a service account"))
        .fix(format!("use a value such as {option}=my-account@my-project.iam.gserviceaccount.com"))
}

/// Whether a text is the email address or the unique ID of a service account.
pub fn is_service_account(text: &str) -> bool {
    let is_name = |name: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits)
    };
    is_number(text)
        || text.split_once('@').is_some_and(|(name, host)| is_name(name) && is_domain(host))
}

/// Whether the email address is in a domain that Google gives to service accounts. Other universes
/// may have other domains.
pub fn is_in_domain_of_google(email: &str) -> bool {
    email.split_once('@').is_some_and(|(_, domain)| domain.ends_with(".gserviceaccount.com"))
}

/// Whether a text is a project number, or a project ID, which may begin with a domain and a colon.
pub fn is_project(text: &str) -> bool {
    let id = match text.split_once(':') {
        Some((domain, id)) if is_domain(domain) => id,
        _ => text,
    };
    let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
    is_number(text) || (begins && is_label(id) && (6..=30).contains(&id.len()))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a domain name in lower case, with at least two labels.
pub fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// Whether a text is a label: lower-case letters, digits, and hyphens that are not at an end.
pub fn is_label(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_their_grammar() {
        type Case = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 4] = [
            (
                is_service_account,
                &[
                    "a@b.iam.gserviceaccount.com",
                    "123-compute@developer.gserviceaccount.com",
                    "my-project@appspot.gserviceaccount.com",
                    "app@p.example.com.iam.gserviceaccount.com",
                    "123456789012345678901",
                ],
                &[
                    "",
                    "app",
                    "serviceAccount:a@b.iam.gserviceaccount.com",
                    "a@b@c.com",
                    "a@b",
                    "a b@c.com",
                    "a@c.com/../x",
                    "a@c.com\nrm",
                    "$(id)@c.com",
                    "a@c.com:generateIdToken?",
                ],
            ),
            (
                is_in_domain_of_google,
                &["a@b.iam.gserviceaccount.com", "123-compute@developer.gserviceaccount.com"],
                &[
                    "",
                    "123456789012345678901",
                    "a@evilgserviceaccount.com",
                    "a@gserviceaccount.com",
                ],
            ),
            (
                is_domain,
                &["googleapis.com", "example.goog", "u-1.apis.example"],
                &["", "com", "Googleapis.com", "a..b", "-a.com", "a.com/", "a.com:1", "a b.com"],
            ),
            (
                is_project,
                &["1", "123456789012", "my-project", "example.com:my-project"],
                &["", "-1", "1.5", "proj", "My-Project", "my project", "my-project-", "a/b-c-d"],
            ),
        ];
        for (is_valid, good, bad) in cases {
            assert!(good.iter().all(|text| is_valid(text)), "{good:?}");
            for text in bad {
                assert!(!is_valid(text), "{text}");
            }
        }
    }
}
