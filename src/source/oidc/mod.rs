//! A token from any OpenID Connect issuer: of a client, or of a person who signs in.
//!
//! The issuer's metadata tells where its token endpoint is; the client proves who it is there by a
//! secret, a signed assertion or a certificate. By the client credentials grant the answer's access
//! token, if it is a JWT, is the subject token. [`device`] asks a person first.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>,
//! <https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig>

mod client;
mod client_auth;
mod device;
mod discovery;
mod refresh_token;
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
use crate::http::Url;
use crate::options::{Pair, SecretRef, Values};
use crate::token::SubjectToken;

choices! {
    /// Whose token it is.
    enum Flow {
        /// The client's own.
        ClientCredentials = "client-credentials",
        /// That of a user who signs in.
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
    /// Which token of the response is the subject token.
    enum TokenMember {
        AccessToken = "access_token",
        IdToken = "id_token",
    }
}

options! {
    /// Options of `oidc`.
    struct Options {
        /// the issuer, whose metadata is read
        issuer: Url = "--issuer",
        /// the client's name at the issuer
        client_id: String = "--client-id=ID",
        /// who the token is of: the client (the default), or a person who signs in with a browser
        flow: Option<Flow> = "--flow",
        /// how the client proves who it is; by default what the other options allow
        auth: Option<AuthMethod> = "--auth",
        /// the secret of --auth=basic or post
        client_secret: Option<SecretRef> = "--client-secret",
        /// the private key of private-key-jwt (PEM or JWK) or mtls (PEM)
        client_key: Option<PathBuf> = "--client-key=PEM",
        /// the certificate of mtls, with its chain
        client_cert: Option<PathBuf> = "--client-cert=PEM",
        /// the aud claim of private-key-jwt, by default the issuer; some issuers want their token
        /// endpoint
        assertion_audience: Option<String> = "--assertion-audience=URL",
        /// the scope to ask for; commas stand for blanks; openid by default with --flow=device
        scope: Option<String> = "--scope=SCOPE",
        /// the resource to ask a token for (RFC 8707)
        resource: Option<String> = "--resource=URI",
        /// one more form field; a value may be env:NAME or file:PATH
        param: Vec<Pair> = "--param",
        /// which token of the answer to take: access_token by default, id_token with --flow=device
        member: Option<TokenMember> = "--use",
        /// where --flow=device keeps a refresh token, by default beside the output file
        refresh_token_file: Option<PathBuf> = "--refresh-token-file=PATH",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "oidc",
    summary: "an OpenID Connect issuer, by client credentials or by a person's sign-in",
    options: &[Options::TABLE],
    rest: None,
    example: "wif-token oidc --issuer=https://login.example.com --client-id=my-app \\\n  --client-secret=file:/run/secrets/client-secret --scope=gcp",
    build,
};

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    match options.flow {
        Some(Flow::Device) => Ok(Box::new(Device::new(options)?)),
        _ if options.refresh_token_file.is_some() => {
            Err(Error::new(Kind::Usage, "--refresh-token-file is for --flow=device")
                .fix("add --flow=device, or remove --refresh-token-file"))
        }
        _ => Ok(Box::new(ClientCredentials(Client::new(options, TokenMember::AccessToken)?))),
    }
}

/// A token of the client itself.
#[derive(Debug)]
struct ClientCredentials(Client);

impl Source for ClientCredentials {
    fn trust(&self) -> Trust {
        Trust::issuer(self.0.issuer.as_typed()).for_audience("AUD")
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let issuer = self.0.meet(cx)?;
        let mut fields = vec![("grant_type", "client_credentials".into())];
        fields.extend(self.0.scope.as_deref().map(|scope| ("scope", scope.into())));
        let response = issuer.ask(&issuer.token_endpoint()?, &fields)?;
        issuer.token(&issuer.accept(response, "client credentials")?.json()?, request)
    }
}
