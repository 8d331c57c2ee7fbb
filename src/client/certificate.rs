//! The certificate that is the subject token of a configuration: the client presents it to Google
//! by mutual TLS, and exchanges it for an access token.
//!
//! The subject token is a JSON array of certificates in base64: that of the client, then those of
//! the trust chain. While the files are replaced, the key may not belong to the certificate, so
//! both are read again for a few seconds. All requests of a run present the same certificate.
//! <https://google.aip.dev/auth/4118>

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use serde_json::Value;

use super::executable::Allowed;
use crate::configuration::CredentialConfig;
use crate::configuration::certificate_config::CertificateConfig;
use crate::configuration::credential_source::{CertificateSource, CredentialSource};
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::formats;
use crate::http::{ClientCert, Unusable};
use crate::options::{KeyRef, Pkcs11Uri, not_for_tls};
use crate::secret::Secret;
use crate::shell::quoted;
use crate::show;
use crate::signing_key::TokenKey;
use crate::x509;

/// For how long a certificate and a key that do not match are read again.
const ROTATION: Duration = Duration::from_secs(5);

/// The pause before a certificate and its key are read again.
const PAUSE: Duration = Duration::from_millis(100);

/// The files of a certificate, read at one time.
#[derive(Debug)]
pub struct CertificateFiles {
    /// Where the certificate and the key are.
    pub config: CertificateConfig,
    /// The text of the file with the certificate, and perhaps its chain.
    certificate: Secret,
    /// The text of the file with the trust chain.
    trust_chain: Option<Secret>,
}

impl CertificateFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is no certificate configuration, or a file cannot be read.
    pub fn read(source: &CertificateSource, cx: &Context) -> Result<CertificateFiles, Error> {
        let config = CertificateConfig::find(source, cx)?;
        let shown = show::path(&config.path);
        let certificate = match &config.certificate {
            KeyRef::File(path) => {
                files::read_text(path, &format!("cert_path in {shown}"), Kind::Configuration)?
            }
            KeyRef::Token(uri) => x509::pem(&token(uri, &config, cx)?.certificates()?),
            KeyRef::Store(_) => return Err(not_for_tls(&format!("cert_path in {shown}"))),
        };
        let trust_chain = source.trust_chain.as_deref();
        let trust_chain = trust_chain.map(|path| {
            files::read_text(path, "credential_source.trust_chain_path", Kind::Configuration)
        });
        Ok(CertificateFiles { config, certificate, trust_chain: trust_chain.transpose()? })
    }

    /// Identifies the certificate, for a file that caches what was obtained with it.
    pub fn identity(&self) -> String {
        let chain = self.trust_chain.as_ref().map_or("", Secret::expose);
        let texts = [self.config.text.expose(), self.certificate.expose(), chain];
        digest(texts.iter().map(|text| text.as_bytes()))
    }

    /// The certificate of the client; `None` if the file does not begin with one.
    pub fn leaf(&self) -> Option<CertificateDer<'static>> {
        Some(x509::certificates(&self.certificate)?.swap_remove(0))
    }

    /// The certificates of the trust chain, without that of the client at its beginning.
    ///
    /// # Errors
    /// `CONFIGURATION` if the file does not contain certificates, or repeats that of the client
    /// after others.
    pub fn chain(
        &self,
        leaf: &CertificateDer,
        path: Option<&Path>,
    ) -> Result<Vec<CertificateDer<'static>>, Error> {
        // Google's libraries accept an empty file.
        let text = self.trust_chain.as_ref().filter(|text| !text.expose().trim().is_empty());
        let Some(text) = text else { return Ok(Vec::new()) };
        let member = "credential_source.trust_chain_path";
        let shown = path.map(show::path).unwrap_or_default();
        let mut chain = x509::certificates(text)
            .ok_or_else(|| no_certificate(&shown).fix(format!("check {member}")))?;
        if chain.first() == Some(leaf) {
            chain.remove(0);
        }
        match chain.contains(leaf) {
            false => Ok(chain),
            true => Err(Error::new(
                Kind::Configuration,
                format!("{shown} repeats the certificate of the client after other certificates"),
            )
            .fix(format!("remove it from {shown}, or move it to the beginning"))),
        }
    }

    /// Loads the certificate with its key; `None` if the key does not belong to it.
    fn pair(&self, cx: &Context) -> Result<Option<ClientCert>, Error> {
        let config = show::path(&self.config.path);
        let place = format!("cert_path and key_path in {config}");
        let (pair, key) = match &self.config.key {
            KeyRef::File(path) => {
                cx.log.warn_if_shared(path);
                let key = format!("key_path in {config}");
                let key = files::read_text(path, &key, Kind::Configuration)?;
                (ClientCert::read(&self.certificate, &key, &place), Some(key))
            }
            KeyRef::Token(uri) => {
                let key = Arc::new(token(uri, &self.config, cx)?);
                let chain = x509::certificates(&self.certificate).ok_or(Unusable::Chain);
                (chain.and_then(|chain| ClientCert::with_key(chain, key, &place)), None)
            }
            KeyRef::Store(_) => return Err(not_for_tls(&format!("key_path in {config}"))),
        };
        match pair {
            Ok(pair) => Ok(Some(pair)),
            Err(Unusable::Mismatch) => Ok(None),
            Err(unusable) => Err(self.explain(unusable, &place, key.as_ref())),
        }
    }

    /// The error for a certificate or a key that cannot be used. `key` is the text of the key file.
    fn explain(&self, unusable: Unusable, place: &str, key: Option<&Secret>) -> Error {
        let (certificate, shown) = (self.config.certificate.shown(), self.config.key.shown());
        let wrong = |what: String| Error::new(Kind::Configuration, what);
        let (error, reason, fix) = match unusable {
            Unusable::Chain => return no_certificate(&certificate).fix(format!("check {place}")),
            Unusable::Certificate | Unusable::Mismatch => {
                return wrong(format!("{certificate} does not begin with a valid certificate"))
                    .fix("use an X.509 certificate of version 3");
            }
            Unusable::KeyType => {
                let curves = [x509::P256, x509::P384];
                let reason = key.and_then(|key| x509::without_public_key(key, &curves));
                let what = match reason {
                    Some(_) => format!("the key in {shown} cannot be used"),
                    None => format!("the type or the size of the key in {shown} is not supported"),
                };
                let fix = "use an RSA key of 2048 to 4096 bits, or a P-256 or P-384 key";
                (wrong(what), reason, fix.to_owned())
            }
            Unusable::Key => {
                let reason = key.and_then(|key| formats::other_key(key.expose()));
                let what = format!("{shown} does not contain a private key in PEM format");
                (wrong(what), reason, format!("check {place}"))
            }
        };
        match reason {
            Some((cause, fix)) => {
                error.cause(cause).fix(formats::filled(fix, &quoted(&shown), "key_path"))
            }
            None => error.fix(fix),
        }
    }
}

