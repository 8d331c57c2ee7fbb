//! Gets a token for a user with the device authorization grant, for workforce pools.
//!
//! A user is asked to sign in only if the client sets `GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE=1`. If
//! the issuer returns a refresh token, it is stored, and later runs use it without a sign-in. With
//! `GOOGLE_EXTERNAL_ACCOUNT_REVOKE=1`, the refresh token is removed and revoked.
//! <https://www.rfc-editor.org/rfc/rfc8628>, <https://www.rfc-editor.org/rfc/rfc6749#section-6>,
//! <https://www.rfc-editor.org/rfc/rfc7009>

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{Client, Issuer};
use super::refresh_token::RefreshTokenFile;
use super::sign_in::{HOW_TO_SIGN_IN, sign_in};
use super::{Options, TokenMember};
use crate::context::Context;
use crate::contract::request::{OutputFile, SubjectTokenRequest};
use crate::error::{Error, Kind};
use crate::options;
use crate::secret::Secret;
use crate::show;
use crate::source::{Source, Trust};
use crate::token::{SubjectToken, TokenType};

/// The default timeout of a run in which a user signs in. With the credential configurations that
/// the command `config` writes, clients wait for five minutes.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(290);

/// Gets a token for a user.
#[derive(Debug)]
pub(super) struct Device {
    client: Client,
    refresh_token_file: Option<PathBuf>,
}

impl Device {
    /// Reads the options of the device flow.
    ///
    /// # Errors
    /// The errors of [`Client::new`].
    pub(super) fn new(mut options: Options) -> Result<Device, Error> {
        let refresh_token_file = options.refresh_token_file.take();
        let mut client = Client::new(options, TokenMember::IdToken)?;
        client.scope.get_or_insert_with(|| "openid".to_owned());
        Ok(Device { client, refresh_token_file })
    }
}

impl Source for Device {
    /// The settings of a workforce pool provider: clients are interactive only for workforce pools.
    fn trust(&self) -> Trust {
        let Client { issuer, id, member, .. } = &self.client;
        let mut trust = Trust::issuer(issuer.as_typed()).for_audience(id);
        if *member == TokenMember::IdToken {
            trust.token_type = Some(TokenType::IdToken);
        }
        Trust { interactive: true, ..trust }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let file = self.file(request);
        let _lock = file.lock(cx)?;
        let stored = file.read(cx)?;
        if stored.is_none() && !request.interactive {
            return Err(self.not_signed_in(&file));
        }
        let issuer = self.client.discover(cx)?;
        let response = match stored.map(|token| self.refresh(token, &file, &issuer)) {
            Some(Err(error)) if request.interactive && error.kind() == Kind::Expired => {
                cx.log.line(format!("the token was not refreshed: {error}"));
                self.sign_in(&file, &issuer)?
            }
            Some(response) => response?,
            None => self.sign_in(&file, &issuer)?,
        };
        issuer.token(&response, request)
    }

    fn timeout(&self, request: &SubjectTokenRequest) -> Duration {
        match request.interactive && !request.revoke {
            true => SIGN_IN_TIMEOUT,
            false => options::Options::TIMEOUT,
        }
    }

    fn forget(&self, request: &SubjectTokenRequest, cx: &Context) -> Result<(), Error> {
        let file = self.file(request);
        let _lock = file.lock(cx)?;
        let Some(token) = file.read(cx)? else { return Ok(()) };
        file.remove()?;
        self.revoke(token, cx).map_err(|error| {
            error.fix(
                "revoke the refresh token at the issuer, because it is already removed from this \
                 host",
            )
        })
    }
}

