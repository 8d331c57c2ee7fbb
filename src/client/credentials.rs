//! The credentials that every command and helper uses: where they come from, and the service
//! accounts that they impersonate.
//!
//! An origin (a subject token, a user, or the metadata server) yields an access token. Each service
//! account after it is impersonated with the token of the one before. The last account of this chain
//! is the one whose tokens and signatures are requested.
//! <https://google.aip.dev/auth/4110>

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::certificate::Identity;
use super::{federated, subject_token, token_cache, user_token};
use crate::cache::{self, Cached, CachedFile, Fetching, IsOurs, Obtained};
use crate::configuration::credential_file::CredentialFile;
use crate::configuration::search::{self, Place};
use crate::configuration::user::UserCredentials;
use crate::configuration::{CredentialConfig, GOOGLEAPIS, Impersonation};
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::{Error, Kind};
use crate::files;
use crate::google::access_token::{AccessToken, MIN_LIFE};
use crate::google::metadata_server::MetadataServer;
use crate::google::service_account::ServiceAccount;
use crate::google::{self, CLOUD_PLATFORM};
use crate::options::{Values, grammar};
use crate::secret::Secret;
use crate::show;
use crate::token::{TokenType, jwt};

options! {
    /// Options that select credentials.
    pub struct CredentialOptions {
        /// credential file to use; overrides GOOGLE_APPLICATION_CREDENTIALS
        credentials: Option<PathBuf> = "--credentials=FILE",
        /// service account to impersonate with these credentials
        service_account: Option<String> = "--service-account=EMAIL",
        /// service account between the caller and the target service account, in order from the
        /// caller
        delegate: Vec<String> = "--delegate=EMAIL",
    }
}

impl CredentialOptions {
    /// Reads the options, and checks the names of service accounts.
    ///
    /// # Errors
    /// `USAGE` if an option has a wrong value.
    pub fn checked(values: &Values) -> Result<CredentialOptions, Error> {
        let options = CredentialOptions::read(values)?;
        let account = options.service_account.iter().map(|name| (name, "--service-account"));
        let mut names = account.chain(options.delegate.iter().map(|name| (name, "--delegate")));
        names.try_for_each(|(name, option)| grammar::require_service_account(name, option))?;
        Ok(options)
    }
}

/// Where the first token of the chain comes from.
#[derive(Debug)]
pub enum Origin {
    /// A subject token, which the Security Token Service exchanges.
    ExternalAccount(Box<CredentialConfig>),
    /// A user who signed in.
    User(Box<UserCredentials>),
    /// The metadata server.
    MetadataServer(MetadataServer),
}

/// A service account of the chain.
#[derive(Debug)]
pub struct Hop {
    /// The service account.
    pub account: Impersonation,
    /// The service accounts between the one before and this one.
    pub delegates: Vec<String>,
}

/// Credentials, and the service accounts that they impersonate.
#[derive(Debug)]
pub struct Credentials {
    /// Where the first token comes from.
    pub origin: Origin,
    /// The service accounts, in the order in which they are impersonated.
    pub hops: Vec<Hop>,
    /// The scopes in the file for the tokens of the last service account.
    scopes: Vec<String>,
    /// The path of the file, or the origin of the metadata server.
    file: String,
    /// Whether cached access tokens and ID tokens may be used.
    pub reuses_cache: bool,
}

impl Credentials {
    /// Finds the credentials that the options select.
    ///
    /// # Errors
    /// `USAGE` if an option has a wrong value; otherwise those of [`search::search`] and
    /// [`CredentialFile::read`].
    pub fn find(values: &Values, cx: &Context) -> Result<Credentials, Error> {
        let CredentialOptions { credentials, service_account, delegate } =
            CredentialOptions::checked(values)?;
        let mut found = match search::search(credentials, cx)? {
            Place::File(path, place) => {
                Credentials::of_file(CredentialFile::read(&path, place)?, &path)
            }
            Place::MetadataServer(origin) => {
                let file = origin.to_string();
                let origin = Origin::MetadataServer(MetadataServer::new(origin));
                let (hops, scopes) = (Vec::new(), Vec::new());
                Credentials { origin, hops, scopes, file, reuses_cache: true }
            }
        };
        found.impersonate(service_account)?;
        found.delegate(delegate)?;
        Ok(found)
    }

