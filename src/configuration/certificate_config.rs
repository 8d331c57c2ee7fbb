//! `certificate_config.json`: the paths of a client certificate and its key.
//!
//! gcloud and `wif-token config certificate` write it. The Enterprise Certificate Proxy uses the same
//! file for keys that are not in files. <https://google.aip.dev/auth/4118>

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::credential_source::CertificateSource;
use super::members::Members;
use super::search::{home_variable, well_known};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::{KeyRef, Pin, Pkcs11Uri};
use crate::secret::Secret;
use crate::show;

/// The variable with the path of the file.
const VARIABLE: &str = "GOOGLE_API_CERTIFICATE_CONFIG";

/// The name of the file in the folder of gcloud's settings.
const FILE_NAME: &str = "certificate_config.json";

/// The members for keys that only the Enterprise Certificate Proxy can use.
const OF_PROXY: [&str; 2] = ["windows_store", "macos_keychain"];

/// How to create the file again.
const FIX: &str = "create the file again with wif-token config certificate";

/// The content of the file.
#[derive(Debug)]
pub struct CertificateConfig {
    /// The path of the file.
    pub path: PathBuf,
    /// Its text.
    pub text: Secret,
    /// `cert_configs.workload.cert_path`: the certificate, which may be followed by its chain. With
    /// `cert_configs.pkcs11`, the certificate is in a token, like the key.
    pub certificate: KeyRef,
    /// `cert_configs.workload.key_path`, which can be a `pkcs11:` URI, or `cert_configs.pkcs11`.
    pub key: KeyRef,
}

/// The path of the file in the folder of gcloud's settings; `None` without a home directory.
///
/// # Errors
/// `CONFIGURATION` if the variable that names the folder is not text.
pub fn default_path(cx: &Context) -> Result<Option<PathBuf>, Error> {
    Ok(well_known(FILE_NAME, cx)?.map(|(path, _)| path))
}

impl CertificateConfig {
    /// Finds and reads the file.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is none, or if it does not name a certificate and a key.
    pub fn find(source: &CertificateSource, cx: &Context) -> Result<CertificateConfig, Error> {
        if let Some(path) = &source.config {
            return CertificateConfig::read(path, "certificate_config_location");
        }
        if let Some(path) = cx.env.get(VARIABLE).filter(|path| !path.is_empty()) {
            return CertificateConfig::read(path.as_ref(), VARIABLE);
        }
        let none = |cause: String| {
            Error::new(Kind::Configuration, "no certificate configuration was found")
                .cause(format!("{VARIABLE} is not set, and {cause}"))
                .fix(format!("run wif-token config certificate, or set {VARIABLE}"))
        };
        match well_known(FILE_NAME, cx)? {
            Some((path, place)) if files::exists(&path) => CertificateConfig::read(&path, place),
            Some((path, _)) => Err(none(format!("{} does not exist", show::path(&path)))),
            None => Err(none(format!("{} is not set", home_variable()))),
        }
    }

    fn read(path: &Path, place: &str) -> Result<CertificateConfig, Error> {
        CertificateConfig::parse(files::read_text(path, place, Kind::Configuration)?, path)
    }

    /// Reads the text of the file.
    pub(crate) fn parse(text: Secret, path: &Path) -> Result<CertificateConfig, Error> {
        let map: Map<String, Value> = serde_json::from_str(text.expose()).map_err(|_| {
            let what = format!("{} is not a JSON object", show::path(path));
            Error::new(Kind::Configuration, what).fix(format!("correct the file, or {FIX}"))
        })?;
        let members = Members { map: &map, path, inside: String::new(), fix: FIX };
        let (certificate, key) = paths(&members)?;
        Ok(CertificateConfig { path: path.to_owned(), text, certificate, key })
    }
}

/// Reads where the certificate and the key are.
fn paths(members: &Members) -> Result<(KeyRef, KeyRef), Error> {
    let configs = members.object("cert_configs")?.ok_or_else(|| members.missing("cert_configs"))?;
    let Some(workload) = configs.object("workload")? else {
        if let Some(pkcs11) = configs.object("pkcs11")? {
            let key = in_token(&configs, &pkcs11)?;
            return Ok((key.clone(), key));
        }
        return Err(match OF_PROXY.iter().find(|name| configs.map.contains_key(**name)) {
            Some(name) => configs
                .wrong(&format!("{name} is not supported"))
                .cause("only the Enterprise Certificate Proxy can use such keys")
                .fix("add cert_configs.workload with cert_path and key_path"),
            None => configs.missing("workload"),
        });
    };
    let key = KeyRef::parse(&workload.required("key_path")?);
    let key = key.map_err(|why| workload.wrong(&format!("key_path {why}")).fix(FIX))?;
    Ok((KeyRef::File(workload.required("cert_path")?.into()), key))
}

/// Reads which key the section of the Enterprise Certificate Proxy names. Its certificate has the
/// same label.
fn in_token(configs: &Members, section: &Members) -> Result<KeyRef, Error> {
    let text = |name| section.required(name);
    let uri = Pkcs11Uri::in_slot(&text("module")?, &text("slot")?, &text("label")?);
    let wrong = |why| configs.wrong(&format!("pkcs11 {why}")).fix("correct module, slot and label");
    let mut uri = uri.map_err(wrong)?;
    if let Some(pin) = section.text("user_pin")? {
        uri.pin = Some(Pin::Value(Secret::new(pin)));
    }
    Ok(KeyRef::Token(uri))
}
