//! Trust: the platform's store or `--ca-file`, client certificates, and TLS failures in plain words.

use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::CaFile;
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;

/// A client certificate chain with its private key.
#[derive(Debug)]
pub struct ClientCert {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl ClientCert {
    /// Reads both from PEM.
    ///
    /// # Errors
    /// `CONFIGURATION` where either holds something else.
    pub fn new(chain: &Secret, key: &Secret) -> Result<ClientCert, Error> {
        let wrong = |what: &str, hint: &str| Error::new(Kind::Configuration, what).hint(hint);
        let chain = certificates(chain).ok_or_else(|| {
            wrong("the client certificate is not in PEM form", "check --client-cert")
        })?;
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| {
            wrong("the client key is no private key in PEM form", "check --client-key")
        })?;
        Ok(ClientCert { chain, key })
    }
}

/// Whom to trust, and which certificate to show.
///
/// # Errors
/// `CONFIGURATION` where there is nobody to trust, or certificate and key do not match.
pub(super) fn config(
    ca_file: Option<&CaFile>,
    client_cert: Option<&ClientCert>,
) -> Result<ClientConfig, Error> {
    let no_trust = |error| explain(&error, "", "", ca_file);
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(no_trust)?;
    let builder = match ca_file {
        None => builder.with_platform_verifier().map_err(no_trust)?,
        Some(ca_file) => builder.with_root_certificates(roots(ca_file)?),
    };
    let Some(ClientCert { chain, key }) = client_cert else {
        return Ok(builder.with_no_client_auth());
    };
    builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|_| {
        let what = "the client certificate and the client key do not belong together";
        Error::new(Kind::Configuration, what).hint("check --client-cert and --client-key")
    })
}

fn roots(CaFile { path, place }: &CaFile) -> Result<RootCertStore, Error> {
    let pem = files::read_text(path, place, Kind::Configuration)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&pem).unwrap_or_default());
    match roots.is_empty() {
        false => Ok(roots),
        true => {
            let what = format!("{} holds no certificate in PEM form", path.display());
            Err(Error::new(Kind::Configuration, what).hint(format!("check {place}")))
        }
    }
}

/// The certificates of a PEM text; `None` where there is none or one is broken.
fn certificates(pem: &Secret) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// The TLS failure inside an error of the agent.
pub(super) fn find(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Other(error) => error.downcast_ref(),
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

pub(super) fn explain(
    error: &rustls::Error,
    host: &str,
    option: &str,
    ca_file: Option<&CaFile>,
) -> Error {
    let distrusted = |why: &str, hint: String| {
        Error::new(Kind::Configuration, format!("the certificate of {host} is not trusted"))
            .cause(why)
            .hint(hint)
    };
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => distrusted(
                "it has expired",
                format!("renew it at {host}, or set this host's clock"),
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                distrusted("it is not valid yet", "set this host's clock".to_owned())
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                distrusted("it is for another name", format!("check the host in {option}"))
            }
            _ => match ca_file {
                Some(CaFile { path, place }) => distrusted(
                    "its authority is another one",
                    format!("put that authority's certificate in {} ({place})", path.display()),
                ),
                None => distrusted(
                    "its authority is unknown here",
                    "give that authority's certificate with --ca-file=PEM".to_owned(),
                ),
            },
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Error::new(Kind::Denied, format!("{host} wants another client certificate"))
            .cause(error)
            .hint("check --client-cert and --client-key"),
        rustls::Error::AlertReceived(_)
        | rustls::Error::PeerIncompatible(_)
        | rustls::Error::InvalidMessage(_) => {
            Error::new(Kind::Protocol, format!("{host} does not speak TLS 1.2 or 1.3"))
                .cause(error)
                .hint(format!("check the port in {option} and the server's TLS settings"))
        }
        rustls::Error::General(_) | rustls::Error::Other(_) => {
            Error::new(Kind::Configuration, "this host has no usable trust store")
                .cause(error)
                .hint(
                    "install the platform's certificate authorities (ca-certificates), \
                 or give one with --ca-file=PEM",
                )
        }
        _ => Error::new(Kind::Unreachable, format!("TLS with {host} failed")).cause(error),
    }
}
