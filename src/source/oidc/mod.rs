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

use self::client::Client;
pub(super) use self::client_auth::ClientAuth;
use self::device::Device;
pub(super) use self::discovery::Metadata;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::{OptionInfo, Takes, Values};
use crate::token::SubjectToken;

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "oidc",
    summary: "an OpenID Connect issuer, by client credentials or by a person's sign-in",
    options: &[
        OptionInfo::new("issuer", Takes::Url, "the issuer, whose metadata is read").required(),
        OptionInfo::new("client-id", Takes::Text("ID"), "the client's name at the issuer")
            .required(),
        OptionInfo::new(
            "flow",
            Takes::Choice(&["client-credentials", "device"]),
            "who the token is of: the client (the default), or a person who signs in with a browser",
        ),
        OptionInfo::new(
            "auth",
            Takes::Choice(&["basic", "post", "private-key-jwt", "mtls", "none"]),
            "how the client proves who it is; by default what the other options allow",
        ),
        OptionInfo::new("client-secret", Takes::Secret, "the secret of --auth=basic or post"),
        OptionInfo::new(
            "client-key",
            Takes::Path("PEM"),
            "the private key of private-key-jwt (PEM or JWK) or mtls (PEM)",
        ),
        OptionInfo::new(
            "client-cert",
            Takes::Path("PEM"),
            "the certificate of mtls, with its chain",
        ),
        OptionInfo::new(
            "assertion-audience",
            Takes::Text("URL"),
            "the aud claim of private-key-jwt, by default the issuer; some issuers want their token endpoint",
        ),
        OptionInfo::new(
            "scope",
            Takes::Text("SCOPE"),
            "the scope to ask for; commas stand for blanks; openid by default with --flow=device",
        ),
        OptionInfo::new(
            "resource",
            Takes::Text("URI"),
            "the resource to ask a token for (RFC 8707)",
        ),
        OptionInfo::new(
            "param",
            Takes::Pair,
            "one more form field; a value may be env:NAME or file:PATH",
        )
        .repeated(),
        OptionInfo::new(
            "use",
            Takes::Choice(&["access_token", "id_token"]),
            "which token of the answer to take: access_token by default, id_token with --flow=device",
        ),
        OptionInfo::new(
            "refresh-token-file",
            Takes::Path("PATH"),
            "where --flow=device keeps a refresh token, by default beside the output file",
        ),
    ],
    rest: None,
    build,
};

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let file = values.path("refresh-token-file");
    match values.text("flow") {
        Some("device") => Ok(Box::new(Device::new(values, file)?)),
        _ if file.is_some() => {
            Err(Error::new(Kind::Usage, "--refresh-token-file is for --flow=device")
                .fix("add --flow=device, or leave it out"))
        }
        _ => Ok(Box::new(ClientCredentials(Client::new(values, "access_token")?))),
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
