//! Kubernetes: the token of a service account.
//!
//! The API server issues the token (TokenRequest), or the kubelet writes it to a file (a projected
//! volume). To call the API server, this source uses a kubeconfig (`--kubeconfig`, `KUBECONFIG` or
//! `~/.kube/config`, as kubectl does), or inside a pod the service account of the pod.
//!
//! The token is a JWT. Its `sub` is `system:serviceaccount:NAMESPACE:NAME`, and its `aud` is the
//! requested audience.
//! <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>,
//! <https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken>

mod access;
mod auth_provider;
pub(crate) mod cluster;
mod endpoint;
mod entry;
mod exec;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod in_cluster;
mod kubeconfig;
mod token_request;
mod user;
mod yaml;

use std::path::PathBuf;

use self::access::Access;
use self::kubeconfig::Kubeconfig;
use self::token_request::TokenRequest;
use super::{Source, SourceInfo, Trust};
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::lookup::{Lookup, Search};
use crate::options::{Seconds, Values};
use crate::show;
use crate::time;
use crate::token::{Origin, SubjectToken, TokenType, jwt};
use crate::world::{HOME, Log};

/// The maximum lifetime that Google's Security Token Service accepts, in seconds.
const MAX_LIFETIME: u64 = 86_400;
/// The default lifetime of a token, in seconds.
const DEFAULT_LIFETIME: u64 = 3600;

options! {
    /// Options of `kubernetes`.
    struct Options {
        /// service account whose token to request (default: the service account of the pod)
        account: Option<String> = "--account=NAME",
        /// namespace of the service account (default: the namespace of the pod or of the context)
        namespace: Option<String> = "--namespace=NAME",
        /// kubeconfig file; overrides KUBECONFIG and ~/.kube/config
        kubeconfig: Option<PathBuf> = "--kubeconfig=PATH",
        /// context in the kubeconfig; overrides current-context
        context: Option<String> = "--context=NAME",
        /// lifetime of the token (default: 3600)
        token_lifetime: Option<Seconds<600, MAX_LIFETIME>> = "--token-lifetime",
        /// file with a projected token, to use instead of requesting a token
        path: Option<PathBuf> = "--path=PATH",
    }
}

const VARIABLES: &[&str] = &["KUBECONFIG", HOME, in_cluster::HOST, in_cluster::PORT];

pub(super) const INFO: SourceInfo = SourceInfo {
    name: "kubernetes",
    also: &[
        "k8s",
        "gke",
        "aks",
        "openshift",
        "kubectl",
        "serviceaccount",
        "service-account",
        "pod",
        "kube",
    ],
    summary: "a Kubernetes service account, from a pod or with a kubeconfig",
    options: &[Options::TABLE],
    rest: None,
    variables: VARIABLES,
    example: "wif-token kubernetes --account=my-app --namespace=default",
    build,
};

fn trust_of_cluster() -> Trust {
    Trust::issuer("ISSUER")
        .with_jwks("JWKS".into())
        .explain("ISSUER", "the issuer in the output of: kubectl get --raw /.well-known/openid-configuration")
        .explain(
            "JWKS",
            "a file with the output of: kubectl get --raw /openid/v1/jwks; omit --jwk-json-path if \
             Google can reach the issuer (as with GKE, EKS and AKS), because uploaded keys are not renewed",
        )
}

/// A token to request from the API server.
#[derive(Debug)]
struct Requested(Options);

/// A token in a file that the kubelet renews.
#[derive(Debug)]
struct Projected(PathBuf);

fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    let Some(path) = options.path else { return Ok(Box::new(Requested(options))) };
    let mut others = Options::TABLE.iter().filter(|option| option.name != "path");
    if let Some(option) = others.find(|option| values.flag(option.name)) {
        let what = format!("--path and --{} cannot be used together", option.name);
        let fix = format!("remove --path or --{}", option.name);
        return Err(Error::new(Kind::Usage, what).fix(fix));
    }
    Ok(Box::new(Projected(path)))
}

