//! A token of a Kubernetes service account, made for Google by the API server (TokenRequest) or kept
//! in a file by the kubelet (a projected volume).
//!
//! The API server is found as kubectl finds it: by a kubeconfig (`--kubeconfig`, `KUBECONFIG`,
//! `~/.kube/config`), else by what a pod has. The token names the service account as
//! `system:serviceaccount:NAMESPACE:NAME` in `sub`, and the audience that was asked for.
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>,
//! <https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken>

mod access;
mod exec;
mod in_cluster;
mod kubeconfig;
mod token_request;
mod user;
mod yaml;

use std::path::{Path, PathBuf};

use self::access::Access;
use self::kubeconfig::Kubeconfig;
use self::token_request::TokenRequest;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::options::{OptionInfo, Takes, Values};
use crate::token::{Origin, SubjectToken, TokenType, jwt};
use crate::world::Log;

/// The longest life of a token that Google takes, in seconds.
const LONGEST: u64 = 86_400;
/// How long a token lives without `--token-lifetime`, in seconds.
const LIFETIME: u64 = 3600;

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "kubernetes",
    summary: "a service account of Kubernetes, in a pod or by a kubeconfig",
    options: &[
        OptionInfo::new(
            "account",
            Takes::Text("NAME"),
            "the service account whose token to ask for; in a pod its own by default",
        ),
        OptionInfo::new(
            "namespace",
            Takes::Text("NAME"),
            "where the service account is; by default that of the pod or of the context",
        ),
        OptionInfo::new(
            "kubeconfig",
            Takes::Path("PATH"),
            "how to reach the cluster, before KUBECONFIG and ~/.kube/config",
        ),
        OptionInfo::new(
            "context",
            Takes::Text("NAME"),
            "the context of the kubeconfig, before its current-context",
        ),
        OptionInfo::new(
            "token-lifetime",
            Takes::Seconds(600, LONGEST),
            "how long the token lives, 3600 by default",
        ),
        OptionInfo::new(
            "path",
            Takes::Path("PATH"),
            "read a projected token from this file instead of asking for one",
        ),
    ],
    rest: None,
    build,
};

/// A token to ask the API server for.
#[derive(Debug)]
struct Asked {
    service_account: Option<String>,
    namespace: Option<String>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    lifetime: u64,
}

/// A token that the kubelet keeps in a file.
#[derive(Debug)]
struct Projected(PathBuf);

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let Some(path) = values.path("path") else {
        let text = |name: &'static str| values.text(name).map(str::to_owned);
        return Ok(Box::new(Asked {
            service_account: text("account"),
            namespace: text("namespace"),
            kubeconfig: values.path("kubeconfig").map(Path::to_owned),
            context: text("context"),
            lifetime: values.seconds("token-lifetime").unwrap_or(LIFETIME),
        }));
    };
    let mut others = INFO.options.iter().filter(|option| option.name != "path");
    if let Some(option) = others.find(|option| values.flag(option.name)) {
        let what =
            format!("--path reads a token that is there, and --{} asks for one", option.name);
        return Err(Error::new(Kind::Usage, what).fix("leave one of them out"));
    }
    Ok(Box::new(Projected(path.to_owned())))
}

impl Source for Asked {
    fn trust(&self) -> Trust {
        let names = self.namespace.as_ref().zip(self.service_account.as_ref());
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
        let service_account = self.service_account.as_ref().or(access.service_account.as_ref());
        let service_account = service_account.ok_or_else(|| {
            Error::new(Kind::Usage, "a kubeconfig does not say which service account to take")
                .fix("add --account=NAME, and --namespace=NAME where it needs one")
        })?;
        let namespace = self.namespace.as_ref().unwrap_or(&access.namespace);
        let (audience, lifetime) = (&audience, self.lifetime);
        let asked = TokenRequest { namespace, service_account, audience, lifetime };
        let token = asked.send(&access, request.token_type, cx)?;
        warn_if_long(&token, &cx.log);
        Ok(token)
    }
}

impl Asked {
    fn access(&self, cx: &Context) -> Result<Access, Error> {
        let why = match Kubeconfig::find(self.kubeconfig.as_deref(), cx)? {
            Ok(kubeconfig) => return kubeconfig.access(self.context.as_deref(), cx),
            Err(why) => why,
        };
        let not_here = match &self.context {
            Some(_) => "--context is for a kubeconfig".to_owned(),
            None => match in_cluster::access(cx)? {
                Ok(access) => return Ok(access),
                Err(not_here) => not_here,
            },
        };
        Err(Error::new(Kind::Absent, "there is neither a kubeconfig nor a pod")
            .cause(format!("{why}; {not_here}"))
            .fix("run it in a pod, or name a kubeconfig with --kubeconfig or KUBECONFIG"))
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
