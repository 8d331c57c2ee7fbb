//! A token of a Kubernetes service account, made for Google by the API server (TokenRequest) or kept
//! in a file by the kubelet (a projected volume).
//!
//! The API server is found as kubectl finds it: by a kubeconfig (`--kubeconfig`, `KUBECONFIG`,
//! `~/.kube/config`), else by what a pod has. The token names the service account as
//! `system:serviceaccount:NAMESPACE:NAME` in `sub`, and the audience that was asked for.
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>,
//! <https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken>

mod access;
mod entry;
mod exec;
mod in_cluster;
mod kubeconfig;
mod token_request;
mod user;
mod yaml;

use std::path::PathBuf;

use self::access::Access;
use self::kubeconfig::Kubeconfig;
use self::token_request::TokenRequest;
use super::lookup::{Lookup, Search};
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::{Seconds, Values};
use crate::token::{Origin, SubjectToken, TokenType, jwt};
use crate::world::Log;

/// The longest life of a token that Google takes, in seconds.
const LONGEST: u64 = 86_400;
/// How long a token lives without `--token-lifetime`, in seconds.
const LIFETIME: u64 = 3600;

options! {
    /// Options of `kubernetes`.
    struct Options {
        /// the service account whose token to ask for; in a pod its own by default
        account: Option<String> = "--account=NAME",
        /// where the service account is; by default that of the pod or of the context
        namespace: Option<String> = "--namespace=NAME",
        /// how to reach the cluster, before KUBECONFIG and ~/.kube/config
        kubeconfig: Option<PathBuf> = "--kubeconfig=PATH",
        /// the context of the kubeconfig, before its current-context
        context: Option<String> = "--context=NAME",
        /// how long the token lives, 3600 by default
        token_lifetime: Option<Seconds<600, LONGEST>> = "--token-lifetime",
        /// read a projected token from this file instead of asking for one
        path: Option<PathBuf> = "--path=PATH",
    }
}

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "kubernetes",
    summary: "a service account of Kubernetes, in a pod or by a kubeconfig",
    options: &[Options::TABLE],
    rest: None,
    example: "wif-token kubernetes --account=my-app --namespace=default",
    build,
};

/// A token to request from the API server.
#[derive(Debug)]
struct Requested(Options);

/// A token that the kubelet renews in a file.
#[derive(Debug)]
struct Projected(PathBuf);

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    let Some(path) = options.path else { return Ok(Box::new(Requested(options))) };
    let mut others = Options::TABLE.iter().filter(|option| option.name != "path");
    if let Some(option) = others.find(|option| values.flag(option.name)) {
        let what = format!("--path reads an existing token, --{} requests one", option.name);
        return Err(Error::new(Kind::Usage, what).fix("remove one of the two"));
    }
    Ok(Box::new(Projected(path)))
}

impl Source for Requested {
    fn trust(&self) -> Trust {
        let names = self.0.namespace.as_ref().zip(self.0.account.as_ref());
        let principal =
            names.map(|(namespace, name)| format!("system:serviceaccount:{namespace}:{name}"));
        Trust { principal, ..Trust::issuer("ISSUER") }
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        refuse_other_types(request)?;
        let audience = request.audience_for_pool_provider()?;
        let access = self.access(cx)?;
        let service_account = self.0.account.as_ref().or(access.service_account.as_ref());
        let service_account = service_account.ok_or_else(|| {
            Error::new(Kind::Usage, "a kubeconfig does not say which service account to take")
                .fix("add --account=NAME, and --namespace=NAME where it needs one")
        })?;
        let namespace = self.0.namespace.as_ref().unwrap_or(&access.namespace);
        let lifetime = self.0.token_lifetime.map_or(LIFETIME, |Seconds(seconds)| seconds);
        let (audience, lifetime) = (&audience, lifetime);
        let asked = TokenRequest { namespace, service_account, audience, lifetime };
        let token = asked.send(&access, request.token_type, cx)?;
        warn_if_long(&token, &cx.log);
        Ok(token)
    }
}

const SEARCH: Search = Search {
    what: "access to a Kubernetes cluster",
    fix: "run it in a pod, or name a kubeconfig with --kubeconfig or KUBECONFIG",
};

impl Requested {
    fn access(&self, cx: &Context) -> Result<Access, Error> {
        type Place = fn(&Options, &Context) -> Result<Lookup<Access>, Error>;
        let places: [(&str, Place); 2] = [("kubeconfig", of_kubeconfig), ("pod", of_pod)];
        SEARCH.first(places, |place| place(&self.0, cx), &cx.log).map(|(_, access)| access)
    }
}

fn of_kubeconfig(options: &Options, cx: &Context) -> Result<Lookup<Access>, Error> {
    match Kubeconfig::find(options.kubeconfig.as_deref(), cx)? {
        Lookup::Found(found) => found.access(options.context.as_deref(), cx).map(Lookup::Found),
        Lookup::Absent(why) => Ok(Lookup::Absent(why)),
    }
}

fn of_pod(options: &Options, cx: &Context) -> Result<Lookup<Access>, Error> {
    match options.context {
        Some(_) => Ok(Lookup::absent("--context is for a kubeconfig")),
        None => in_cluster::access(cx),
    }
}

impl Source for Projected {
    fn trust(&self) -> Trust {
        Trust::issuer("ISSUER")
    }

    fn subject_token(
        &self,
        request: &SubjectTokenRequest,
        cx: &Context,
    ) -> Result<SubjectToken, Error> {
        refuse_other_types(request)?;
        let text =
            files::read_text(&self.0, "--path", Kind::Absent).map_err(|error| {
                match error.kind() {
                    Kind::Absent => error.fix(
                        "check --path, and that the pod has a projected volume with a \
                     serviceAccountToken there",
                    ),
                    _ => error,
                }
            })?;
        let origin = Origin {
            what: format!("the file {}", self.0.display()),
            option: "--path",
            renew: "the kubelet renews such a file: is it the one that is mounted?".to_owned(),
        };
        let token = SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)?;
        warn_if_long(&token, &cx.log);
        Ok(token)
    }
}

fn refuse_other_types(request: &SubjectTokenRequest) -> Result<(), Error> {
    match request.token_type {
        TokenType::Jwt | TokenType::IdToken => Ok(()),
        TokenType::Saml2 | TokenType::AwsRequest => {
            Err(Error::new(Kind::Configuration, "Kubernetes gives JWTs alone")
                .fix("expect …:jwt as subject_token_type"))
        }
    }
}

/// The API server may choose another life than the one that was asked for.
fn warn_if_long(token: &SubjectToken, log: &Log) {
    let claims = jwt::claims(token.text.expose()).unwrap_or_default();
    let time = |name| claims.get(name).and_then(serde_json::Value::as_i64);
    if let (Some(from), Some(to)) = (time("iat"), time("exp"))
        && to.saturating_sub(from) > LONGEST as i64
    {
        log.line("warning: the token lives longer than the 24 h that Google takes");
    }
}