impl Source for Requested {
    fn trust(&self) -> Trust {
        let names = self.0.namespace.as_ref().zip(self.0.account.as_ref());
        let principal =
            names.map(|(namespace, name)| format!("system:serviceaccount:{namespace}:{name}"));
        Trust { principal, ..trust_of_cluster() }
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
            Error::new(Kind::Usage, "--account is required with a kubeconfig")
                .fix("add --account=NAME, and --namespace=NAME if needed")
        })?;
        let namespace = self.0.namespace.as_ref().unwrap_or(&access.namespace);
        let lifetime = self.0.token_lifetime.map_or(DEFAULT_LIFETIME, |Seconds(seconds)| seconds);
        let (audience, lifetime) = (&audience, lifetime);
        let token_request = TokenRequest { namespace, service_account, audience, lifetime };
        let token = token_request.send(&access, request.token_type, cx)?;
        warn_if_long(&token, &cx.log);
        Ok(token)
    }
}

const SEARCH: Search = Search {
    what: "access to a Kubernetes cluster",
    fix: "set --kubeconfig or KUBECONFIG, or run wif-token in a pod with a service account token \
          (automountServiceAccountToken)",
};

impl Requested {
    fn access(&self, cx: &Context) -> Result<Access, Error> {
        type Place = fn(&Options, &Context) -> Result<Lookup<Access>, Error>;
        let places: [(&str, Place); 2] = [("kubeconfig", from_kubeconfig), ("pod", from_pod)];
        SEARCH.first(places, |place| place(&self.0, cx), &cx.log).map(|(_, access)| access)
    }
}

fn from_kubeconfig(options: &Options, cx: &Context) -> Result<Lookup<Access>, Error> {
    match Kubeconfig::find(options.kubeconfig.as_deref(), cx)? {
        Lookup::Found(found) => found.access(options.context.as_deref(), cx).map(Lookup::Found),
        Lookup::Absent(why) => Ok(Lookup::Absent(why)),
    }
}

fn from_pod(options: &Options, cx: &Context) -> Result<Lookup<Access>, Error> {
    match options.context {
        Some(_) => Ok(Lookup::absent("--context requires a kubeconfig")),
        None => in_cluster::access(cx),
    }
}

impl Source for Projected {
    fn trust(&self) -> Trust {
        trust_of_cluster()
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
                        "check --path, and that the pod mounts a projected volume with a \
                         serviceAccountToken there",
                    ),
                    _ => error,
                }
            })?;
        let origin = Origin::new(
            format!("the file {}", show::path(&self.0)),
            "--path",
            "check that --path is a file in a projected volume, which the kubelet renews",
        );
        let token = SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)?;
        warn_if_long(&token, &cx.log);
        Ok(token)
    }
}

fn refuse_other_types(request: &SubjectTokenRequest) -> Result<(), Error> {
    match request.token_type {
        TokenType::Jwt | TokenType::IdToken => Ok(()),
        TokenType::Saml2 | TokenType::AwsRequest | TokenType::Mtls => {
            Err(Error::new(Kind::Configuration, "Kubernetes issues only JWTs")
                .fix("set subject_token_type to urn:ietf:params:oauth:token-type:jwt"))
        }
    }
}

/// Logs a warning if Google would refuse the token: the API server may choose a longer lifetime
/// than the requested one.
fn warn_if_long(token: &SubjectToken, log: &Log) {
    let claims = jwt::claims(token.text.expose()).unwrap_or_default();
    let time = |name| claims.get(name).and_then(time::instant);
    if let (Some(issued), Some(expiry)) = (time("iat"), time("exp"))
        && expiry.saturating_sub(issued) > MAX_LIFETIME as i64
    {
        log.line(
            "warning: Google refuses this token, because its lifetime is longer than 24 hours",
        );
    }
}
