//! Failures that name the authority of a certificate.
//!
//! The errors of webpki do not say which authority is unknown or has expired. Its name tells a proxy that
//! intercepts TLS from a private authority or an incomplete chain.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::x509;

/// Why the authority of a certificate is not trusted.
#[derive(Debug)]
pub(super) enum OfAuthority {
    /// It is unknown. This is its name in the certificate that it issued.
    Unknown(String),
    /// It has expired, but the certificate that it issued has not.
    Expired,
}

impl fmt::Display for OfAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OfAuthority::Unknown(name) => write!(f, "the authority {name} is unknown"),
            OfAuthority::Expired => f.write_str("the authority has expired"),
        }
    }
}

impl StdError for OfAuthority {}

/// A verifier that adds [`OfAuthority`] to the failures of another one.
#[derive(Debug)]
pub(super) struct NamedAuthority(pub(super) Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for NamedAuthority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(certificate, intermediates, name, ocsp, now);
        verified.map_err(|error| match of_authority(&error, certificate, now) {
            Some(why) => {
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
            }
            None => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn of_authority(error: &Error, certificate: &CertificateDer, now: UnixTime) -> Option<OfAuthority> {
    let Error::InvalidCertificate(error) = error else { return None };
    match error {
        CertificateError::UnknownIssuer => {
            Some(OfAuthority::Unknown(plain(&x509::issuer(certificate)?)?))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let end = x509::expiry(certificate);
            let is_valid = end.is_none_or(|end| end.unsigned_abs() > now.as_secs());
            is_valid.then_some(OfAuthority::Expired)
        }
        _ => None,
    }
}

/// The longest name of an authority in a message, in characters.
const LONGEST_NAME: usize = 64;

/// The characters of a name that can be in a message. The server chose the name.
fn plain(name: &str) -> Option<String> {
    let is_plain = |c: &char| c.is_alphanumeric() || " -_.".contains(*c);
    let plain: String = name.chars().filter(is_plain).take(LONGEST_NAME).collect();
    Some(plain.trim().to_owned()).filter(|name| !name.is_empty())
}
