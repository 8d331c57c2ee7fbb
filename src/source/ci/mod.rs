//! Gets the ID token of a CI job. The same command line works in all supported CI systems.
//!
//! The system is detected by a variable that it sets in all its jobs. There are two ways to get the
//! token. In some systems, the job can request a new token at any time, with HTTP or with a program
//! of the system. In the others, a variable contains the token, which is not renewed during the
//! job; if it has expired, the error message has a fix for the system. [`table::SYSTEMS`] is the
//! table of the systems.

pub(super) mod azure_pipelines;
mod codefresh;
mod fly;
pub(super) mod github;
mod job;
mod system;
mod table;

use std::ffi::OsString;

use serde_json::Value;

use self::azure_pipelines::ServiceConnection;
use self::system::{System, TokenSource, TokenVariable};
use self::table::SYSTEMS;
use super::{Source, SourceInfo, Trust, env};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::options::{Values, VariableName};
use crate::program::Program;
use crate::token::{Origin, SubjectToken, jwt};

choices! {
    /// The CI systems.
    pub(super) enum SystemName {
        /// GitHub Actions and Forgejo Actions.
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
        /// Spacelift.
        Spacelift = "spacelift",
        /// Semaphore.
        Semaphore = "semaphore",
        /// env0, also called env zero.
        Env0 = "env0",
        /// Codefresh.
        Codefresh = "codefresh",
        /// Vercel.
        Vercel = "vercel",
        /// Fly.io.
        Fly = "fly",
        /// Modal.
        Modal = "modal",
    }
}

options! {
    /// Options of `ci`.
    struct Options {
        /// CI system (default: detected from the variables of the job)
        system: Option<SystemName> = "--system",
        /// variable with the token; overrides the default variable of the system
        name: Option<VariableName> = "--name",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "ci",
    also: &[
        "gitlab",
        "gitlab-ci",
        "glab",
        "circleci",
        "bitbucket",
        "buildkite",
        "terraform",
        "hcp-terraform",
        "spacelift",
        "semaphore",
        "env0",
        "codefresh",
        "vercel",
        "fly",
        "modal",
    ],
    summary: "the ID token of the CI job, in any supported CI system",
    options: &[Options::TABLE, ServiceConnection::TABLE],
    rest: None,
    variables: system::VARIABLES,
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
    fn trust(&self) -> Trust {
        let named = SYSTEMS.iter().find(|system| Some(system.name) == self.options.system);
        named.map_or_else(
            || {
                Trust::issuer("ISSUER").explain(
                    "ISSUER",
                    "the issuer of the CI system; wif-token config ci --system=NAME prints it",
                )
            },
            |system| (system.trust)(self),
        )
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let system = self.system(cx)?;
        cx.log.line(format!("the CI system is {}", system.name.word()));
        use TokenSource::{Request, RequestOrVariable, Variable};
        match (&system.token_source, &self.options.name) {
            (Variable(variable) | RequestOrVariable(_, variable), Some(VariableName(name))) => {
                variable.read(name, request, cx)
            }
            (Variable(variable), None) => variable.read(variable.name, request, cx),
            (Request(get), None) => get(self, request, cx),
            (Request(_), Some(_)) => {
                let system = system.name.word();
                let what = format!("--name is not supported in the CI system {system}");
                Err(Error::new(Kind::Configuration, what)
                    .cause("its jobs request the token, and no variable contains a token")
                    .fix("remove --name"))
            }
            (RequestOrVariable(get, variable), None) => match get(self, request, cx) {
                Err(error) if error.kind() == Kind::Absent => {
                    cx.log.line(error.to_string());
                    variable.read(variable.name, request, cx)
                }
                result => result,
            },
        }
    }
}

impl Ci {
    /// The system of `--system`; by default, the system that this job runs in.
    fn system(&self, cx: &Context) -> Result<&'static System, Error> {
        let is_set = |name| cx.env.get(name).is_some_and(|value| !value.is_empty());
        let found = match self.options.system {
            Some(name) => SYSTEMS.iter().find(|system| system.name == name),
            None => SYSTEMS.iter().find(|system| is_set(system.detected_by)),
        };
        found.ok_or_else(|| {
            let variables: Vec<&str> = SYSTEMS.iter().map(|system| system.detected_by).collect();
            Error::new(Kind::Absent, "no supported CI system was detected")
                .cause(format!("none of the variables {} is set", variables.join(", ")))
                .fix("set --system, or use the source env with the variable of the token")
        })
    }
}

impl TokenVariable {
    /// Reads the token from the variable `name`. Logs its audience if it is not the requested one,
    /// because the configuration of the job determines the audience.
    fn read(
        &self,
        name: &str,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        let text = env::read(name, self.absent, cx)?;
        let what = format!("the variable {name}");
        let origin = Origin::new(what, "--name", self.renew);
        let token = SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)?;
        if let Some(audience) = other_audience(&token, request) {
            cx.log.line(format!(
                "the audience of the token is {audience}; \
                 the pool provider must have it as an allowed audience"
            ));
        }
        Ok(token)
    }
}

/// The audience of the token, if it is not the requested one.
fn other_audience(token: &SubjectToken, request: &SubjectTokenRequest) -> Option<String> {
    let requested = request.audience().ok()?;
    let claims = jwt::claims(token.text.expose())?;
    let audiences: Vec<&str> = match claims.get("aud")? {
        Value::Array(audiences) => audiences.iter().filter_map(Value::as_str).collect(),
        audience => audience.as_str().into_iter().collect(),
    };
    let is_requested = audiences.iter().any(|audience| requested.is(audience));
    (!is_requested).then(|| audiences.join(" and "))
}

/// Runs a program of the CI system with one more option, and reads the token that it prints.
fn run(
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
        Kind::Absent => error.fix(
            "add the directory of the program to PATH, and mount the program if the job runs in a \
             container",
        ),
        _ => error,
    })?;
    let renew = "check the clocks of this host and of the CI system";
    let origin = Origin::new(format!("the output of {command}"), "--system", renew);
    SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
}