impl Device {
    /// The refresh token file; by default, it is next to the output file.
    fn file(&self, request: &SubjectTokenRequest) -> RefreshTokenFile<'_> {
        let default = |output_file: &OutputFile| {
            let mut path = output_file.path.clone().into_os_string();
            path.push(".refresh-token");
            PathBuf::from(path)
        };
        let path = self.refresh_token_file.clone();
        let path = path.or_else(|| request.output_file.as_ref().map(default));
        RefreshTokenFile { path, client: &self.client }
    }

    fn not_signed_in(&self, file: &RefreshTokenFile) -> Error {
        let what = format!("no user is signed in at {}", self.client.issuer.host());
        let error = Error::new(Kind::Absent, what);
        match &file.path {
            Some(path) => error
                .cause(format!("{} does not contain a matching refresh token", show::path(path)))
                .fix(HOW_TO_SIGN_IN),
            None => error
                .cause("neither --refresh-token-file nor an output file is set")
                .fix(format!("set --refresh-token-file or --output-file, and {HOW_TO_SIGN_IN}")),
        }
    }

    fn sign_in(
        &self,
        file: &RefreshTokenFile,
        issuer: &Issuer,
    ) -> Result<Map<String, Value>, Error> {
        let response = sign_in(&self.client, issuer)?;
        file.store(&response, &issuer.cx);
        Ok(response)
    }

    /// Handles the refusal of a refresh token. If the file now contains a different token, for
    /// example because a run without a lock was faster, that token is used. Otherwise, the file is
    /// removed.
    fn refused(
        &self,
        token: &Secret,
        error: Error,
        file: &RefreshTokenFile,
        issuer: &Issuer,
    ) -> Result<Map<String, Value>, Error> {
        match file.read(&issuer.cx)? {
            Some(newer) if newer.expose() != token.expose() => self.refresh(newer, file, issuer),
            _ => {
                if let Err(error) = file.remove() {
                    issuer.cx.log.line(error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Sends the refresh token to the issuer, stores the new refresh token, and returns the
    /// response.
    ///
    /// # Errors
    /// `EXPIRED` if the user must sign in again.
    fn refresh(
        &self,
        token: Secret,
        file: &RefreshTokenFile,
        issuer: &Issuer,
    ) -> Result<Map<String, Value>, Error> {
        let sign_in_again = |error: Error| {
            error.of_kind(Kind::Expired).fix(format!("to sign in again, {HOW_TO_SIGN_IN}"))
        };
        let endpoint = issuer.token_endpoint()?;
        let fields =
            [("grant_type", "refresh_token".into()), ("refresh_token", token.clone().into())];
        // An issuer that replaces refresh tokens may revoke all tokens of the user if one is used twice,
        // so the request is not repeated if the response is lost.
        let response = issuer.send(issuer.post(&endpoint, &fields)?)?;
        let oauth_error = response.oauth_error();
        let response = match issuer.require_success(response, "refresh token") {
            Ok(response) => response,
            Err(error) => match oauth_error.as_deref() {
                Some("invalid_grant") => {
                    return self.refused(&token, sign_in_again(error), file, issuer);
                }
                // Microsoft Entra ID: the refresh token is valid, but the user must sign in again,
                // for example for multi-factor authentication.
                Some("interaction_required" | "consent_required" | "login_required") => {
                    return Err(sign_in_again(error));
                }
                _ => return Err(error),
            },
        };
        let members = response.json()?;
        // The old refresh token may already be invalid, so the new one is stored first.
        file.store(&members, &issuer.cx);
        let member = self.client.member.word();
        match members.contains_key(member) {
            true => Ok(members),
            // OpenID Connect Core 1.0, section 12.2: the response may have no ID token.
            false => {
                let what = format!("the refresh response from {endpoint} has no {member}");
                Err(sign_in_again(Error::new(Kind::Expired, what)))
            }
        }
    }

    fn revoke(&self, token: Secret, cx: &Context) -> Result<(), Error> {
        let issuer = self.client.discover(cx)?;
        let Some(endpoint) = issuer.endpoint("revocation_endpoint")? else {
            cx.log.line("the refresh token was not revoked: the issuer has no revocation_endpoint");
            return Ok(());
        };
        let fields = [("token", token.into()), ("token_type_hint", "refresh_token".into())];
        let response = issuer.request(&endpoint, &fields)?;
        issuer.require_success(response, "refresh token").map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::command_line;
    use crate::world::Env;

    #[test]
    fn the_timeout_is_long_only_if_a_user_signs_in() {
        let line = "oidc --flow=device --issuer=https://idp.example --client-id=c";
        let line = command_line::parse(line.split(' ').map(Into::into).collect()).unwrap();
        let device = (line.info.build)(&line.values).unwrap();
        for (interactive, revoke, seconds) in
            [("0", "0", 25), ("1", "0", 290), ("0", "1", 25), ("1", "1", 25)]
        {
            let variables = [("INTERACTIVE", interactive), ("REVOKE", revoke)]
                .map(|(name, value)| (format!("GOOGLE_EXTERNAL_ACCOUNT_{name}"), value.into()));
            let env = Env::Map(variables.into());
            let request = SubjectTokenRequest::new(&line.common, &env).unwrap();
            assert_eq!(device.timeout(&request).as_secs(), seconds, "{request:?}");
        }
    }
}
