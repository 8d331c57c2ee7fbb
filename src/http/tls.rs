//! TLS: the trusted authorities, client certificates, and the messages for TLS failures.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{AlertDescription, ClientConfig, InconsistentKeys, InvalidMessage, OtherError};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::verifier::Verifier;
use super::{Pin, distrust};
use crate::error::{Error, Kind};
use crate::files;
use crate::formats;
use crate::secret::Secret;
use crate::shell::quoted;
use crate::show;
use crate::x509;

/// A client certificate chain with its private key.
#[derive(Debug, Clone)]
pub struct ClientCert {
    pair: Arc<CertifiedKey>,
    place: String,
}

/// Why a certificate chain and a key cannot be used.
#[derive(Debug, Clone, Copy)]
pub enum Unusable {
    /// The chain is not in PEM format, or empty.
    Chain,
    /// The key is not in PEM format.
    Key,
    /// The type or the size of the key is not supported.
    KeyType,
    /// The first certificate is not a valid X.509 certificate of version 3.
    Certificate,
    /// The key does not belong to the first certificate.
    Mismatch,
}

impl Unusable {
    /// The error for this reason. `place` names the options that contain the chain and the key.
    fn explain(self, place: &str) -> Error {
        let what = match self {
            Unusable::Chain => "the client certificate is not in PEM format",
            Unusable::Key => "the client key is not a private key in PEM format",
            Unusable::KeyType => "the client key is not supported",
            Unusable::Certificate => "the client certificate is not valid",
            Unusable::Mismatch => "the client certificate does not match the client key",
        };
        Error::new(Kind::Configuration, what).fix(format!("check {place}"))
    }
}

impl ClientCert {
    /// Reads the certificate chain and the key in PEM. `place` names the options that contain them.
    /// For a fix, `option` is the option that contains the key, and `file` is the quoted path of
    /// the key, or `FILE`.
    ///
    /// # Errors
    /// `CONFIGURATION` if either is not in PEM or cannot be used, or if they do not match.
    pub fn new(
        chain: &Secret,
        key: &Secret,
        place: &str,
        [option, file]: [&str; 2],
    ) -> Result<ClientCert, Error> {
        ClientCert::read(chain, key, place).map_err(|unusable| {
            let reason = match unusable {
                Unusable::Chain => {
                    let error = unusable.explain(place);
                    let other = formats::other_certificate(chain.expose());
                    return match other {
                        Some((what, _)) => error.cause(what),
                        None => error,
                    };
                }
                Unusable::Key => formats::other_key(key.expose()),
                Unusable::KeyType => x509::without_public_key(key, &[x509::P256, x509::P384]),
                _ => None,
            };
            let error = unusable.explain(place);
            match reason {
                Some((what, fix)) => error.cause(what).fix(formats::filled(fix, file, option)),
                None => error,
            }
        })
    }

    /// Reads the certificate chain in PEM. `key` signs with a private key that is stored elsewhere.
    ///
    /// # Errors
    /// The errors of [`ClientCert::new`].
    pub fn with_signer(
        chain: &Secret,
        key: Arc<dyn SigningKey>,
        place: &str,
    ) -> Result<ClientCert, Error> {
        let chain = x509::certificates(chain).ok_or(Unusable::Chain);
        let pair = chain.and_then(|chain| ClientCert::with_key(chain, key, place));
        pair.map_err(|unusable| unusable.explain(place))
    }

    /// Reads the certificate chain and the key in PEM, like [`ClientCert::new`].
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn read(chain: &Secret, key: &Secret, place: &str) -> Result<ClientCert, Unusable> {
        let chain = x509::certificates(chain).ok_or(Unusable::Chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes());
        let key = any_supported_type(&key.map_err(|_| Unusable::Key)?);
        ClientCert::with_key(chain, key.map_err(|_| Unusable::KeyType)?, place)
    }

    /// Combines a certificate chain, which must not be empty, with a key that may be stored
    /// anywhere.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn with_key(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
        place: &str,
    ) -> Result<ClientCert, Unusable> {
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            // The public keys of some keys are unknown. Then only the server can detect a mismatch.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(ClientCert { pair: Arc::new(pair), place: place.to_owned() })
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(Unusable::Mismatch),
            Err(_) => Err(Unusable::Certificate),
        }
    }

    /// The certificate chain, which begins with the certificate of the client.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.pair.cert
    }
}

/// A file of certificate authorities to trust.
#[derive(Debug, Clone)]
pub struct CaFile {
    /// The path.
    pub path: PathBuf,
    /// The option or variable that names the file, for messages.
    pub place: &'static str,
}

/// The authorities to trust instead of those of the platform.
#[derive(Debug, Clone)]
pub enum Authorities {
    /// The authorities in a file, which is read before the first request.
    File(CaFile),
    /// The authorities in this PEM text. The second value is the place of the text, for messages.
    Pem(Secret, String),
}

impl Authorities {
    /// The place of the authorities, for messages.
    pub(super) fn place(&self) -> String {
        match self {
            Authorities::File(CaFile { path, place }) => format!("{} ({place})", show::path(path)),
            Authorities::Pem(_, place) => place.clone(),
        }
    }