    fn of_file(file: CredentialFile, path: &Path) -> Credentials {
        let (mut hops, mut of_file) = (Vec::new(), Vec::new());
        let mut file = file;
        let origin = loop {
            file = match file {
                CredentialFile::Impersonated { source, account, delegates, scopes } => {
                    hops.insert(0, Hop { account: *account, delegates });
                    of_file = scopes;
                    *source
                }
                CredentialFile::User(user) => break Origin::User(user),
                CredentialFile::ExternalAccount(config) => {
                    let account = config.impersonation.clone();
                    hops.splice(..0, account.map(|account| Hop { account, delegates: Vec::new() }));
                    break Origin::ExternalAccount(config);
                }
            };
        };
        let file = files::absolute(path).display().to_string();
        Credentials { origin, hops, scopes: of_file, file, reuses_cache: true }
    }

    /// Adds the service account of `--service-account`, unless the chain already ends with it.
    fn impersonate(&mut self, account: Option<String>) -> Result<(), Error> {
        let Some(account) = account else { return Ok(()) };
        let last = self.hops.last();
        if last.is_some_and(|hop| hop.account.account == account) {
            return Ok(());
        }
        let account = match last.and_then(|hop| hop.account.beside(&account)) {
            Some(account) => account,
            None => Impersonation::of(&account, &self.domain())?,
        };
        self.hops.push(Hop { account, delegates: Vec::new() });
        self.scopes.clear();
        Ok(())
    }

    /// The scopes in the value of `--scope`. Without a value, these are the scopes in the file, all that
    /// the user granted (an empty list), or `cloud-platform`, as in Google's client libraries.
    pub fn scopes(&self, option: Option<&str>) -> Vec<String> {
        let is_of_user = self.hops.is_empty() && matches!(self.origin, Origin::User(_));
        match option {
            None if is_of_user || !self.scopes.is_empty() => self.scopes.clone(),
            _ => google::scopes(option),
        }
    }

    /// Impersonates the last service account through these delegates.
    fn delegate(&mut self, delegates: Vec<String>) -> Result<(), Error> {
        if delegates.is_empty() {
            return Ok(());
        }
        let shown = self.shown();
        let Some(hop) = self.hops.last_mut() else {
            return Err(Error::new(Kind::Configuration, "--delegate requires a service account")
                .cause(format!("{shown} does not name a service account"))
                .fix("remove --delegate, or add --service-account=EMAIL"));
        };
        if delegates.contains(&hop.account.account) {
            let what = "--delegate names the target service account";
            return Err(Error::new(Kind::Usage, what)
                .cause("delegates are the accounts between the caller and the target")
                .fix("remove that --delegate"));
        }
        hop.delegates = delegates;
        Ok(())
    }

    /// The universe domain.
    pub fn universe(&self) -> &str {
        match &self.origin {
            Origin::ExternalAccount(config) => &config.universe,
            Origin::User(user) => &user.universe,
            Origin::MetadataServer(_) => GOOGLEAPIS,
        }
    }

