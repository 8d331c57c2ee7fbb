//! What an OAuth error of an issuer means, and what to change.
//!
//! The `error` is a code. Issuers use some codes for several causes, which only the
//! `error_description`, an English sentence, tells apart.
//! <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>, <https://www.rfc-editor.org/rfc/rfc8707>,
//! <https://www.rfc-editor.org/rfc/rfc9449#section-8>

use super::client_auth::ClientAuth;
use super::discovery::Metadata;
use crate::error::Kind;
use crate::http::Response;

/// The fix if the issuer requires DPoP, which binds a token to a key. Google accepts only bearer
/// tokens.
const TURN_OFF_DPOP: &str = "use a client that does not require DPoP, because a subject token must be \
                             a bearer token (in Okta: clear Require Demonstrating Proof of Possession \
                             (DPoP) header in token requests, in the general settings of the \
                             application)";

/// An error response of an issuer, and the parts of the request that help to explain it.
pub(super) struct Refusal<'a> {
    pub(super) response: &'a Response,
    pub(super) auth: &'a ClientAuth,
    /// Whether the request has a scope.
    pub(super) has_scope: bool,
    pub(super) metadata: &'a Metadata,
    /// The name of the grant.
    pub(super) grant: &'a str,
    /// The fix for the clock of this host, if the clock is wrong.
    pub(super) clock: Option<String>,
}

impl Refusal<'_> {
    /// The kind and the fix; `None` if the response is not an OAuth error.
    pub(super) fn explain(&self) -> Option<(Kind, String)> {
        let requires_dpop = self.response.headers("dpop-nonce").next().is_some();
        if requires_dpop || self.says(&["dpop"]) {
            return Some((Kind::Denied, TURN_OFF_DPOP.to_owned()));
        }
        let code = self.response.oauth_error()?;
        Some(match code.as_str() {
            "temporarily_unavailable" | "server_error" | "slow_down" => {
                (Kind::Unreachable, "try again later".to_owned())
            }
            "invalid_client"
            | "unauthorized_client"
            | "unsupported_grant_type"
            | "invalid_grant" => (Kind::Denied, self.fix_client(&code)),
            _ => (Kind::Denied, self.fix_request(&code).to_owned()),
        })
    }

    /// Whether the message of the issuer contains one of these words in lower case.
    fn says(&self, words: &[&str]) -> bool {
        let text = self.response.error_text().unwrap_or_default().to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// The fix for a client whose authentication fails or that may not use the grant.
    fn fix_client(&self, code: &str) -> String {
        let enable = format!("enable the {} grant for this client at the issuer", self.grant);
        match code {
            "invalid_client" if self.says(CERTIFICATE) => ADD_CERTIFICATE.to_owned(),
            // Okta's org authorization server.
            "invalid_client" if self.says(&["must use the private_key_jwt"]) => {
                "replace --client-secret with --client-key, or in Okta set --issuer to a custom \
                 authorization server, whose URL contains /oauth2/"
                    .to_owned()
            }
            "invalid_client" if self.says(&["expired"]) && !self.auth.is_signed() => {
                "create a new client secret or certificate at the issuer, and set it with \
                 --client-secret or --client-cert"
                    .to_owned()
            }
            "invalid_client" => self.fix_authentication(),
            // Keycloak also responds to a wrong secret with this code. The message of Auth0 about
            // the grant type client_credentials contains the word "credential" too.
            "unauthorized_client"
                if self.says(&["credential", "client secret"]) && !self.says(&["grant type"]) =>
            {
                self.fix_authentication()
            }
            "unauthorized_client" if self.says(&["service account"]) => {
                format!("{enable} (in Keycloak: Service accounts roles, in the client's settings)")
            }
            "invalid_grant" if self.auth.is_signed() => self.fix_authentication(),
            "invalid_grant" => self.fix_request(code).to_owned(),
            _ => enable,
        }
    }

    fn fix_authentication(&self) -> String {
        let auth = self.auth;
        let of_clock = self.clock.clone().filter(|_| auth.is_signed());
        let of_method = of_clock.or_else(|| auth.other_method(self.metadata));
        of_method.unwrap_or_else(|| auth.fix().to_owned())
    }

    /// The fix for a request that the issuer does not accept, or for `invalid_grant` without an assertion.
    fn fix_request(&self, code: &str) -> &'static str {
        match code {
            "invalid_request" if self.says(CERTIFICATE) => ADD_CERTIFICATE,
            // Keycloak
            "invalid_request" if self.says(&["https required"]) => {
                "use an --issuer with https, or configure the server to trust the proxy in front of it"
            }
            "invalid_request" if self.says(&["pushed authorization"]) => {
                "use a client that does not require pushed authorization requests (PAR)"
            }
            "invalid_scope" if !self.has_scope => {
                "add --scope with a scope that the issuer allows for this client"
            }
            "invalid_scope" => "check --scope",
            "invalid_target" => "check --resource",
            "access_denied" | "invalid_request" if self.says(AUDIENCE) => {
                "set --param=audience=IDENTIFIER to the identifier of an API that the issuer allows \
                 this client to use"
            }
            "access_denied" | "consent_required" => {
                "allow the client to use the requested scopes and API at the issuer"
            }
            "interaction_required" | "login_required" => {
                "use a client for machine-to-machine access, which needs no multi-factor \
                 authentication, or use --flow=device for a user"
            }
            _ => "check --scope, --resource and --param",
        }
    }
}

/// Words in the messages of issuers about the audience. The last two are from Auth0: for a request
/// without an audience, and for an unknown audience.
const AUDIENCE: &[&str] = &["audience", "access to apiv1", "not enabled within domain"];

/// Words in the messages of issuers that require a client certificate.
const CERTIFICATE: &[&str] = &["mtls", "mutual", "client certificate"];

const ADD_CERTIFICATE: &str = "add --client-cert and --client-key with the certificate that is \
                               registered for this client at the issuer";