    fn verifier(&self) -> Result<Verifier, Error> {
        let pem = match self {
            Authorities::File(CaFile { path, place }) => {
                files::read_text(path, place, Kind::Configuration)?
            }
            Authorities::Pem(pem, _) => pem.clone(),
        };
        let trusted = x509::certificates(&pem).unwrap_or_default();
        Verifier::of(trusted).ok_or_else(|| {
            let what = format!("{} does not contain a certificate in PEM format", self.place());
            let error = Error::new(Kind::Configuration, what)
                .fix("add the certificate of the authority that issued the server's certificate");
            match (self, formats::other_certificate(pem.expose())) {
                (Authorities::File(CaFile { path, place }), Some((what, fix))) => {
                    let file = quoted(&path.to_string_lossy()).into_owned();
                    error.cause(what).fix(formats::filled(fix, &file, place))
                }
                _ => error,
            }
        })
    }
}

/// The settings of TLS connections.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The authorities to trust instead of those of the platform.
    pub authorities: Option<Authorities>,
    /// The certificate to trust instead of any authority.
    pub pin: Option<Pin>,
    /// The certificate for every server that requests one.
    pub client_cert: Option<ClientCert>,
    /// The name that must be in the certificate of the server, if it is not the host name.
    pub server_name: Option<ServerName<'static>>,
    /// The beginning of the fix to trust another authority if `--ca-file` does not apply. The name of
    /// the certificate follows.
    pub how_to_trust: Option<String>,
    /// The way to present a client certificate, if there is one.
    pub how_to_identify: Option<&'static str>,
}

impl Terms {
    /// Reads the trusted authorities, so that a mistake in them is reported before a connection.
    ///
    /// # Errors
    /// `CONFIGURATION` if their file cannot be read or contains no certificate.
    pub fn require_authorities(&self) -> Result<(), Error> {
        self.authorities.as_ref().map_or(Ok(()), |authorities| authorities.verifier().map(drop))
    }

    /// The fix that makes this program trust a certificate, such as `exactly this certificate`.
    fn how_to_trust(&self, certificate: &str) -> String {
        match (&self.authorities, &self.how_to_trust) {
            (Some(authorities), _) => format!("add {certificate} to {}", authorities.place()),
            (None, Some(how)) => format!("{how} {certificate}"),
            (None, None) => format!("add --ca-file=PEM with {certificate}"),
        }
    }

    /// The configuration for rustls.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is no trusted authority.
    pub(super) fn config(&self) -> Result<ClientConfig, Error> {
        let no_trust = |error| explain(&error, "", "", self);
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(no_trust)?;
        let verifier: Arc<dyn ServerCertVerifier> = match (&self.pin, &self.authorities) {
            (Some(pin), _) => Arc::new(pin.clone()),
            (None, None) => Arc::new(Verifier::of_platform().map_err(no_trust)?),
            (None, Some(authorities)) => Arc::new(authorities.verifier()?),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Ok(match &self.client_cert {
            None => builder.with_no_client_auth(),
            Some(ClientCert { pair, .. }) => {
                let resolver = SingleCertAndKey::from(pair.clone());
                builder.with_client_cert_resolver(Arc::new(resolver))
            }
        })
    }
}

/// The TLS error inside an error of the agent.
pub(super) fn find(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Other(error) => error.downcast_ref(),
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// The fix if a server requires a client certificate and none is set, or another one is required.
fn fix_client_certificate(option: &str, terms: &Terms) -> String {
    match (&terms.client_cert, terms.how_to_identify) {
        (Some(cert), _) => format!("check {}", cert.place),
        (None, Some(how)) => how.to_owned(),
        (None, None) => {
            format!("set {option} to a server that does not require a client certificate")
        }
    }
}

/// Whether the other side responded, but not with TLS.
pub(super) fn is_without_tls(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType))
}

/// The error for a TLS connection to a host. `option` contains the URL.
pub(super) fn explain(error: &rustls::Error, host: &str, option: &str, terms: &Terms) -> Error {
    if let rustls::Error::Other(OtherError(error)) = error
        && let Some(error) = error.downcast_ref::<Error>()
    {
        return error.clone(); // the error of a key that is stored elsewhere
    }
    match error {
        rustls::Error::InvalidCertificate(error) => {
            let trust = |certificate: &str| terms.how_to_trust(certificate);
            distrust::explain(error, host, option, terms.pin.as_ref(), &trust)
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Error::new(Kind::Denied, format!("{host} requires a valid client certificate"))
            .cause(error)
            .fix(fix_client_certificate(option, terms)),
        error if is_without_tls(error) => {
            Error::new(Kind::Protocol, format!("{host} did not respond with TLS"))
                .fix(format!("check the port in {option}, and check whether a proxy responded"))
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => {
            Error::new(Kind::Protocol, format!("the TLS handshake with {host} failed"))
                .cause(error)
                .fix(format!("enable TLS 1.2 or 1.3 on {host}"))
        }
        rustls::Error::AlertReceived(_)
        | rustls::Error::PeerIncompatible(_)
        | rustls::Error::InvalidMessage(_) => {
            Error::new(Kind::Protocol, format!("the TLS handshake with {host} failed"))
                .cause(error)
                .fix(format!("check the port in {option} and the TLS settings of the server"))
        }
        rustls::Error::General(_) | rustls::Error::Other(_) => Error::new(
            Kind::Configuration,
            "this host has no usable certificate store",
        )
        .cause(error.to_string().trim_start_matches("unexpected error: "))
        .fix(
            "install the certificate authorities of the platform (package ca-certificates), \
                     or add --ca-file=PEM",
        ),
        _ => Error::new(Kind::Unreachable, format!("the TLS connection to {host} failed"))
            .cause(error)
            .fix(format!("check {option} and the TLS settings of the server")),
    }
}
