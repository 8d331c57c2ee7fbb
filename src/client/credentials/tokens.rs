//! Gets the tokens of the chain: that of the origin, and that of each service account with the
//! token of the previous one.

use std::borrow::Cow;
use std::path::Path;

use super::{Credentials, Entry, Hop, Origin, Reuse};
use crate::cache::Refusals;
use crate::client::certificate::Identity;
use crate::client::{federated, user_token};
use crate::configuration::Impersonation;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::google::CLOUD_PLATFORM;
use crate::google::access_token::{AccessToken, MIN_LIFE};
use crate::google::service_account::ServiceAccount;
use crate::secret::Secret;
use crate::token::jwt;

/// A token that authorizes the request for another, or that is the result itself.
#[derive(Clone, Copy)]
struct Bearer<'a> {
    /// The service accounts from the origin to the owner of the token.
    hops: &'a [Hop],
    scopes: &'a [String],
    reuse: Reuse,
    /// The file that caches it, if it is not one of the private cache.
    file: Option<&'a Path>,
}

impl Credentials {
    /// Returns an access token with these scopes. A cached token is used if it is still valid for
    /// `min_life` seconds.
    ///
    /// # Errors
    /// The errors of the source and of Google.
    pub fn access_token(
        &self,
        scopes: &[String],
        min_life: i64,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        if self.hops.is_empty() {
            return self.access_token_of_origin(scopes, min_life, None, cx);
        }
        let request = self.request(scopes);
        let entry = Entry { reuse: Reuse::For(min_life), ..Entry::new("access-token", &request) };
        self.cached(entry, cx, &|| {
            self.with_account(cx, |account| Ok(account.access_token(scopes, None, "--scope")?))
        })
        .map(|(token, _)| token)
    }

    /// Returns an access token of the origin, for credentials without a service account. The token is
    /// cached in `file`, or in the private cache if `file` is not set.
    ///
    /// # Errors
    /// The errors of [`Credentials::access_token`].
    pub fn access_token_of_origin(
        &self,
        scopes: &[String],
        min_life: i64,
        file: Option<&Path>,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        let wanted = Bearer { hops: &[], scopes, reuse: Reuse::For(min_life), file };
        Ok(self.bearer(&wanted, None, cx)?.0)
    }

    /// Identifies the request of [`Credentials::access_token`] for the cache.
    fn request(&self, scopes: &[String]) -> String {
        match self.hops.last() {
            Some(hop) => format!("access token of {} {scopes:?}", hop.identity()),
            None => self.request_of_bearer(&[], scopes),
        }
    }

    /// Identifies the request to the origin and to these accounts after it, for the cache. The
    /// token of a workforce user has the same scopes for every request, and so has that of a user who
    /// impersonates an account.
    fn request_of_bearer(&self, hops: &[Hop], scopes: &[String]) -> String {
        let impersonates = hops.is_empty() && !self.hops.is_empty();
        let scopes = match &self.origin {
            Origin::User(user) if user.is_workforce || impersonates => &[],
            _ => scopes,
        };
        let hops: Vec<String> = hops.iter().map(Hop::identity).collect();
        format!("access token of {hops:?} {scopes:?}")
    }

    /// Removes the cached access token with these scopes; if `refused` is set, only if it is the
    /// refused token.
    ///
    /// # Errors
    /// `CONFIGURATION` if it cannot be removed; the errors of the metadata server.
    pub fn forget(
        &self,
        refused: Option<&str>,
        scopes: &[String],
        cx: &Context,
    ) -> Result<(), Error> {
        let request = self.request(scopes);
        let entry = Entry { reuse: Reuse::For(0), ..Entry::new("access-token", &request) };
        let Some(file) = self.file(entry, cx)? else { return Ok(()) };
        match file.fresh::<AccessToken>(cx) {
            Some(token) if refused.is_none_or(|text| token.text.expose() == text) => file.remove(),
            _ => Ok(()),
        }
    }

    /// Returns an ID token for this audience, with the email address of the account if
    /// `include_email` is set. `place` names the option with the audience.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is no service account, and those of the source and of Google.
    pub fn id_token(
        &self,
        audience: &str,
        include_email: bool,
        place: &str,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        let hop = self.hops.last();
        let identity = hop.map(Hop::identity);
        let request = format!("ID token of {identity:?} {audience:?} {include_email}");
        let token = |text: Secret| {
            let expiry = jwt::expiry(text.expose()).unwrap_or(cx.clock.now());
            AccessToken { text, expiry, issued: cx.clock.now(), member: None }
        };
        // The metadata server caches these tokens itself.
        if let (Origin::MetadataServer(server), None) = (&self.origin, hop) {
            return server.id_token(audience, cx).map(token);
        }
        self.cached(Entry::new("id-token", &request), cx, &|| {
            let call = |account: &ServiceAccount| account.id_token(audience, include_email, place);
            self.with_account(cx, call).map(token)
        })
        .map(|(token, _)| token)
    }

