//! TLS: the trusted authorities, client certificates, and the messages for TLS failures.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, InconsistentKeys, OtherError, RootCertStore,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::show;

/// A client certificate chain with its private key.
#[derive(Debug, Clone)]
pub struct ClientCert {
    chain: Vec<CertificateDer<'static>>,
    key: ClientKey,
    place: String,
}

/// The key of a client certificate.
#[derive(Debug, Clone)]
enum ClientKey {
    /// The key itself.
    Pem(Arc<PrivateKeyDer<'static>>),
    /// A key that signs elsewhere.
    Signer(Arc<dyn SigningKey>),
}

impl ClientCert {
    /// Reads the certificate chain and the key in PEM. `place` names the options that contain them.
    ///
    /// # Errors
    /// `CONFIGURATION` if either is not in PEM.
    pub fn new(chain: &Secret, key: &Secret, place: &str) -> Result<ClientCert, Error> {
        let wrong = |what| Error::new(Kind::Configuration, what).fix(format!("check {place}"));
        let chain = client_chain(chain, place)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| {
            let error = wrong("the client key is not a private key in PEM format");
            match show::other_key(key.expose()) {
                Some((what, fix)) => error.cause(what).fix(fix.replace("OPTION", "the client key")),
                None => error,
            }
        })?;
        Ok(ClientCert { chain, key: ClientKey::Pem(Arc::new(key)), place: place.to_owned() })
    }

    /// Reads the certificate chain in PEM. Its key signs elsewhere.
    ///
    /// # Errors
    /// `CONFIGURATION` if the chain is not in PEM.
    pub fn with_signer(
        chain: &Secret,
        key: Arc<dyn SigningKey>,
        place: &str,
    ) -> Result<ClientCert, Error> {
        let chain = client_chain(chain, place)?;
        Ok(ClientCert { chain, key: ClientKey::Signer(key), place: place.to_owned() })
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
    /// Those in a file, which is read before the first request.
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

    fn roots(&self) -> Result<RootCertStore, Error> {
        let pem = match self {
            Authorities::File(CaFile { path, place }) => {
                files::read_text(path, place, Kind::Configuration)?
            }
            Authorities::Pem(pem, _) => pem.clone(),
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(&pem).unwrap_or_default());
        match roots.is_empty() {
            false => Ok(roots),
            true => {
                let what = format!("{} does not contain a certificate in PEM format", self.place());
                Err(Error::new(Kind::Configuration, what).fix(
                    "add the certificate of the authority that issued the server's certificate",
                ))
            }
        }
    }
}

/// The settings of TLS connections.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The authorities to trust instead of those of the platform.
    pub authorities: Option<Authorities>,
    /// The certificate for every server that requests one.
    pub client_cert: Option<ClientCert>,
    /// The name that must be in the certificate of the server, if it is not the host name.
    pub server_name: Option<ServerName<'static>>,
    /// How to trust another authority, if `--ca-file` is not the way.
    pub how_to_trust: Option<String>,
}

impl Terms {
    /// Reads the trusted authorities, so that a mistake in them is reported before a connection.
    ///
    /// # Errors
    /// `CONFIGURATION` if their file cannot be read or contains no certificate.
    pub fn require_authorities(&self) -> Result<(), Error> {
        self.authorities.as_ref().map_or(Ok(()), |authorities| authorities.roots().map(drop))
    }

    /// The configuration for rustls.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is no trusted authority, or client certificate and key do not
    /// match.
    pub(super) fn config(&self) -> Result<ClientConfig, Error> {
        let no_trust = |error| explain(&error, "", "", self);
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(no_trust)?;
        let builder = match &self.authorities {
            None => builder.with_platform_verifier().map_err(no_trust)?,
            Some(authorities) => builder.with_root_certificates(authorities.roots()?),
        };
        let Some(ClientCert { chain, key, place }) = &self.client_cert else {
            return Ok(builder.with_no_client_auth());
        };
        let mismatch = || {
            let what = "the client certificate does not match the client key";
            Error::new(Kind::Configuration, what).fix(format!("check {place}"))
        };
        match key {
            ClientKey::Pem(key) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|_| mismatch()),
            ClientKey::Signer(key) => {
                let certified = CertifiedKey::new(chain.clone(), key.clone());
                // Unless both public keys are known, the server decides.
                if let Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) =
                    certified.keys_match()
                {
                    return Err(mismatch());
                }
                let resolver = SingleCertAndKey::from(certified);
                Ok(builder.with_client_cert_resolver(Arc::new(resolver)))
            }
        }
    }
}

fn client_chain(pem: &Secret, place: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    certificates(pem).ok_or_else(|| {
        Error::new(Kind::Configuration, "the client certificate is not in PEM format")
            .fix(format!("check {place}"))
    })
}

/// The certificates in a PEM text; `None` if there is none or one is invalid.
fn certificates(pem: &Secret) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// The TLS error inside an error of the agent.
pub(super) fn find(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Other(error) => error.downcast_ref(),
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// The failure of a TLS connection to a host. `option` contains the URL.
pub(super) fn explain(error: &rustls::Error, host: &str, option: &str, terms: &Terms) -> Error {
    if let rustls::Error::Other(OtherError(error)) = error
        && let Some(error) = error.downcast_ref::<Error>()
    {
        return error.clone(); // of a key that signs elsewhere
    }
    match error {
        rustls::Error::InvalidCertificate(error) => distrust(error, host, option, terms),
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => {
            let place = terms.client_cert.as_ref().map(|cert| cert.place.as_str());
            let place = place.unwrap_or("--client-cert and --client-key");
            Error::new(Kind::Denied, format!("{host} requires a valid client certificate"))
                .cause(error)
                .fix(format!("check {place}"))
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

/// The failure of a connection to a host whose certificate is not trusted.
fn distrust(error: &CertificateError, host: &str, option: &str, terms: &Terms) -> Error {
    let (why, fix) = match (error, &terms.authorities) {
        (CertificateError::Expired | CertificateError::ExpiredContext { .. }, _) => (
            "it has expired",
            format!("renew the certificate of {host}, or correct this host's clock"),
        ),
        (CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }, _) => {
            ("it is not valid yet", "correct this host's clock".to_owned())
        }
        (
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            _,
        ) => ("it is for a different host name", format!("check the host in {option}")),
        (
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. },
            _,
        ) => (
            "its signature algorithm is not supported",
            format!("install a certificate with SHA-256 or SHA-384 on {host}"),
        ),
        (_, Some(authorities)) => (
            "it was issued by an unknown authority",
            format!("add the certificate of that authority to {}", authorities.place()),
        ),
        (_, None) => (
            "it was issued by an unknown authority",
            terms.how_to_trust.clone().unwrap_or_else(|| {
                "add --ca-file=PEM with the certificate of that authority".to_owned()
            }),
        ),
    };
    Error::new(Kind::Configuration, format!("the certificate of {host} is not trusted"))
        .cause(why)
        .fix(fix)
}