/// Opens the key that a certificate configuration names, in its PKCS#11 token.
fn token(uri: &Pkcs11Uri, config: &CertificateConfig, cx: &Context) -> Result<TokenKey, Error> {
    Allowed::module(&config.path, &cx.env)?;
    TokenKey::open(uri, &show::path(&config.path), Kind::Configuration, false, cx)
}

fn no_certificate(shown: &str) -> Error {
    let what = format!("{shown} does not contain a certificate in PEM format");
    Error::new(Kind::Configuration, what)
}

/// A certificate that is used for all requests of a run.
#[derive(Debug)]
pub struct Identity {
    /// The context of requests that present the certificate.
    pub cx: Context,
    /// The subject token.
    pub subject_token: Secret,
    /// Identifies the certificate, as [`CertificateFiles::identity`] does.
    pub id: String,
}

impl Identity {
    /// Loads the certificate of a configuration; `None` if its subject token is of another kind.
    ///
    /// # Errors
    /// `CONFIGURATION` if a file is missing or wrong, or the key does not belong to the certificate.
    pub fn of(config: &CredentialConfig, cx: &Context) -> Result<Option<Identity>, Error> {
        let CredentialSource::Certificate(source) = &config.source else { return Ok(None) };
        let end = cx.deadline.waiting_at_most(ROTATION);
        loop {
            let files = CertificateFiles::read(source, cx)?;
            match files.pair(cx)? {
                Some(pair) => return Identity::new(&files, pair, source, cx).map(Some),
                None => cx.log.line("the key does not belong to the certificate yet"),
            }
            thread::sleep(PAUSE.min(end.remaining()));
            // Otherwise, the next pair would be opened after the deadline, and the message would say that
            // the PKCS#11 token does not respond.
            if end.has_passed() {
                return Err(mismatch(&files.config));
            }
        }
    }

    fn new(
        files: &CertificateFiles,
        pair: ClientCert,
        source: &CertificateSource,
        cx: &Context,
    ) -> Result<Identity, Error> {
        let leaf = pair.chain().first().ok_or_else(|| no_certificate("cert_path"))?;
        let chain = files.chain(leaf, source.trust_chain.as_deref())?;
        let shown = files.config.certificate.shown();
        cx.log.line(format!("presenting the certificate in {shown}"));
        let certificates = [leaf].into_iter().chain(&chain);
        let token: Value = certificates.map(|certificate| STANDARD.encode(certificate)).collect();
        Ok(Identity {
            subject_token: Secret::new(token.to_string()),
            id: files.identity(),
            cx: cx.narrowed(|_, http| http.tls.client_cert = Some(pair)),
        })
    }
}

/// Reads the common name of the client's certificate from a subject token.
pub fn subject(token: &Secret) -> Option<String> {
    let certificates: Value = serde_json::from_str(token.expose()).ok()?;
    let der = STANDARD.decode(certificates.get(0)?.as_str()?).ok()?;
    x509::common_name(&der.into())
}

fn mismatch(config: &CertificateConfig) -> Error {
    let (certificate, key) = (config.certificate.shown(), config.key.shown());
    let what = format!("the key in {key} does not belong to the certificate in {certificate}");
    Error::new(Kind::Configuration, what).fix(format!(
        "correct cert_path or key_path in {}, or check what replaces these files",
        show::path(&config.path)
    ))
}
