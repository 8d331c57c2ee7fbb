//! `config certificate`: a configuration for clients that present a certificate by mutual TLS, and
//! the certificate configuration with the paths of the certificate and its key.
//!
//! Nothing runs `wif-token` for such a configuration: the clients read the files themselves.
//! `gcloud iam workload-identity-pools create-cred-config` writes the same two files.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates>

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{
    Options, as_written, check_trust, document, host, is_configuration, layout, publish, written,
};
use crate::command::Invocation;
use crate::command::config::gcloud;
use crate::configuration::certificate_config;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};
use crate::files;
use crate::files::ownership::Existing;
use crate::options::{self, KeyRef, not_for_tls};
use crate::show;
use crate::source::{SourceInfo, Trust};
use crate::x509;

options! {
    /// Options of `config certificate`.
    struct CertificateOptions {
        /// certificate of the workload in PEM format, optionally followed by its chain
        cert_path: PathBuf = "--cert-path=PEM",
        /// private key of the certificate: file with PEM, or pkcs11: URI of a key in a token, which
        /// only wif-token accepts
        key_path: KeyRef = "--key-path",
        /// certificates of the authorities between the certificate and one in the trust store of
        /// the pool provider, in order from the issuer of the certificate
        trust_chain_path: Option<PathBuf> = "--trust-chain-path=PEM",
        /// write the certificate configuration to this file (default: certificate_config.json in
        /// the folder of gcloud's settings)
        certificate_config_output: Option<PathBuf> = "--certificate-config-output=FILE",
    }
}

/// The word that only `config` accepts in place of a source.
pub(super) static INFO: SourceInfo = SourceInfo {
    name: "certificate",
    also: &["cert", "x509", "mtls"],
    summary: "an X.509 certificate, which clients present to Google by mutual TLS",
    options: &[CertificateOptions::TABLE],
    rest: None,
    variables: &[],
    example: "wif-token config certificate --cert-path=/etc/my-app/cert.pem \\\n  --key-path=/etc/my-app/key.pem --pool-provider=\"$POOL_PROVIDER\" --out=credentials.json",
    build: |_| Err(Error::bug("a certificate is not a source of tokens")),
};

/// Writes both files.
///
/// # Errors
/// `USAGE` if options cannot be used together, `CONFIGURATION` if a file cannot be written.
pub(super) fn run(
    options: &Options,
    provider: &PoolProvider,
    invocation: &Invocation,
    cx: &Context,
) -> Result<Output, Error> {
    let own = CertificateOptions::read(&invocation.values)?;
    refuse(options, provider)?;
    let trust = trust(&own.cert_path);
    check_trust(&trust)?;
    let absolute = |path: &Path, option: &str| host::path(path, option, None);
    let certificates = json!({ "cert_configs": { "workload": {
        "cert_path": absolute(&own.cert_path, "--cert-path")?,
        "key_path": match &own.key_path {
            KeyRef::File(path) => absolute(path, "--key-path")?,
            KeyRef::Token(uri) => uri.to_string(),
            KeyRef::Store(_) => return Err(not_for_tls("--key-path")),
        },
    }}});
    let option = "--certificate-config-output";
    let mut source = Map::new();
    let certificate_config = match &own.certificate_config_output {
        Some(path) => {
            let path = absolute(path, option)?;
            source.insert("certificate_config_location".to_owned(), path.as_str().into());
            path.into()
        }
        None => {
            source.insert("use_default_certificate_config".to_owned(), true.into());
            default_path(cx)?
        }
    };
    if let Some(path) = &own.trust_chain_path {
        let path = absolute(path, "--trust-chain-path")?;
        source.insert("trust_chain_path".to_owned(), path.into());
    }
    let source = json!({ "certificate": source });
    let common = options::Options::new(&invocation.values);
    let config = layout(&document::of(options, &common, source, provider, &trust)?);
    publish(&certificate_config, &layout(&certificates), option, is_ours)?;
    let Some(out) = options.out.as_deref().filter(|path| !files::is_stdout(path)) else {
        return Ok(config.into());
    };
    publish(out, &config, "--out", is_configuration)?;
    let written =
        written("configuration", out) + &written("certificate configuration", &certificate_config);
    Ok((written + &gcloud::commands(provider, &trust, options.service_account.as_deref())).into())
}

/// Refuses the options about a program, which such a configuration does not run.
fn refuse(options: &Options, provider: &PoolProvider) -> Result<(), Error> {
    if provider.project.is_none() {
        let what = "a workforce pool does not accept certificates";
        return Err(Error::new(Kind::Usage, what)
            .fix("set --pool-provider to a provider of a workload identity pool"));
    }
    let given = [
        ("--program", options.program.is_some()),
        ("--for-os", options.for_os.is_some()),
        ("--file-sourced", options.file_sourced),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => {
            let what = format!("{option} and certificate cannot be used together");
            Err(Error::new(Kind::Usage, what)
                .cause("clients read the certificate themselves, without wif-token")
                .fix(format!("remove {option}")))
        }
        None => Ok(()),
    }
}

/// The path of the certificate configuration that clients use by default. Creates its folder.
fn default_path(cx: &Context) -> Result<PathBuf, Error> {
    let path = certificate_config::default_path(cx)?.ok_or_else(|| {
        Error::new(Kind::Usage, "there is no home directory for the certificate configuration")
            .fix("add --certificate-config-output=FILE")
    })?;
    let path = files::absolute(&path);
    match path.parent().map(files::private_directory) {
        Some(Err(error)) => {
            Err(Error::new(Kind::Configuration, format!("cannot write {}", show::path(&path)))
                .cause(error)
                .fix("add --certificate-config-output=FILE"))
        }
        _ => Ok(path),
    }
}

/// The trust in the authority of the certificate. The principal is known if the file can be read.
fn trust(certificate: &Path) -> Trust {
    let text = files::read_text(certificate, "--cert-path", Kind::Configuration).ok();
    let certificates = text.and_then(|text| x509::certificates(&text)).unwrap_or_default();
    let name = certificates.first().and_then(x509::common_name);
    let is_printable = |name: &String| name.bytes().all(|byte| byte.is_ascii_graphic());
    Trust { principal: name.filter(is_printable), ..Trust::x509() }
}

/// Whether a file is a certificate configuration as this command writes it: it contains only the paths
/// of a certificate and its key. A file with keys of the Enterprise Certificate Proxy is not replaced.
fn is_ours(existing: &Existing<'_>) -> bool {
    let value = as_written(existing).unwrap_or_default();
    let configs = value.get("cert_configs");
    [(Some(&value), "cert_configs"), (configs, "workload")].into_iter().all(|(value, name)| {
        let members = value.and_then(Value::as_object);
        members.is_some_and(|members| members.keys().all(|member| member == name))
    })
}
