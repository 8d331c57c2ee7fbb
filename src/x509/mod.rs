//! X.509 certificates: whether a server that trusts their issuer accepts them, and what they contain.
//! <https://www.rfc-editor.org/rfc/rfc5280>

mod contents;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

pub use self::contents::{
    DEFAULT_SUBJECT, claims, common_name, issuer, rsa_public_key, signature_algorithm,
};
use crate::der;
use crate::secret::Secret;
use crate::time::LAST_SECOND;

/// Encodes DER certificates as PEM text.
pub fn pem(certificates: &[Vec<u8>]) -> Secret {
    let blocks = certificates.iter().map(|der| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    });
    Secret::new(blocks.collect::<String>())
}

/// Reads the certificates in a PEM text; `None` if there is none or one is invalid.
pub fn certificates(pem: &Secret) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// A curve: its object identifier in DER, and the first bytes of the BIT STRING that contains an
/// uncompressed public key.
#[derive(Debug)]
pub struct Curve(&'static [u8], &'static [u8]);

/// The curve P-256.
pub const P256: Curve = Curve(der::P256, &[0x03, 0x42, 0x00, 0x04]);
/// The curve P-384.
pub const P384: Curve = Curve(der::P384, &[0x03, 0x62, 0x00, 0x04]);

/// Explains why a PEM private key on one of `curves` is not usable: its public key, which is
/// optional (RFC 5915, section 3), is missing or compressed. Also returns the fix, in which `FILE`
/// stands for the path and `OPTION` for the option that contains the path. Returns `None` for any
/// other key.
pub fn without_public_key(pem: &Secret, curves: &[Curve]) -> Option<(&'static str, &'static str)> {
    let key = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    let has = |part: &[u8]| key.secret_der().windows(part.len()).any(|bytes| bytes == part);
    curves.iter().any(|Curve(name, point)| has(name) && !has(point)).then_some((
        "it does not contain the public key in uncompressed form",
        "run openssl ec -in FILE -conv_form uncompressed -out FILE.new, set the mode of the new file to \
         0600, and set OPTION to the new file",
    ))
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
    /// Another problem, as the library describes it.
    Other(String),
}

/// Checks a certificate without its issuer. `now` is in seconds since 1970.
///
/// # Errors
/// The first problem. It is never [`Problem::UnknownIssuer`].
pub fn check(leaf: &CertificateDer, now: i64) -> Result<(), Problem> {
    match check_chain(leaf, &[], now) {
        Err(Problem::UnknownIssuer) => Ok(()),
        result => result,
    }
}

/// Checks that `chain` leads from the certificate `leaf` to the last certificate of the chain.
///
/// # Errors
/// The first problem of any certificate.
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

/// The expiry of a certificate that is valid now, in seconds since 1970; `None` if the certificate
/// never expires, which the last second of the year 9999 stands for.
pub fn expiry(certificate: &CertificateDer) -> Option<i64> {
    match check(certificate, LAST_SECOND) {
        Err(Problem::Expired(end)) => Some(end),
        _ => None,
    }
}

/// Whether `certificate` names `authority`, which may be the same certificate, as its issuer.
pub fn is_issued_by(certificate: &CertificateDer, authority: &CertificateDer) -> bool {
    let parse = |certificate| EndEntityCert::try_from(certificate).ok();
    let names = parse(certificate).zip(parse(authority));
    names.is_some_and(|(certificate, authority)| certificate.issuer() == authority.subject())
}

#[cfg(test)]
mod tests;
