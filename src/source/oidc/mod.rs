//! Gets a token from any OpenID Connect issuer, for a client or for a user who signs in.
//!
//! The metadata of the issuer contains the URL of the token endpoint. The client authenticates
//! there with a secret, a signed assertion or a certificate. With the client credentials grant, the
//! access token in the response is the subject token, which works only if it is a JWT. With the
//! device authorization grant ([`device`]), a user signs in first.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>,
//! <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>

mod client;
mod client_auth;
mod device;
mod discovery;
mod refresh_token;
mod refusal;
mod sign_in;

use std::path::PathBuf;

use self::client::Client;
pub(super) use self::client_auth::ClientAuth;
use self::device::Device;
pub(super) use self::discovery::Metadata;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::{Issuer, KeyRef, Pair, SecretRef, Values};
use crate::signing_key;
use crate::token::SubjectToken;

choices! {
    /// The grant to use.
    enum Flow {
        /// A token for the client itself.
        ClientCredentials = "client-credentials",
        /// A token for a user who signs in.
        Device = "device",
    }
}

choices! {
    /// How a client authenticates at the token endpoint.
    enum AuthMethod {
        /// `client_secret_basic`
        Basic = "basic",
        /// `client_secret_post`
        Post = "post",
        /// `private_key_jwt`
        PrivateKeyJwt = "private-key-jwt",
        /// `tls_client_auth`
        Mtls = "mtls",
        /// Not at all.
        None = "none",
    }
}

choices! {
    /// The member of the response that is the subject token.
    enum TokenMember {
        AccessToken = "access_token",
        IdToken = "id_token",
    }
}

options! {
    /// Options of `oidc`.
    struct Options {
        /// issuer URL; its metadata is read from /.well-known/openid-configuration
        issuer: Issuer = "--issuer",
        /// client ID that is registered at the issuer
        client_id: String = "--client-id=ID",
        /// grant: client-credentials for a token of the client, device for a token of a user
        /// who signs in with a browser (default: client-credentials)
        flow: Option<Flow> = "--flow",
        /// how the client authenticates (default: basic with --client-secret, mtls with
        /// --client-cert, private-key-jwt with --client-key alone, otherwise none)
        auth: Option<AuthMethod> = "--auth",
        /// client secret for --auth=basic or --auth=post
        client_secret: Option<SecretRef> = "--client-secret",
        /// private key for --auth=private-key-jwt (file with PEM or JWK) or --auth=mtls (PEM), or
        /// pkcs11: URI of a key in a token
        client_key: Option<KeyRef> = "--client-key",
        /// PIN of the token with the key, unless the pkcs11: URI has a pin-source
        pin: Option<SecretRef> = "--pin",
        /// file with the certificate and its chain for --auth=mtls
        client_cert: Option<PathBuf> = "--client-cert=PEM",
        /// aud claim for --auth=private-key-jwt; some issuers require their token endpoint
        /// (default: the issuer)
        assertion_audience: Option<String> = "--assertion-audience=URL",
        /// scopes to request, separated by spaces or commas (default with --flow=device:
        /// openid)
        scope: Option<String> = "--scope=SCOPE",
        /// resource to request a token for (RFC 8707)
        resource: Option<String> = "--resource=URI",
        /// add a form field to each request; for a secret value, write env:NAME or file:PATH
        param: Vec<Pair> = "--param",
        /// member of the response to use as the subject token (default: access_token, or
        /// id_token with --flow=device)
        member: Option<TokenMember> = "--use",
        /// file in which --flow=device stores the refresh token (default: the path of the
        /// output file with .refresh-token appended)
        refresh_token_file: Option<PathBuf> = "--refresh-token-file=PATH",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "oidc",
    also: &["oauth", "oauth2", "okta", "keycloak", "auth0", "device"],
    summary: "an OpenID Connect issuer, for a client or a user who signs in",
    options: &[Options::TABLE],
    rest: None,
    variables: &signing_key::VARIABLES,
    example: "wif-token oidc --issuer=https://login.example.com --client-id=my-app \\\n  --client-secret=file:/run/secrets/client-secret --scope=gcp",
    build,
};

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    options.param.iter().try_for_each(refuse_plain_secret)?;
    match options.flow {
        Some(Flow::Device) => Ok(Box::new(Device::new(options)?)),
        _ if options.refresh_token_file.is_some() => {
            Err(Error::new(Kind::Usage, "--refresh-token-file requires --flow=device")
                .fix("add --flow=device, or remove --refresh-token-file"))
        }
        _ => Ok(Box::new(ClientCredentials(Client::new(options, TokenMember::AccessToken)?))),
    }
}

/// Refuses the value of a secret form field, because the command line would show the value, and a
/// configuration would contain it.
fn refuse_plain_secret(Pair(name, value): &Pair) -> Result<(), Error> {
    let lower = name.to_ascii_lowercase();
    let ends = ["password", "secret", "assertion", "_token", "api_key", "apikey"];
    let is_secret = ends.iter().any(|end| lower.ends_with(end));
    let is_plain =
        SecretRef::parse(value).is_none() && !["true", "false"].contains(&value.as_str());
    match is_secret && is_plain {
        false => Ok(()),
        true => {
            let what = format!("--param contains the value of the secret field {name}");
            Err(Error::new(Kind::Usage, what)
                .fix(format!("use --param={name}=env:NAME or --param={name}=file:PATH")))
        }
    }
}

/// Gets a token for the client itself.
#[derive(Debug)]
struct ClientCredentials(Client);

impl Source for ClientCredentials {
    fn trust(&self) -> Trust {
        let trust = Trust::issuer(self.0.issuer.as_typed());
        match self.0.requested_audience() {
            Some(audience) => trust.for_audience(audience),
            None => trust.for_audience("AUD"),
        }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let issuer = self.0.discover(cx)?;
        let mut fields = vec![("grant_type", "client_credentials".into())];
        fields.extend(self.0.scope.as_deref().map(|scope| ("scope", scope.into())));
        let response = issuer.request(&issuer.token_endpoint()?, &fields)?;
        issuer.token(&issuer.require_success(response, "client credentials")?.json()?, request)
    }
}
