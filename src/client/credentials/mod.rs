//! The credentials that every command and helper uses: where they come from, and the service
//! accounts that they impersonate.
//!
//! An origin (a subject token, a user, or the metadata server) yields an access token. Each service
//! account after it is impersonated with the token of the one before. The last account of this chain
//! is the one whose tokens and signatures are requested.
//! <https://google.aip.dev/auth/4110>

mod cached;
mod tokens;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use self::cached::{Entry, Reuse};
use super::certificate::Identity;
use crate::configuration::credential_file::CredentialFile;
use crate::configuration::search::{self, Place};
use crate::configuration::user::UserCredentials;
use crate::configuration::{CredentialConfig, GOOGLEAPIS, Impersonation};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::google;
use crate::google::metadata_server::MetadataServer;
use crate::options::{Values, grammar};
use crate::show;
use crate::token::TokenType;

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
    /// The service accounts between the previous one and this one.
    pub delegates: Vec<String>,
}

impl Hop {
    /// What identifies the tokens of this service account, for the cache.
    pub fn identity(&self) -> String {
        let Hop { account: Impersonation { url, account, lifetime }, delegates } = self;
        format!("{:?}", (url.as_typed(), account, lifetime, delegates))
    }
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
        let mut found = Credentials::at(search::search(credentials, cx)?)?;
        found.impersonate(service_account)?;
        found.delegate(delegate)?;
        Ok(found)
    }

    /// Reads the credentials in this place.
    ///
    /// # Errors
    /// The errors of [`CredentialFile::read`].
    pub fn at(place: Place) -> Result<Credentials, Error> {
        Ok(match place {
            Place::File(path, place) => {
                Credentials::of_file(CredentialFile::read(&path, place)?, &path)
            }
            Place::MetadataServer(origin) => {
                let file = origin.to_string();
                let origin = Origin::MetadataServer(MetadataServer::new(origin));
                let (hops, scopes) = (Vec::new(), Vec::new());
                Credentials { origin, hops, scopes, file, reuses_cache: true }
            }
        })
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

    /// The domain of the services that the credentials use. The services at `mtls.` accept
    /// certificates.
    fn domain(&self) -> Cow<'_, str> {
        match &self.origin {
            Origin::ExternalAccount(config) if config.token_type == TokenType::Mtls => {
                format!("mtls.{}", config.universe).into()
            }
            _ => self.universe().into(),
        }
    }

    /// Loads the certificate of the credentials, if they have one, for all requests of a run.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_the_tokens_of_a_service_account_changes_its_identity() {
        let hop = |account: &str, universe: &str, lifetime, delegates: &[&str]| {
            let account = Impersonation::of(account, universe).unwrap();
            let delegates = delegates.iter().map(|name| (*name).to_owned()).collect();
            Hop { account: Impersonation { lifetime, ..account }, delegates }.identity()
        };
        let identities = [
            hop("a@p.example", GOOGLEAPIS, None, &[]),
            hop("b@p.example", GOOGLEAPIS, None, &[]),
            hop("a@p.example", "universe.example", None, &[]),
            hop("a@p.example", GOOGLEAPIS, Some(600), &[]),
            hop("a@p.example", GOOGLEAPIS, None, &["b", "c"]),
            hop("a@p.example", GOOGLEAPIS, None, &["c", "b"]),
            hop("a@p.example", GOOGLEAPIS, None, &["b c"]),
        ];
        for (index, identity) in identities.iter().enumerate() {
            assert_eq!(identities.iter().position(|other| other == identity), Some(index));
        }
    }
}
