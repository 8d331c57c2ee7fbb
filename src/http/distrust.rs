//! Why the certificate of a server is not trusted, and what to change.

use rustls::{CertificateError, OtherError};

use super::Pin;
use super::verifier::OfAuthority;
use crate::error::{Error, Kind};

/// The maximum number of names of a certificate in a message.
const NAMES: usize = 3;

/// The failure of a connection to a host whose certificate is not trusted. `option` contains the URL,
/// and `trust` says how to trust another authority.
pub(super) fn explain(
    error: &CertificateError,
    host: &str,
    option: &str,
    pin: Option<&Pin>,
    trust: String,
) -> Error {
    let (why, fix) = match pin {
        Some(pin) => unpinned(error, option, pin),
        None => of_the_certificate(error, host, option)
            .unwrap_or_else(|| (of_the_authority(error), trust)),
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

/// A fault of the certificate itself, not of its authority.
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
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("it is not valid yet", "correct this host's clock".to_owned())
        }
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
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            ("its extended key usage does not allow a server", issue("with serverAuth"))
        }
        CertificateError::BadEncoding => ("it is not a valid X.509 certificate", issue("")),
        CertificateError::Other(OtherError(error)) if is_expired(error.downcast_ref()) => (
            "an authority in its chain has expired",
            format!("replace the chain of the certificate on {host}, or correct this host's clock"),
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

/// An authority that is not trusted, or that has another key.
fn of_the_authority(error: &CertificateError) -> String {
    const UNKNOWN: &str = "it was issued by an unknown authority";
    match error {
        CertificateError::BadSignature => "its signature does not match the key of its authority, \
             which was replaced or has fewer than 2048 bits"
            .to_owned(),
        CertificateError::Other(OtherError(error)) => {
            match (error.downcast_ref(), error.downcast_ref()) {
                (Some(OfAuthority::Unknown(name)), _) => format!("{UNKNOWN} ({name})"),
                (_, Some(webpki::Error::CaUsedAsEndEntity)) => {
                    "it is itself the certificate of an authority (CA:TRUE)".to_owned()
                }
                _ => UNKNOWN.to_owned(),
            }
        }
        _ => UNKNOWN.to_owned(),
    }
}
