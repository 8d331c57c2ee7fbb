//! `id-token`: an OpenID Connect ID token of the service account, for services that check one, such
//! as Cloud Run and IAP.
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oidc>

use std::path::PathBuf;

use serde_json::json;

use super::access_token::{FORMAT, printed};
use super::{After, CommandInfo, Invocation};
use crate::cache::{CachedFile, Fetching, Refusals};
use crate::client::credentials::{CredentialOptions, Credentials};
use crate::context::Context;
use crate::contract::destination::Destination;
use crate::contract::document::Document;
use crate::contract::existing;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};
use crate::options::{Format, Values};
use crate::source::SourceInfo;
use crate::token::{SubjectToken, TokenType};
use crate::{files, random};

options! {
    /// Options of `id-token`.
    struct Options {
        /// audience of the token, such as the URL of a Cloud Run service
        audience: String = "--for=AUDIENCE",
        /// add the email claims of the service account
        include_email: bool = "--include-email",
    }
}

options! {
    /// Where the token goes.
    struct Place {
        /// write the token to this file instead of standard output
        output_file: Option<PathBuf> = "--output-file=PATH",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "id-token",
    also: &["identity-token", "print-identity-token"],
    summary: "print an OpenID Connect ID token of the service account",
    options: &[CredentialOptions::TABLE, Options::TABLE, Place::TABLE, FORMAT],
    after: After::Options,
    own_source: None,
    rest: None,
    example: "wif-token id-token --for=https://my-service.example.com --include-email",
    run,
};

/// The word that only `keep` accepts in place of a source.
pub(super) static SOURCE: SourceInfo = SourceInfo {
    name: INFO.name,
    also: INFO.also,
    summary: "an OpenID Connect ID token of the service account",
    options: &[CredentialOptions::TABLE, Options::TABLE],
    rest: None,
    variables: &[],
    example: "wif-token keep id-token --for=https://my-service.example.com \\\n  --output-file=/run/my-app/id-token",
    build: |_| Err(Error::bug("an ID token is not a subject token")),
};

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let path = Place::read(&invocation.values)?.output_file;
    if let Some(path) = path.filter(|path| !files::is_stdout(path)) {
        if invocation.format != Format::Text {
            return Err(Error::new(Kind::Usage, "--output-file requires --format=text")
                .fix("remove --format"));
        }
        ToFile::new(&invocation.values, path)?.document(true, cx)?;
        return Ok(String::new().into());
    }
    let options = Options::read(&invocation.values)?;
    let token = options.token(&invocation.credentials(cx)?, cx)?.text;
    let json = || json!({ "id_token": token.expose() }).to_string();
    Ok(printed(&token, json, invocation.format))
}

impl Options {
    fn token(&self, credentials: &Credentials, cx: &Context) -> Result<SubjectToken, Error> {
        let token = credentials.id_token(&self.audience, self.include_email, "--for", cx)?;
        Ok(SubjectToken { text: token.text, expiry: Some(token.expiry) })
    }
}

/// An ID token that is written to a file.
#[derive(Debug)]
pub(super) struct ToFile<'a> {
    options: Options,
    values: &'a Values,
    /// Where the token is written.
    pub(super) destination: Destination,
}

impl ToFile<'_> {
    /// Selects the token with these options, for the file at `path`.
    ///
    /// # Errors
    /// `USAGE` if the path is standard output.
    pub(super) fn new(values: &Values, path: PathBuf) -> Result<ToFile<'_>, Error> {
        // Runs that wait for each other may have different credentials, so they do not share a
        // failure.
        let request = random::hex()?;
        let file = CachedFile::new(path, "--output-file", request, existing::is_token_file);
        let destination = match files::is_stdout(file.path()) {
            true => Destination::BareStdout,
            false => Destination::BareFile(file),
        };
        let destination = destination.into_file()?;
        Ok(ToFile { options: Options::read(values)?, values, destination })
    }

    /// Gets the token, from the private cache if this is allowed, and writes it to the file.
    ///
    /// # Errors
    /// The errors of the credentials, of Google, and of [`Destination::document`].
    pub(super) fn document(&self, reuses_cache: bool, cx: &Context) -> Result<Document, Error> {
        cx.require_authorities()?;
        let mut credentials = Credentials::find(self.values, cx)?;
        credentials.reuses_cache = reuses_cache;
        let fetch = || {
            let token = self.options.token(&credentials, cx)?;
            Document::new(token, TokenType::IdToken, None, cx.clock.now())
                .map_err(|error| cx.explained(error))
        };
        self.destination.document(
            reuses_cache,
            cx,
            &Fetching { fetch: &fetch, refusals: Refusals::None },
        )
    }
}