    /// Finds the service account whose tokens and signatures are requested.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is none; the errors of the metadata server.
    pub fn account(&self, cx: &Context) -> Result<Impersonation, Error> {
        match (self.hops.last(), &self.origin) {
            (Some(hop), _) => Ok(hop.account.clone()),
            (None, Origin::MetadataServer(server)) => {
                Impersonation::of(&server.email(cx)?, self.universe())
            }
            _ => Err(self.no_service_account()),
        }
    }

    /// Calls a method of the service account. If Google refuses a call with a cached token of the
    /// caller, the call is repeated with a new token, which may have other attributes.
    ///
    /// # Errors
    /// The errors of [`Credentials::account`], of the certificate, of the previous accounts, and of `call`.
    pub fn with_account<T>(
        &self,
        cx: &Context,
        call: impl Fn(&ServiceAccount) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let account = self.account(cx)?;
        let identity = self.identity(cx)?;
        let (hop, before) = match self.hops.split_last() {
            Some((hop, before)) => (hop, before),
            None => (&Hop { account, delegates: Vec::new() }, &[][..]),
        };
        self.with_hop(hop, before, identity.as_ref(), cx, call)
    }

    /// The same for the service account of a hop, with these hops before it.
    fn with_hop<T>(
        &self,
        hop: &Hop,
        before: &[Hop],
        identity: Option<&Identity>,
        cx: &Context,
        call: impl Fn(&ServiceAccount) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let service_account = |reuse| {
            let scopes = [CLOUD_PLATFORM.to_owned()];
            let wanted = Bearer { hops: before, scopes: &scopes, reuse, file: None };
            let (bearer, is_cached) = self.bearer(&wanted, identity, cx)?;
            let member = bearer.member.clone().unwrap_or_else(|| "principal:…".to_owned());
            let (account, delegates) = (Cow::Borrowed(&hop.account), hop.delegates.clone());
            let cx = identity.map_or(cx, |identity| &identity.cx);
            Ok::<_, Error>((ServiceAccount { account, delegates, bearer, member, cx }, is_cached))
        };
        let (first, is_cached) = service_account(Reuse::For(MIN_LIFE))?;
        match call(&first) {
            Err(error) if is_cached && matches!(error.kind(), Kind::Denied | Kind::Expired) => {
                cx.log.line(format!("trying again with a new token for the caller: {error}"));
                call(&service_account(Reuse::Never)?.0)
            }
            result => result,
        }
    }

    /// Gets an access token of the last of these hops, or of the origin if there are none. Also
    /// returns whether the token was cached.
    fn bearer(
        &self,
        wanted: &Bearer,
        identity: Option<&Identity>,
        cx: &Context,
    ) -> Result<(AccessToken, bool), Error> {
        let Bearer { hops, scopes, reuse, file } = *wanted;
        if let (Origin::MetadataServer(_), [], None) = (&self.origin, hops, file) {
            return Ok((self.of_origin(scopes, None, cx)?, false));
        }
        let request = self.request_of_bearer(hops, scopes);
        // A refusal by the identity provider is remembered, so that it does not lock the account.
        let refusals = if hops.is_empty() { Refusals::Observed } else { Refusals::None };
        let entry = Entry::new("access-token", &request);
        self.cached(Entry { reuse, refusals, file, identity, ..entry }, cx, &|| {
            let loaded = if identity.is_none() { self.identity(cx)? } else { None };
            let identity = identity.or(loaded.as_ref());
            let Some((hop, before)) = hops.split_last() else {
                return self.of_origin(scopes, identity, cx);
            };
            let token = self.with_hop(hop, before, identity, cx, |account| {
                Ok(account.access_token(scopes, None, "the credential file")?)
            })?;
            let member = Some(format!("serviceAccount:{}", hop.account.account));
            Ok(AccessToken { member, ..token })
        })
    }

    /// Gets an access token of the origin.
    fn of_origin(
        &self,
        scopes: &[String],
        identity: Option<&Identity>,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        match &self.origin {
            Origin::ExternalAccount(config) => federated(config, identity, &scopes.join(" "), cx),
            Origin::MetadataServer(server) => {
                let mut token = server.access_token(scopes, cx)?;
                token.member = Some("serviceAccount:EMAIL".to_owned());
                Ok(token)
            }
            Origin::User(user) => {
                // The source of an impersonation gets all scopes that the user granted.
                let scopes = if self.hops.is_empty() { scopes } else { &[] };
                let mut token = user_token::get(user, scopes, cx)?.token;
                token.member = Some(user.member().to_owned());
                Ok(token)
            }
        }
    }
}
