//! Service principals and workload identities: the client credentials grant at the token endpoint of
//! Microsoft Entra ID, with a secret, a certificate, or the token of another issuer.
//!
//! `POST {authority}/{tenant}/oauth2/v2.0/token` with `scope=RESOURCE/.default`. A certificate signs
//! an assertion (PS256) that names it by its thumbprint; a workload identity sends the token in its
//! file, which Kubernetes renews, as it is.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>,
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

use super::{Azure, Lookup, aadsts};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{self, Response, Url, retry};
use crate::options::SecretRef;
use crate::random;
use crate::secret::Secret;
use crate::signing_key::SigningKey;

const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";
const HOST: &str = "AZURE_AUTHORITY_HOST";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// How long an assertion counts, in seconds: clocks differ.
const ASSERTION_LIFE: i64 = 300;

/// How a client proves who it is, and the option or variable that says so.
enum Proof {
    Secret(SecretRef),
    Certificate { certificate: PathBuf, key: PathBuf, option: &'static str },
    Token(PathBuf, &'static str),
}

pub(super) fn service_principal(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let proof = if let Some(secret) = &azure.options.client_secret {
        Proof::Secret(secret.clone())
    } else if let Some(certificate) = azure.options.client_cert.clone() {
        let key = azure.options.client_key.clone().unwrap_or_else(|| certificate.clone());
        Proof::Certificate { certificate, key, option: "--client-cert" }
    } else if cx.env.text(SECRET)?.is_some() {
        Proof::Secret(SecretRef::Env(SECRET.to_owned()))
    } else if let Some(path) = cx.env.text(CERTIFICATE)? {
        let path = PathBuf::from(path);
        Proof::Certificate { certificate: path.clone(), key: path, option: CERTIFICATE }
    } else {
        return Ok(Lookup::Absent(format!(
            "none of --client-secret, --client-cert, {SECRET} and {CERTIFICATE} is set"
        )));
    };
    let account = account(azure, cx)?;
    if let (Err(missing), None, None) =
        (&account, &azure.options.client_secret, &azure.options.client_cert)
    {
        // A secret that stands alone in the variables may be meant for something else.
        return Ok(Lookup::Absent((*missing).to_owned()));
    }
    ask(&proof, account, azure, cx)
}

pub(super) fn workload_identity(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let proof = match (&azure.options.federated_token_file, cx.env.text(TOKEN_FILE)?) {
        (Some(path), _) => Proof::Token(path.clone(), "--federated-token-file"),
        (None, Some(path)) => Proof::Token(path.into(), TOKEN_FILE),
        (None, None) => {
            return Ok(Lookup::Absent(format!(
                "neither --federated-token-file nor {TOKEN_FILE} is set"
            )));
        }
    };
    // A pod that is not told whose token to exchange must not end up with its node's identity.
    ask(&proof, account(azure, cx)?, azure, cx)
}

/// Tenant and client, or which of them nothing names.
type Account = Result<(String, String), &'static str>;

fn account(azure: &Azure, cx: &Context) -> Result<Account, Error> {
    let set = |option: &Option<String>, variable| match option {
        Some(value) => Ok(Some(value.clone())),
        None => cx.env.text(variable),
    };
    let tenant = set(&azure.options.tenant_id, "AZURE_TENANT_ID")?;
    let client = set(&azure.options.client_id, "AZURE_CLIENT_ID")?;
    Ok(match (tenant, client) {
        (Some(tenant), Some(client)) => Ok((tenant, client)),
        (None, _) => Err("neither --tenant-id nor AZURE_TENANT_ID is set"),
        (_, None) => Err("neither --client-id nor AZURE_CLIENT_ID is set"),
    })
}

fn ask(proof: &Proof, account: Account, azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let (tenant, client) = account.map_err(|missing| {
        Error::new(Kind::Configuration, missing).fix(
            "its credentials are here; for a pod, annotate the service account with \
                   azure.workload.identity/client-id",
        )
    })?;
    let endpoint = endpoint(&tenant, azure, cx)?;
    let scope = format!("{}/.default", azure.options.resource);
    let passes = |response: &Response| retry::is_passing(response.status);
    // Made anew for each try: an assertion counts once.
    let response = retry::ask(cx.deadline, passes, || {
        let post = http::Request::post(&endpoint, "--authority-host")
            .header("Accept", "application/json")
            .field("grant_type", "client_credentials")
            .field("scope", scope.as_str())
            .field("client_id", client.as_str());
        cx.send(proof.add(post, &client, &endpoint, cx)?.once())
    })?;
    let reason = response.error_text().and_then(|words| aadsts::explain(&words));
    let response = response.require_success().map_err(|error| match (reason, error.kind()) {
        (Some((kind, fix)), _) => error.of_kind(kind).fix(fix),
        (None, Kind::Denied) => error.fix("check --tenant-id, --client-id and its credentials"),
        (None, _) => error,
    })?;
    Ok(Lookup::Found((response.json()?, endpoint)))
}

fn endpoint(tenant: &str, azure: &Azure, cx: &Context) -> Result<Url, Error> {
    if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        return Err(Error::new(Kind::Configuration, "the tenant is neither an id nor a domain")
            .fix("check --tenant-id and AZURE_TENANT_ID (az account show --query tenantId)"));
    }
    let host = match (&azure.options.authority_host, cx.env.text(HOST)?) {
        (Some(host), _) => host.as_typed().to_owned(),
        (None, Some(host)) if host.contains("://") => host,
        (None, Some(host)) => format!("https://{host}"),
        (None, None) => PUBLIC_CLOUD.to_owned(),
    };
    Url::parse(&format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'))).map_err(
        |why| {
            Error::new(Kind::Configuration, format!("{HOST} {why}"))
                .fix(format!("correct {HOST}, such as {PUBLIC_CLOUD}"))
        },
    )
}

impl Proof {
    /// Adds the proof to a token request of this client.
    fn add<'a>(
        &self,
        request: http::Request<'a>,
        client: &str,
        endpoint: &Url,
        cx: &Context,
    ) -> Result<http::Request<'a>, Error> {
        let assertion = match self {
            Proof::Secret(secret) => {
                return Ok(request.field("client_secret", secret.read("--client-secret", cx)?));
            }
            Proof::Certificate { certificate, key, option } => {
                let key_option = if key == certificate { option } else { "--client-key" };
                let certificate = read_certificate(certificate, option, cx)?;
                let key = SigningKey::read(key, key_option, Kind::Configuration, cx)?;
                let now = cx.clock.now();
                let claims = json!({
                    "iss": client,
                    "sub": client,
                    "aud": endpoint.as_typed(),
                    "jti": random::hex()?,
                    "nbf": now,
                    "iat": now,
                    "exp": now + ASSERTION_LIFE,
                });
                key.sign_certified(&claims, &certificate, key_option)?
            }
            Proof::Token(path, option) => {
                let token = files::read_text(path, option, Kind::Configuration)?;
                let token = Secret::new(token.expose().trim());
                if token.expose().is_empty() {
                    let what = format!("the file {} is empty", path.display());
                    return Err(Error::new(Kind::Configuration, what)
                        .fix(format!("check {option} and whatever writes it")));
                }
                token
            }
        };
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        Ok(request.field("client_assertion_type", kind).field("client_assertion", assertion))
    }
}

/// The first certificate in a PEM file.
fn read_certificate(
    path: &Path,
    option: &'static str,
    cx: &Context,
) -> Result<CertificateDer<'static>, Error> {
    let fix = "make PEM of a PFX file: openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes";
    if option == CERTIFICATE && cx.env.text(PASSWORD)?.is_some() {
        return Err(Error::new(Kind::Configuration, format!("{PASSWORD} is not supported"))
            .fix(format!("{fix}; then unset {PASSWORD}")));
    }
    let is_pfx = path.extension().is_some_and(|end| end == "pfx" || end == "p12");
    let pem =
        files::read_text(path, option, Kind::Configuration).map_err(|error| match is_pfx {
            true => error.fix(fix),
            false => error,
        })?;
    CertificateDer::from_pem_slice(pem.expose().as_bytes()).map_err(|_| {
        let what = format!("{} holds no certificate in PEM form", path.display());
        Error::new(Kind::Configuration, what).fix(format!("check {option}; {fix}"))
    })
}