    /// The domain of the services that the credentials use. Those with `mtls` accept certificates.
    fn domain(&self) -> Cow<'_, str> {
        match &self.origin {
            Origin::ExternalAccount(config) if config.token_type == TokenType::Mtls => {
                format!("mtls.{}", config.universe).into()
            }
            _ => self.universe().into(),
        }
    }

    /// The certificate of the credentials, for all requests of a run.
    fn identity(&self, cx: &Context) -> Result<Option<Identity>, Error> {
        match &self.origin {
            Origin::ExternalAccount(config) => Identity::of(config, cx),
            _ => Ok(None),
        }
    }

    /// The file or server, for messages.
    fn shown(&self) -> String {
        show::path(self.file.as_ref())
    }

    /// The error for a request that only a service account can make.
    pub fn no_service_account(&self) -> Error {
        let fix = match &self.origin {
            Origin::ExternalAccount(_) => {
                "add --service-account=EMAIL, or create the configuration with wif-token config \
                 SOURCE --service-account=EMAIL"
            }
            _ => "add --service-account=EMAIL",
        };
        let what = format!("{} does not name a service account", self.shown());
        Error::new(Kind::Configuration, what)
            .cause("only a service account can sign and get ID tokens")
            .fix(fix)
    }

    /// An access token with these scopes. A cached one is used if it is still valid for `min_life`
    /// seconds.
    ///
    /// # Errors
    /// Those of the source and of Google.
    pub fn access_token(
        &self,
        scopes: &[String],
        min_life: i64,
        cx: &Context,
    ) -> Result<AccessToken, Error> {
        if self.hops.is_empty() {
            return Ok(self.bearer(scopes, Reuse::For(min_life), None, cx)?.0);
        }
        let request = self.request(scopes);
        let entry = Entry { reuse: Reuse::For(min_life), ..Entry::new("access-token", &request) };
        self.cached(entry, cx, &|| {
            self.with_account(cx, |account| Ok(account.access_token(scopes, None, "--scope")?))
        })
        .map(|(token, _)| token)
    }

    /// What [`Credentials::access_token`] requests, for the cache.
    fn request(&self, scopes: &[String]) -> String {
        match self.hops.last() {
            Some(hop) => format!("access token of {hop:?} {scopes:?}"),
            None => self.request_of_bearer(&[], scopes),
        }
    }

    /// What the origin and these accounts after it are asked for, for the cache. The token of a
    /// workforce user has the same scopes for every request.
    fn request_of_bearer(&self, hops: &[Hop], scopes: &[String]) -> String {
        let scopes = match &self.origin {
            Origin::User(user) if user.is_workforce => &[],
            _ => scopes,
        };
        format!("access token of {hops:?} {scopes:?}")
    }

    /// Removes the cached access token with these scopes if it is the one that a server refused.
    ///
    /// # Errors
    /// `CONFIGURATION` if it cannot be removed; those of the metadata server.
    pub fn forget(&self, refused: &str, scopes: &[String], cx: &Context) -> Result<(), Error> {
        let request = self.request(scopes);
        let entry = Entry { reuse: Reuse::For(0), ..Entry::new("access-token", &request) };
        let Some(file) = self.file(entry, cx)? else { return Ok(()) };
        match file.fresh::<AccessToken>(cx) {
            Some(token) if token.text.expose() == refused => file.remove(),
            _ => Ok(()),
        }
    }

    /// An ID token for this audience, with the email address of the account if `include_email` is
    /// set. `place` names the option with the audience.
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
        let request = format!("ID token of {hop:?} {audience:?} {include_email}");
        let token = |text: Secret| {
            let expiry = jwt::expiry(text.expose()).unwrap_or(cx.clock.now());
            AccessToken { text, expiry, issued: cx.clock.now(), member: None }
        };
        // The metadata server has its own cache.
        if let (Origin::MetadataServer(server), None) = (&self.origin, hop) {
            return server.id_token(audience, cx).map(token);
        }
        self.cached(Entry::new("id-token", &request), cx, &|| {
            let call = |account: &ServiceAccount| account.id_token(audience, include_email, place);
            self.with_account(cx, call).map(token)
        })
        .map(|(token, _)| token)
    }

    /// The service account whose tokens and signatures are requested.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is none; those of the metadata server.
    pub fn account(&self, cx: &Context) -> Result<Impersonation, Error> {
        match (self.hops.last(), &self.origin) {
            (Some(hop), _) => Ok(hop.account.clone()),
            (None, Origin::MetadataServer(server)) => {
                Impersonation::of(&server.email(cx)?, self.universe())
            }
            _ => Err(self.no_service_account()),
        }
    }

    /// Calls a method of the service account. If Google refuses it with a cached token of the caller,
    /// it is called again with a new one, which may have other attributes.
    ///
    /// # Errors
    /// Those of [`Credentials::account`], of the certificate, of the accounts before, and of `call`.
    pub fn with_account<T>(
        &self,
        cx: &Context,
        call: impl Fn(&ServiceAccount) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let delegates = self.hops.last().map_or_else(Vec::new, |hop| hop.delegates.clone());
        let account = self.account(cx)?;
        let identity = self.identity(cx)?;
        let service_account = |reuse| {
            let scopes = [CLOUD_PLATFORM.to_owned()];
            let (bearer, is_cached) = self.bearer(&scopes, reuse, identity.as_ref(), cx)?;
            let member = bearer.member.clone().unwrap_or_else(|| "principal:…".to_owned());
            let (account, delegates) = (Cow::Borrowed(&account), delegates.clone());
            let cx = identity.as_ref().map_or(cx, |identity| &identity.cx);
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

    /// The access token of the account before the last one, or of the origin, and whether it was
    /// cached.
    fn bearer(
        &self,
        scopes: &[String],
        reuse: Reuse,
        identity: Option<&Identity>,
        cx: &Context,
    ) -> Result<(AccessToken, bool), Error> {
        let before = self.hops.split_last().map_or(&[][..], |(_, before)| before);
        if let (Origin::MetadataServer(_), []) = (&self.origin, before) {
            return Ok((self.of_origin(scopes, None, cx)?, false));
        }
        let request = self.request_of_bearer(before, scopes);
        let entry = Entry { reuse, identity, ..Entry::new("access-token", &request) };
        self.cached(entry, cx, &|| {
            let loaded = if identity.is_none() { self.identity(cx)? } else { None };
            let identity = identity.or(loaded.as_ref());
            let mut bearer = self.of_origin(scopes, identity, cx)?;
            let cx = identity.map_or(cx, |identity| &identity.cx);
            let cloud_platform = [CLOUD_PLATFORM.to_owned()];
            for Hop { account, delegates } in before {
                let (name, delegates) = (&account.account, delegates.clone());
                let member = bearer.member.take().unwrap_or_default();
                let account = Cow::Borrowed(account);
                let account = ServiceAccount { account, delegates, bearer, member, cx };
                bearer = account.access_token(&cloud_platform, None, "the credential file")?;
                bearer.member = Some(format!("serviceAccount:{name}"));
            }
            Ok(bearer)
        })
    }

    /// An access token of the origin.
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
                token.member = Some("user:EMAIL".to_owned());
                Ok(token)
            }
        }
    }

    /// Returns the cached token for a request, or fetches one. Also returns whether it was cached.
    ///
    /// # Errors
    /// Those of the fetch and of [`cache::obtain`].
    pub fn cached<T: Cached>(
        &self,
        entry: Entry,
        cx: &Context,
        fetch: &dyn Fn() -> Result<T, Error>,
    ) -> Result<(T, bool), Error> {
        let file = self.file(entry, cx)?;
        let fetching = Fetching { fetch, remembers_refusals: false };
        let reuse = self.reuses_cache && !matches!(entry.reuse, Reuse::Never);
        Ok(match cache::obtain(file.as_ref(), reuse, cx, &fetching)? {
            Obtained::Cached(token) => (token, true),
            Obtained::New(token, _lock) => {
                match &file {
                    Some(file) if entry.file.is_some() => {
                        file.try_write(&token, cx);
                    }
                    Some(file) if files::has_seen_all() => {
                        file.try_write(&token, cx);
                        token_cache::tidy(file.path(), cx);
                    }
                    Some(_) => {
                        cx.log.line("token not cached: a change of its identity cannot be detected")
                    }
                    None => {}
                }
                (token, false)
            }
        })
    }

    /// The file for a token; `None` if there is none.
    fn file(&self, entry: Entry, cx: &Context) -> Result<Option<CachedFile>, Error> {
        let of_origin = match &self.origin {
            Origin::ExternalAccount(config) => {
                let identity = match entry.identity {
                    Some(identity) => identity.id.clone(),
                    None => subject_token::identity(config, cx),
                };
                [config.digest.clone(), identity].concat()
            }
            Origin::User(user) => format!("{:?}", user.identity()),
            // Another host, or another server at the same port, has another account.
            Origin::MetadataServer(server) => server.account(cx)?.to_owned(),
        };
        let Entry { kind, request, reuse, is_ours, file, .. } = entry;
        // The platform of another host that shares the home directory has another identity.
        let host = token_cache::host(cx);
        let parts = [&self.file, &of_origin, request, &host].map(str::as_bytes);
        let digest = digest(parts.into_iter());
        let min_life = if let Reuse::For(life) = reuse { life } else { 0 };
        let path = match file {
            Some(path) => Some((path.to_owned(), "--cache-file")),
            None => token_cache::path(kind, &digest, cx).map(|path| (path, PRIVATE_CACHE)),
        };
        Ok(path.filter(|(path, _)| !files::is_stdout(path)).map(|(path, place)| {
            CachedFile::new(path, place, digest, is_ours).for_at_least(min_life)
        }))
    }
}

/// A token in the cache.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The kind of the token, for the name of the file.
    pub kind: &'static str,
    /// What was requested with these credentials.
    pub request: &'a str,
    /// Which token is used.
    pub reuse: Reuse,
    /// Which files may be replaced.
    pub is_ours: IsOurs,
    /// The file, if it is not one of the private cache.
    pub file: Option<&'a Path>,
    /// The certificate, if it was loaded.
    pub identity: Option<&'a Identity>,
}

impl<'a> Entry<'a> {
    /// An access token or ID token for this request.
    pub fn new(kind: &'static str, request: &'a str) -> Entry<'a> {
        let is_ours = AccessToken::is_ours;
        let reuse = Reuse::For(MIN_LIFE);
        Entry { kind, request, reuse, is_ours, file: None, identity: None }
    }
}

/// Which cached token is used.
#[derive(Debug, Clone, Copy)]
pub enum Reuse {
    /// One that is valid for so many seconds.
    For(i64),
    /// None.
    Never,
}

/// How messages name the place of a file in the cache.
const PRIVATE_CACHE: &str = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_CACHE_HOME" };
