//! X.509 certificates: what they contain, and whether a server that trusts their issuer accepts them.
//! <https://www.rfc-editor.org/rfc/rfc5280>

use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use serde_json::{Map, Value, json};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::secret::Secret;

/// The certificates in a PEM text; `None` if there is none or one is invalid.
pub fn certificates(pem: &Secret) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// Why a server refuses a client certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not a certificate of version 3 as RFC 5280 defines it.
    Malformed,
    /// It expired at this time, in seconds since 1970.
    Expired(i64),
    /// It is valid from this time, in seconds since 1970.
    NotYetValid(i64),
    /// It is the certificate of an authority.
    Authority,
    /// It has extended key usages, but not `clientAuth`.
    NotForClients,
    /// No certificate of the chain issued it.
    UnknownIssuer,
    /// Something else.
    Other(String),
}

/// Checks a certificate on its own at this time, in seconds since 1970.
///
/// # Errors
/// The first problem. It is never [`Problem::UnknownIssuer`].
pub fn check(leaf: &CertificateDer, now: i64) -> Result<(), Problem> {
    match check_chain(leaf, &[], now) {
        Err(Problem::UnknownIssuer) => Ok(()),
        result => result,
    }
}

/// Checks that the chain leads from a certificate to the last certificate of the chain.
///
/// # Errors
/// The first problem of any of them.
pub fn check_chain(
    leaf: &CertificateDer,
    chain: &[CertificateDer],
    now: i64,
) -> Result<(), Problem> {
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| Problem::Malformed)?;
    let (anchors, between) = match chain.split_last() {
        None => (Vec::new(), chain),
        Some((last, between)) => {
            (vec![anchor_from_trusted_cert(last).map_err(|_| Problem::Malformed)?], between)
        }
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.max(0) as u64));
    let usage = KeyUsage::client_auth();
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, between, now, usage, None, None)
        .map(drop)
        .map_err(|error| match error {
            webpki::Error::CertExpired { not_after, .. } => Problem::Expired(seconds(not_after)),
            webpki::Error::CertNotValidYet { not_before, .. } => {
                Problem::NotYetValid(seconds(not_before))
            }
            webpki::Error::CaUsedAsEndEntity => Problem::Authority,
            webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension => {
                Problem::NotForClients
            }
            webpki::Error::UnknownIssuer => Problem::UnknownIssuer,
            error => Problem::Other(error.to_string()),
        })
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// Whether a certificate names itself as its issuer.
pub fn is_self_signed(certificate: &CertificateDer) -> bool {
    EndEntityCert::try_from(certificate).is_ok_and(|leaf| leaf.issuer() == leaf.subject())
}

/// The CEL expression that Google maps to `google.subject` by default.
pub const DEFAULT_SUBJECT: &str = "assertion.subject.dn.cn";

/// What Google's attribute mappings can use of a certificate, as far as it is text.
/// <https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates>
pub fn claims(certificate: &CertificateDer) -> Value {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Value::Null };
    let name = |der| json!({ "dn": distinguished_name(der) });
    let mut san = Map::new();
    san.extend(certificate.valid_dns_names().next().map(|dns| ("dns".to_owned(), dns.into())));
    san.extend(certificate.valid_uri_names().next().map(|uri| ("uri".to_owned(), uri.into())));
    json!({ "subject": name(certificate.subject()), "issuer": name(certificate.issuer()), "san": san })
}

/// The attributes of a distinguished name: a list of sets of pairs of an object identifier and a text.
fn distinguished_name(mut name: &[u8]) -> Map<String, Value> {
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    /// `UTF8String`, `PrintableString` and `IA5String`
    const TEXT: [u8; 3] = [0x0c, 0x13, 0x16];
    let mut attributes = Map::new();
    while let Some((SET, mut pairs, rest)) = element(name) {
        name = rest;
        while let Some((SEQUENCE, pair, rest)) = element(pairs) {
            pairs = rest;
            let Some((_, kind, value)) = element(pair) else { continue };
            let attribute = match kind {
                [0x55, 0x04, 0x03] => "cn",
                [0x55, 0x04, 0x0a] => "o",
                [0x55, 0x04, 0x0b] => "ou",
                _ => continue,
            };
            let text = element(value).filter(|(tag, ..)| TEXT.contains(tag));
            if let Some(text) = text.and_then(|(_, text, _)| std::str::from_utf8(text).ok()) {
                attributes.insert(attribute.to_owned(), text.into());
            }
        }
    }
    attributes
}

/// The common name of the subject of a certificate, if it is text.
pub fn common_name(certificate: &CertificateDer) -> Option<String> {
    claims(certificate).pointer("/subject/dn/cn")?.as_str().map(str::to_owned)
}

/// The tag and the content of the first DER element, and the elements after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}
