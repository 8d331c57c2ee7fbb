//! Trust: the platform's store or `--ca-file`, client certificates, and TLS failures in plain words.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::default_provider;
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, CertificateError};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;

pub(super) fn config(
    ca_file: Option<&Path>,
    client_cert: Option<ClientCert>,
) -> Result<TlsConfig, Error> {
    let roots = match ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let pem = files::read_text(path, "--ca-file", Kind::Configuration)?;
            let certificates = certificates(&pem).ok_or_else(|| {
                let what = format!("{} holds no certificate in PEM form", path.display());
                Error::new(Kind::Configuration, what).hint("check --ca-file")
            })?;
            RootCerts::Specific(Arc::new(certificates))
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(roots)
        .client_cert(client_cert)
        .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
        .build())
}

/// The certificates of a PEM text; `None` where there is none or one is broken.
fn certificates(pem: &Secret) -> Option<Vec<Certificate<'static>>> {
    let items: Result<Vec<_>, _> = parse_pem(pem.expose().as_bytes()).collect();
    let certificates: Vec<_> = items.ok()?.into_iter().filter_map(certificate).collect();
    (!certificates.is_empty()).then_some(certificates)
}

fn certificate(item: PemItem<'static>) -> Option<Certificate<'static>> {
    match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    }
}

/// A client certificate chain with its private key, both PEM, checked to belong together.
///
/// # Errors
/// `CONFIGURATION` where either holds something else, or they do not match.
pub fn client_cert(chain: &Secret, key: &Secret) -> Result<ClientCert, Error> {
    let wrong = |what: &str, hint: &str| Error::new(Kind::Configuration, what).hint(hint);
    let certificates = certificates(chain)
        .ok_or_else(|| wrong("the client certificate is not in PEM form", "check --client-cert"))?;
    let key_pem = key.expose().as_bytes();
    let not_a_key = || wrong("the client key is no private key in PEM form", "check --client-key");
    let private_key = PrivateKey::from_pem(key_pem).map_err(|_| not_a_key())?;
    let chain: Vec<_> =
        certificates.iter().map(|c| CertificateDer::from(c.der()).into_owned()).collect();
    let key_der = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| not_a_key())?;
    CertifiedKey::from_der(chain, key_der, &default_provider()).map_err(|_| {
        wrong(
            "the client certificate and the client key do not belong together",
            "check --client-cert and --client-key",
        )
    })?;
    Ok(ClientCert::new_with_certs(&certificates, private_key))
}

/// The TLS failure inside an error of the agent.
pub(super) fn find(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(io) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

pub(super) fn explain(
    error: &rustls::Error,
    host: &str,
    option: &str,
    ca_file: Option<&Path>,
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
                Some(path) => distrusted(
                    "its authority is another one",
                    format!("put that authority's certificate in {} (--ca-file)", path.display()),
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
