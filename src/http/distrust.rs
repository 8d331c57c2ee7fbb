//! Why the certificate of a server is not trusted, and what to change.

use rustls::{CertificateError, OtherError};

use super::Pin;
use super::verifier::OfAuthority;
use crate::error::{Error, Kind};

/// The maximum number of names of a certificate in a message.
const NAMES: usize = 3;

/// The error for a connection to a host whose certificate is not trusted. `option` contains the URL,
/// and `trust` says how to trust a certificate.
pub(super) fn explain(
    error: &CertificateError,
    host: &str,
    option: &str,
    pin: Option<&Pin>,
    trust: &dyn Fn(&str) -> String,
) -> Error {
    let (why, fix) = match pin {
        Some(pin) => unpinned(error, option, pin),
        None => of_the_certificate(error, host, option)
            .unwrap_or_else(|| of_the_authority(error, host, trust)),
    };
    let what = format!("the certificate of {host} is not trusted");
    Error::new(Kind::Configuration, what).cause(why).fix(fix)
}

fn unpinned(error: &CertificateError, option: &str, Pin { place, .. }: &Pin) -> (String, String) {
    let why = match error {
        CertificateError::ApplicationVerificationFailure => {
            format!("its SHA-1 hash is not the one in {place}")
        }
        _ => "the server did not prove that it has the private key".to_owned(),
    };
    (why, format!("check {option} and {place}, and restart the application"))
}

/// The cause and the fix if the certificate itself is at fault, not its authority.
fn of_the_certificate(
    error: &CertificateError,
    host: &str,
    option: &str,
) -> Option<(String, String)> {
    let issue = |how: &str| format!("issue the certificate of {host} again {how}");
    let (why, fix) = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "it has expired",
            format!("renew the certificate of {host}, or correct this host's clock"),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "it is not valid yet",
            format!(
                "correct this host's clock, or install a certificate on {host} that is already \
                     valid"
            ),
        ),
        CertificateError::Revoked => ("it has been revoked", issue("with a new key")),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => (
            "it has no subject alternative name, and the common name is ignored",
            issue("with the host name as a subject alternative name"),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let why = format!("it is for a different host name{}", names(error));
            return Some((why, format!("check the host in {option}")));
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "its signature algorithm is not supported",
            format!("install a certificate with SHA-256 or SHA-384 on {host}"),
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => (
            "its extended key usage does not allow server authentication",
            issue("with the extended key usage serverAuth"),
        ),
        CertificateError::BadEncoding => ("it is not a valid X.509 certificate", issue("")),
        CertificateError::Other(OtherError(error)) if is_expired(error.downcast_ref()) => (
            "the certificate of an authority in its chain has expired",
            format!("install a renewed chain on {host}, or correct this host's clock"),
        ),
        CertificateError::Other(OtherError(error)) => match error.downcast_ref()? {
            webpki::Error::UnsupportedCriticalExtension => {
                ("it has an unknown critical extension", issue("without this extension"))
            }
            webpki::Error::UnsupportedCertVersion => (
                "it is not of version 3",
                issue("with a subject alternative name, which requires version 3"),
            ),
            webpki::Error::EndEntityUsedAsCa
            | webpki::Error::NameConstraintViolation
            | webpki::Error::PathLenConstraintViolated => (
                "an authority in its chain is not allowed to issue it",
                issue("by another authority"),
            ),
            _ => return None,
        },
        _ => return None,
    };
    Some((why.to_owned(), fix.trim_end().to_owned()))
}

/// The host names in the certificate, in parentheses.
///
/// webpki formats each as `DnsName("NAME")`. The server chose them, so only characters of host names are shown.
fn names(error: &CertificateError) -> String {
    let CertificateError::NotValidForNameContext { presented, .. } = error else {
        return String::new();
    };
    let name = |text: &String| {
        let name = text.strip_prefix("DnsName(\"")?.strip_suffix("\")")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
        (name.len() <= 253 && name.chars().all(plain)).then(|| name.to_owned())
    };
    let names: Vec<String> = presented.iter().filter_map(name).take(NAMES).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", names.join(", ")),
    }
}

fn is_expired(why: Option<&OfAuthority>) -> bool {
    matches!(why, Some(OfAuthority::Expired))
}

/// The cause and the fix if the authority is not trusted, or has another key.
fn of_the_authority(
    error: &CertificateError,
    host: &str,
    trust: &dyn Fn(&str) -> String,
) -> (String, String) {
    let unknown = "it was issued by an unknown authority".to_owned();
    let add_authority = || trust("the certificate of that authority");
    match error {
        CertificateError::BadSignature => (
            "its signature does not match the key of its authority, because the authority has a new \
             key, or a key of fewer than 2048 bits"
                .to_owned(),
            format!(
                "{}, or issue the certificate of {host} with an authority key of at least 2048 bits",
                trust("the current certificate of the authority")
            ),
        ),
        CertificateError::Other(OtherError(error)) => {
            match (error.downcast_ref(), error.downcast_ref()) {
                (Some(OfAuthority::Unknown(name)), _) => {
                    (format!("{unknown} ({name})"), add_authority())
                }
                (_, Some(webpki::Error::CaUsedAsEndEntity)) => (
                    "it is the certificate of an authority (CA:TRUE), not of a server".to_owned(),
                    format!(
                        "{}, or issue the certificate of {host} with CA:FALSE",
                        trust("exactly this certificate")
                    ),
                ),
                _ => (unknown, add_authority()),
            }
        }
        _ => (unknown, add_authority()),
    }
}
