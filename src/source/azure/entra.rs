//! Service principals and workload identities: the client credentials grant at the token endpoint
//! of Microsoft Entra ID.
//!
//! `POST {authority host}/{tenant}/oauth2/v2.0/token` with the scope `APP_ID_URI/.default` and a
//! client credential: a client secret, an assertion signed with the key of a certificate, or a
//! token of another issuer.
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>

use std::path::PathBuf;

use super::client_credential::{CERTIFICATE, ClientCredential};
use super::{Azure, Lookup, aadsts};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, retry};
use crate::options::{KeyRef, SecretRef};

const PUBLIC_CLOUD: &str = "https://login.microsoftonline.com";
const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

pub(super) fn service_principal(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let options = &azure.options;
    let credential = if let Some(secret) = &options.client_secret {
        ClientCredential::Secret(secret.clone())
    } else if let Some(certificate) = options.client_cert.clone() {
        let key = options.client_key.clone();
        let key = key.unwrap_or_else(|| KeyRef::File(certificate.clone()));
        ClientCredential::Certificate { certificate, key, option: "--client-cert" }
    } else if cx.env.text(SECRET)?.is_some() {
        ClientCredential::Secret(SecretRef::Env(SECRET.to_owned()))
    } else if let Some(path) = cx.env.text(CERTIFICATE)? {
        let path = PathBuf::from(path);
        let key = KeyRef::File(path.clone());
        ClientCredential::Certificate { certificate: path, key, option: CERTIFICATE }
    } else {
        refuse_user(cx)?;
        return Ok(Lookup::absent(format!("{SECRET} and {CERTIFICATE} are not set")));
    };
    let client = Client::find(azure, cx)?;
    if let (Err(missing), None, None) = (&client, &options.client_secret, &options.client_cert) {
        // Without a client, the secret in the environment may belong to a different program.
        return Ok(Lookup::absent(*missing));
    }
    request_token(&credential, client, azure, cx)
}

/// Refuses a user name and a password, with which the Azure SDKs would sign in.
fn refuse_user(cx: &Context) -> Result<(), Error> {
    let variables = ["AZURE_CLIENT_ID", "AZURE_USERNAME", "AZURE_PASSWORD"];
    for variable in variables {
        if cx.env.text(variable)?.is_none() {
            return Ok(());
        }
    }
    let what = "signing in to Azure with a user name and password is not supported";
    let cause = "AZURE_USERNAME and AZURE_PASSWORD are set";
    Err(Error::new(Kind::Configuration, what).cause(cause).fix(
        "set --environment to use the identity of another environment, or unset AZURE_USERNAME",
    ))
}

pub(super) fn workload_identity(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let credential = match (&azure.options.federated_token_file, cx.env.text(TOKEN_FILE)?) {
        (Some(path), _) => ClientCredential::TokenFile(path.clone(), "--federated-token-file"),
        (None, Some(path)) => ClientCredential::TokenFile(path.into(), TOKEN_FILE),
        (None, None) => return Ok(Lookup::absent(format!("{TOKEN_FILE} is not set"))),
    };
    // A missing client is an error, because otherwise the search would reach the identity of the
    // node.
    request_token(&credential, Client::find(azure, cx)?, azure, cx)
}

/// The client of a token request.
struct Client {
    tenant: String,
    id: String,
}

impl Client {
    /// Finds the client in options and variables. The inner error says which part is missing.
    fn find(azure: &Azure, cx: &Context) -> Result<Result<Client, &'static str>, Error> {
        let setting = |option: &Option<String>, variable| match option {
            Some(value) => Ok(Some(value.clone())),
            None => cx.env.text(variable),
        };
        let tenant = setting(&azure.options.tenant_id, "AZURE_TENANT_ID")?;
        let id = setting(&azure.options.client_id, "AZURE_CLIENT_ID")?;
        Ok(match (tenant, id) {
            (Some(tenant), Some(id)) => Ok(Client { tenant, id }),
            (None, _) => Err("neither --tenant-id nor AZURE_TENANT_ID is set"),
            (_, None) => Err("neither --client-id nor AZURE_CLIENT_ID is set"),
        })
    }
}

fn request_token(
    credential: &ClientCredential,
    client: Result<Client, &'static str>,
    azure: &Azure,
    cx: &Context,
) -> Result<Lookup, Error> {
    let client = client.map_err(|missing| {
        Error::new(Kind::Configuration, missing).fix(
            "set --tenant-id and --client-id, or for a pod add the annotation \
             azure.workload.identity/client-id to its service account",
        )
    })?;
    let (endpoint, option) = endpoint(&client.tenant, azure, cx)?;
    let scope = format!("{}/.default", azure.options.resource);
    // Each attempt has a new assertion, because an assertion is valid only once.
    let is_passing = |response: &Response| retry::is_passing(response.status);
    let response = retry::ask(cx.deadline, is_passing, || {
        let post = http::Request::post(&endpoint, option)
            .header("Accept", "application/json")
            .field("grant_type", "client_credentials")
            .field("scope", scope.as_str())
            .field("client_id", client.id.as_str());
        cx.send(credential.add_to(post, &client.id, &endpoint, cx)?.once())
    })?;
    let reason = response.error_text();
    let reason = reason.and_then(|message| aadsts::explain(&message, cx.wrong_clock()));
    let is_page = response.is_page();
    let response = response.require_success().map_err(|error| match (reason, error.kind()) {
        (Some((kind, fix)), _) => error.of_kind(kind).fix(fix),
        (None, Kind::Denied) if !is_page => error.fix(
            "check the tenant ID, the client ID and the credential (--tenant-id or AZURE_TENANT_ID, \
             --client-id or AZURE_CLIENT_ID)",
        ),
        (None, _) => error,
    })?;
    Ok(Lookup::Found((response.json()?, endpoint)))
}

/// The token endpoint of a tenant, and the option or variable that names its host.
fn endpoint(tenant: &str, azure: &Azure, cx: &Context) -> Result<(Url, &'static str), Error> {
    if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)) {
        return Err(Error::new(Kind::Configuration, "the tenant is neither a UUID nor a domain")
            .fix("check --tenant-id or AZURE_TENANT_ID (az account show --query tenantId)"));
    }
    let (host, option) = match (&azure.options.authority_host, cx.env.text(AUTHORITY_HOST)?) {
        (Some(host), _) => (host.as_typed().to_owned(), "--authority-host"),
        (None, Some(host)) if host.contains("://") => (host, AUTHORITY_HOST),
        (None, Some(host)) => (format!("https://{host}"), AUTHORITY_HOST),
        (None, None) => (PUBLIC_CLOUD.to_owned(), "--authority-host"),
    };
    let url = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
    Url::parse(&url).map(|url| (url, option)).map_err(|why| {
        Error::new(Kind::Configuration, format!("{option} {why}"))
            .fix(format!("set {option} to a URL such as {PUBLIC_CLOUD}"))
    })
}
