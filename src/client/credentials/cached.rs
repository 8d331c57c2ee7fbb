//! Caches the tokens that credentials get.

use std::path::Path;

use super::{Credentials, Hop, Origin};
use crate::cache::{self, Cached, CachedFile, Fetching, IsOurs, Obtained, Refusals, private};
use crate::client::certificate::Identity;
use crate::client::{subject_token, token_cache};
use crate::context::Context;
use crate::contract::request::digest;
use crate::error::Error;
use crate::files;
use crate::google::access_token::{AccessToken, MIN_LIFE};

/// A token in the cache.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The kind of the token, for the name of the file.
    pub kind: &'static str,
    /// What was requested with these credentials.
    pub request: &'a str,
    /// Which token is used.
    pub reuse: Reuse,
    /// Which refusals of earlier runs are reported, if cached tokens may be used.
    pub refusals: Refusals,
    /// Which files may be replaced.
    pub is_ours: IsOurs,
    /// The file, if it is not in the private cache.
    pub file: Option<&'a Path>,
    /// The certificate, if it was loaded.
    pub identity: Option<&'a Identity>,
}

impl<'a> Entry<'a> {
    /// Creates the entry for an access token or ID token for this request.
    pub fn new(kind: &'static str, request: &'a str) -> Entry<'a> {
        let is_ours = AccessToken::is_ours;
        let reuse = Reuse::For(MIN_LIFE);
        let refusals = Refusals::None;
        Entry { kind, request, reuse, refusals, is_ours, file: None, identity: None }
    }
}

/// Which cached token is used.
#[derive(Debug, Clone, Copy)]
pub enum Reuse {
    /// A token that is still valid for this many seconds.
    For(i64),
    /// No cached token.
    Never,
}

impl Credentials {
    /// Returns the cached token for a request, or fetches one. Also returns whether it was cached.
    ///
    /// # Errors
    /// The errors of the fetch and of [`cache::obtain`].
    pub fn cached<T: Cached>(
        &self,
        entry: Entry,
        cx: &Context,
        fetch: &dyn Fn() -> Result<T, Error>,
    ) -> Result<(T, bool), Error> {
        let file = self.file(entry, cx)?;
        let reuse = self.reuses_cache && !matches!(entry.reuse, Reuse::Never);
        let fetching =
            Fetching { fetch, refusals: if reuse { entry.refusals } else { Refusals::None } };
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

    /// Identifies the principal of the tokens that these credentials get.
    ///
    /// # Errors
    /// The errors of the metadata server.
    pub fn fingerprint(&self, cx: &Context) -> Result<String, Error> {
        let mut parts = vec![self.file.clone(), self.identity_of_origin(None, cx)?];
        parts.extend(self.hops.iter().map(Hop::identity));
        Ok(digest(parts.iter().map(String::as_bytes)))
    }

    /// Identifies the principal of the origin. `loaded` is the certificate, if it was loaded.
    fn identity_of_origin(&self, loaded: Option<&Identity>, cx: &Context) -> Result<String, Error> {
        Ok(match &self.origin {
            Origin::ExternalAccount(config) => {
                let identity = match loaded {
                    Some(identity) => identity.id.clone(),
                    None => subject_token::identity(config, cx),
                };
                [config.digest.clone(), identity].concat()
            }
            Origin::User(user) => format!("{:?}", user.identity()),
            // A different host, or a different server at the same port, has a different account.
            Origin::MetadataServer(server) => server.account(cx)?.to_owned(),
        })
    }

    /// The file that caches a token; `None` if the token is not cached.
    pub(super) fn file(&self, entry: Entry, cx: &Context) -> Result<Option<CachedFile>, Error> {
        let of_origin = self.identity_of_origin(entry.identity, cx)?;
        let Entry { kind, request, reuse, is_ours, file, .. } = entry;
        // Another host that shares the home directory may have a different platform identity.
        let host = token_cache::host(cx);
        let parts = [&self.file, &of_origin, request, &host].map(str::as_bytes);
        let digest = digest(parts.into_iter());
        let min_life = if let Reuse::For(life) = reuse { life } else { 0 };
        let path = match file {
            Some(path) => Some((path.to_owned(), "--cache-file")),
            None => token_cache::path(kind, &digest, cx).map(|path| (path, private::VARIABLE)),
        };
        Ok(path.filter(|(path, _)| !files::is_stdout(path)).map(|(path, place)| {
            CachedFile::new(path, place, digest, is_ours).for_at_least(min_life)
        }))
    }
}
