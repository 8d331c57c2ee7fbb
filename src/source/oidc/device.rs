//! A token of a person, by the device authorization grant: for workforce pools.
//!
//! A person is asked only where the client says that one is there (`_INTERACTIVE=1`). A refresh
//! token, if the issuer gives one, is kept and serves later runs, with or without a person; it is
//! revoked with `_REVOKE=1`. <https://www.rfc-editor.org/rfc/rfc8628>,
//! <https://www.rfc-editor.org/rfc/rfc6749#section-6>, <https://www.rfc-editor.org/rfc/rfc7009>

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{Client, Issuer};
use super::refresh_token::RefreshTokenFile;
use super::sign_in::{BY_HAND, sign_in};
use super::{Options, TokenMember};
use crate::context::Context;
use crate::contract::request::{OutputFile, SubjectTokenRequest};
use crate::error::{Error, Kind};
use crate::options;
use crate::secret::Secret;
use crate::source::{Source, Trust};
use crate::token::{SubjectToken, TokenType};

/// How long a run may last in which a person signs in: clients are told to wait five minutes.
const SIGN_IN: Duration = Duration::from_secs(290);

/// A token of a person.
#[derive(Debug)]
pub(super) struct Device {
    client: Client,
    refresh_token_file: Option<PathBuf>,
}

impl Device {
    /// The device flow with these options.
    ///
    /// # Errors
    /// Those of [`Client::new`].
    pub(super) fn new(mut options: Options) -> Result<Device, Error> {
        let refresh_token_file = options.refresh_token_file.take();
        let mut client = Client::new(options, TokenMember::IdToken)?;
        client.scope.get_or_insert_with(|| "openid".to_owned());
        Ok(Device { client, refresh_token_file })
    }
}

impl Source for Device {
    /// That of a provider of a workforce pool: only there are clients interactive.
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
        let kept = file.read(cx)?;
        if kept.is_none() && !request.interactive {
            let what = format!("nobody is signed in at {}", self.client.issuer.host());
            let cause = file.path.as_ref().map_or_else(
                || "there is no --refresh-token-file or output file".to_owned(),
                |path| format!("there is no refresh token for this in {}", path.display()),
            );
            return Err(Error::new(Kind::Absent, what).cause(cause).fix(BY_HAND));
        }
        let issuer = self.client.meet(cx)?;
        let answer = match kept.map(|token| self.refresh(token, &file, &issuer)) {
            Some(Err(error)) if request.interactive && error.kind() == Kind::Expired => {
                cx.log.line(format!("not refreshed: {error}"));
                self.ask_person(&file, &issuer)?
            }
            Some(answer) => answer?,
            None => self.ask_person(&file, &issuer)?,
        };
        issuer.token(&answer, request)
    }

    fn timeout(&self, request: &SubjectTokenRequest) -> Duration {
        match request.interactive && !request.revoke {
            true => SIGN_IN,
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
                "the refresh token is removed here, but has to be revoked at the issuer by hand",
            )
        })
    }
}

impl Device {
    /// Where the refresh token is kept, by default beside the output file.
    fn file(&self, request: &SubjectTokenRequest) -> RefreshTokenFile<'_> {
        let beside = |output_file: &OutputFile| {
            let mut path = output_file.path.clone().into_os_string();
            path.push(".refresh-token");
            PathBuf::from(path)
        };
        let path = self.refresh_token_file.clone();
        let path = path.or_else(|| request.output_file.as_ref().map(beside));
        RefreshTokenFile { path, client: &self.client }
    }

    fn ask_person(
        &self,
        file: &RefreshTokenFile,
        issuer: &Issuer,
    ) -> Result<Map<String, Value>, Error> {
        let answer = sign_in(&self.client, issuer)?;
        file.keep(&answer, issuer.cx);
        Ok(answer)
    }

    /// What the issuer answers to a refresh token; a new one is kept before anything else.
    ///
    /// # Errors
    /// `EXPIRED` where the person has to sign in again.
    fn refresh(
        &self,
        token: Secret,
        file: &RefreshTokenFile,
        issuer: &Issuer,
    ) -> Result<Map<String, Value>, Error> {
        let again =
            |error: Error| error.of_kind(Kind::Expired).fix(format!("to sign in again, {BY_HAND}"));
        let endpoint = issuer.token_endpoint()?;
        let fields = [("grant_type", "refresh_token".into()), ("refresh_token", token.into())];
        let response = issuer.ask(&endpoint, &fields)?;
        let refusal = response.oauth_error();
        let answer = issuer.accept(response, "refresh token").map_err(|error| {
            match refusal.as_deref() {
                Some("invalid_grant") => {
                    if let Err(error) = file.remove() {
                        issuer.cx.log.line(error.to_string());
                    }
                    again(error)
                }
                // Microsoft Entra ID: the token is good, but now it wants to see the person.
                Some("interaction_required") => again(error),
                _ => error,
            }
        })?;
        let answer = answer.json()?;
        file.keep(&answer, issuer.cx);
        let member = self.client.member.word();
        match answer.contains_key(member) {
            true => Ok(answer),
            // OpenID Connect Core 1.0, section 12.2, lets an issuer renew the access token alone.
            false => {
                let what = format!("{endpoint} renews no {member}");
                Err(again(Error::new(Kind::Expired, what)))
            }
        }
    }

    fn revoke(&self, token: Secret, cx: &Context) -> Result<(), Error> {
        let issuer = self.client.meet(cx)?;
        let Some(endpoint) = issuer.endpoint("revocation_endpoint")? else {
            cx.log.line("not revoked: the issuer has no revocation_endpoint");
            return Ok(());
        };
        let fields = [("token", token.into()), ("token_type_hint", "refresh_token".into())];
        let response = issuer.ask(&endpoint, &fields)?;
        issuer.accept(response, "refresh token").map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::command_line;
    use crate::world::Env;

    #[test]
    fn a_run_may_last_minutes_only_if_a_user_signs_in() {
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
