//! Whether the certificate of a server is trusted. webpki decides, with two differences.
//!
//! webpki refuses the certificate of an authority (`CA:TRUE`) as that of a server. `openssl req -x509` creates
//! such a certificate by default, and OpenSSL and Go accept it if exactly this certificate is trusted.
//!
//! The errors of webpki do not say which authority is unknown or has expired. The name of the
//! authority shows whether a proxy intercepts TLS, the authority is private, or the chain is
//! incomplete.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::ring::default_provider;
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::x509;

/// Why the authority of a certificate is not trusted.
#[derive(Debug)]
pub(super) enum OfAuthority {
    /// The authority is unknown. The text is its name in the certificate that it issued.
    Unknown(String),
    /// The authority has expired, but the certificate that it issued has not.
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

/// A verifier whose failures name the authority, see [`OfAuthority`].
#[derive(Debug)]
pub(super) struct Verifier {
    by_authorities: Arc<dyn ServerCertVerifier>,
    /// The certificates that are trusted even if a server itself uses one of them.
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// Creates a verifier that trusts the authorities of the platform.
    ///
    /// # Errors
    /// If the platform has no authorities.
    pub(super) fn of_platform() -> Result<Verifier, Error> {
        let platform = rustls_platform_verifier::Verifier::new(Arc::new(default_provider()))?;
        Ok(Verifier { by_authorities: Arc::new(platform), trusted: Vec::new() })
    }

    /// Creates a verifier that trusts the certificates in `trusted` and those that they issued;
    /// `None` if none of them can be used as an authority.
    pub(super) fn of(trusted: Vec<CertificateDer<'static>>) -> Option<Verifier> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let provider = Arc::new(default_provider());
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Some(Verifier { by_authorities: issued.build().ok()?, trusted })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.by_authorities.verify_server_cert(certificate, intermediates, name, ocsp, now);
        match verified {
            // When webpki reports this failure, it has checked the dates, but not the name.
            Err(error) if is_authority(&error) && self.trusted.contains(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(match of_authority(&error, certificate, now) {
                Some(why) => CertificateError::Other(OtherError(Arc::new(why))).into(),
                None => error,
            }),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_authorities.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authorities.supported_verify_schemes()
    }
}

fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error else {
        return false;
    };
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
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

/// Removes the characters that must not be in a message, because the server chose the name.
fn plain(name: &str) -> Option<String> {
    let is_plain = |c: &char| c.is_alphanumeric() || " -_.".contains(*c);
    let plain: String = name.chars().filter(is_plain).take(LONGEST_NAME).collect();
    Some(plain.trim().to_owned()).filter(|name| !name.is_empty())
}
