//! The token of a CI job, whichever system it runs in: one command for all of them.
//!
//! The system shows itself by a variable that all its jobs have. Where a job can ask for a fresh
//! token at any time, by HTTP or by the system's own command, it does so; elsewhere it was given one
//! in a variable, which is not renewed: an expired one says what to do in that very system.
//! [`system::SYSTEMS`] tells which is which.

pub(super) mod azure_pipelines;
pub(super) mod github;
mod job;
mod system;

use std::ffi::OsString;

use serde_json::Value;

use self::azure_pipelines::ServiceConnection;
use self::system::{Given, SYSTEMS, System, Way};
use super::{Source, SourceInfo, env};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::Values;
use crate::program::Program;
use crate::token::{Origin, SubjectToken, jwt};

choices! {
    /// The CI systems.
    pub(super) enum SystemName {
        /// GitHub Actions, and Forgejo.
        GitHub = "github",
        /// Azure Pipelines.
        AzurePipelines = "azure-pipelines",
        /// Buildkite.
        Buildkite = "buildkite",
        /// CircleCI.
        CircleCi = "circleci",
        /// GitLab.
        GitLab = "gitlab",
        /// Bitbucket Pipelines.
        Bitbucket = "bitbucket",
        /// HCP Terraform.
        TerraformCloud = "terraform-cloud",
    }
}

options! {
    /// Options of `ci`.
    struct Options {
        /// the system, by default the one whose variables are set
        system: Option<SystemName> = "--system",
        /// take the token from this variable of the job, not from the system's usual one
        name: Option<String> = "--name=VAR",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "ci",
    summary: "the token of a CI job, in whichever system it runs",
    options: &[Options::TABLE, ServiceConnection::TABLE],
    rest: None,
    example: "wif-token ci --name=GCP_ID_TOKEN",
    build,
};

#[derive(Debug)]
struct Ci {
    options: Options,
    service_connection: ServiceConnection,
}

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let service_connection = ServiceConnection::read(values)?;
    Ok(Box::new(Ci { options: Options::read(values)?, service_connection }))
}

impl Source for Ci {
    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let system = self.system(cx)?;
        cx.log.line(format!("the CI system is {}", system.name.word()));
        match (&system.way, &self.options.name) {
            (Way::Given(given) | Way::AskedOrGiven(_, given), Some(name)) => {
                given.token(name, request, cx)
            }
            (Way::Given(given), None) => given.token(given.variable, request, cx),
            (Way::Asked(ask), None) => ask(self, request, cx),
            (Way::Asked(_), Some(_)) => {
                let what = format!("{} gives no token in a variable", system.name.word());
                Err(Error::new(Kind::Configuration, what).fix("leave --name out"))
            }
            (Way::AskedOrGiven(ask, given), None) => match ask(self, request, cx) {
                Err(error) if error.kind() == Kind::Absent => {
                    cx.log.line(error.to_string());
                    given.token(given.variable, request, cx)
                }
                result => result,
            },
        }
    }
}

impl Ci {
    /// The system that was named, or else the one that this job runs in.
    fn system(&self, cx: &Context) -> Result<&'static System, Error> {
        let is_set = |mark| cx.env.get(mark).is_some_and(|value| !value.is_empty());
        let found = match self.options.system {
            Some(name) => SYSTEMS.iter().find(|system| system.name == name),
            None => SYSTEMS.iter().find(|system| is_set(system.mark)),
        };
        found.ok_or_else(|| {
            let marks: Vec<&str> = SYSTEMS.iter().map(|system| system.mark).collect();
            Error::new(Kind::Absent, "this is no job of a known CI system")
                .cause(format!("none of {} is set", marks.join(", ")))
                .fix("name the system with --system, or its variable with the source env")
        })
    }
}

impl Given {
    /// The token in a variable. It was made for an audience that is not ours to choose.
    fn token(
        &self,
        name: &str,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let text = env::read(name, self.absent, cx)?;
        let what = format!("the variable {name}");
        let origin = Origin { what, option: "--name", renew: self.renew.to_owned() };
        let token = SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)?;
        if let Some(audience) = other_audience(&token, request) {
            cx.log.line(format!(
                "the token is for {audience}: the pool provider has to allow that audience"
            ));
        }
        Ok(token)
    }
}

/// The audience of the token, where it is another than was asked for.
fn other_audience(token: &SubjectToken, request: &SubjectTokenRequest) -> Option<String> {
    let wanted = request.audience_for_pool_provider().ok()?;
    let claims = jwt::object(token.text.expose().split('.').nth(1)?)?;
    let audience = claims.get("aud")?;
    let found: Vec<&str> = match audience {
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => audience.as_str().into_iter().collect(),
    };
    // A pool provider takes its name with and without the scheme.
    let bare = |name: &str| name.trim_start_matches("https:").to_owned();
    let same = found.iter().any(|name| bare(name) == bare(&wanted));
    (!same).then(|| found.join(" and "))
}

/// The token that a system's own command prints, with one more option.
fn printed(
    command: &str,
    option: [&str; 2],
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let mut words = command.split(' ').chain(option).map(OsString::from);
    let name = words.next().unwrap_or_default();
    let (args, place) = (words.collect(), command.to_owned());
    let program = Program { name, args, variables: Vec::new(), place };
    let text = program.output(cx).map_err(|error| match error.kind() {
        Kind::Absent => error.fix("put it into PATH: a container has it only where it is mounted"),
        _ => error,
    })?;
    let renew = "the clocks of this host and of the CI system may differ".to_owned();
    let origin = Origin { what: format!("the output of {command}"), option: "--system", renew };
    SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
}
