//! The kubeconfig: the API server to call, and the credentials to authenticate with.
//!
//! `--kubeconfig` names one file. `KUBECONFIG` contains a list of files, which are merged: if
//! several files define a cluster, user or context with the same name, or a `current-context`, the
//! first file takes precedence. A relative path in a file is relative to the directory of that
//! file.
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

use std::env::split_paths;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::access::{Access, Credentials};
use super::endpoint::Endpoint;
use super::entry::Entry;
use super::{user, yaml};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::Terms;
use crate::lookup::Lookup;
use crate::{shell, show};

/// The option that selects the files, for messages.
const OPTION: &str = "--kubeconfig";

/// The maximum number of names in a message.
const MAX_NAMES: usize = 12;

/// The files that exist, with their content, in the order of precedence.
#[derive(Debug)]
pub(super) struct Kubeconfig {
    files: Vec<(PathBuf, Value)>,
}

impl Kubeconfig {
    /// Parses the content of one file.
    ///
    /// # Errors
    /// Why the text is refused.
    #[cfg(feature = "fuzzing")]
    pub(super) fn of_text(text: &str) -> Result<Kubeconfig, String> {
        Ok(Kubeconfig { files: vec![(PathBuf::from("/kubeconfig"), parse(text)?)] })
    }

    /// Reads the files that kubectl would read.
    ///
    /// # Errors
    /// `ABSENT` if the file of `--kubeconfig` does not exist, `CONFIGURATION` if a file cannot be
    /// read or is not a kubeconfig.
    pub(super) fn find(option: Option<&Path>, cx: &Context) -> Result<Lookup<Kubeconfig>, Error> {
        let (paths, place): (Vec<PathBuf>, _) = match (option, cx.env.get("KUBECONFIG")) {
            (Some(path), _) => (vec![path.to_owned()], OPTION),
            (None, Some(list)) if !list.is_empty() => {
                if let Some(error) = files::not_a_path(&list, "KUBECONFIG") {
                    return Err(error);
                }
                (split_paths(&list).collect(), "KUBECONFIG")
            }
            _ => match cx.env.home()? {
                Some(home) => (vec![home.join(".kube/config")], OPTION),
                None => return Ok(Lookup::absent("the home directory is unknown")),
            },
        };
        let mut files = Vec::new();
        for path in paths.iter().filter(|path| !path.as_os_str().is_empty()) {
            match read(path, place, cx) {
                Ok(config) => files.push((path.clone(), config)),
                Err(error) if error.kind() == Kind::Absent && option.is_none() => {}
                Err(error) => return Err(error),
            }
        }
        if files.iter().all(|(_, config)| is_empty(config)) {
            let paths: Vec<_> = paths.iter().map(|path| show::path(path)).collect();
            return Ok(Lookup::absent(match &paths[..] {
                [path] => match shell::expansion(path) {
                    Some((text, _)) => {
                        format!("{path} does not exist: only a shell expands {text}")
                    }
                    None => format!("{path} does not exist or is empty"),
                },
                _ => format!("{} do not exist or are empty", paths.join(", ")),
            }));
        }
        Ok(Lookup::Found(Kubeconfig { files }))
    }

    /// Gets the access that the context with this name, or the current context, defines.
    ///
    /// # Errors
    /// `CONFIGURATION` if the context, its cluster or its user is missing or cannot be used;
    /// otherwise as for [`user::credentials`].
    pub(super) fn access(&self, context: Option<&str>, cx: &Context) -> Result<Access, Error> {
        let context = self.context(context)?;
        let cluster = self.entry("cluster", context.required("cluster")?)?;
        // A context without a user is anonymous, for example at kubectl proxy.
        let user = context.text("user")?.map(|name| self.entry("user", name)).transpose()?;
        let who = user.as_ref().map_or("no user", |user| &user.what);
        cx.log.line(format!("using {} with {} and {who}", context.what, cluster.what));
        let Endpoint { server, tls, proxy } = Endpoint::of(&cluster)?;
        let Credentials { bearer, client_cert } = match &user {
            Some(user) => user::credentials(user, &cluster, cx)?,
            None => Credentials::default(),
        };
        let is_anonymous = bearer.is_none() && client_cert.is_none();
        Ok(Access {
            server,
            option: "the kubeconfig",
            cx: cx.narrowed(|_, http| {
                let authorities = tls.authorities.or(http.tls.authorities.take());
                http.tls = Terms { authorities, client_cert, ..tls };
                http.proxy = proxy;
            }),
            bearer,
            namespace: context.text("namespace")?.unwrap_or("default").to_owned(),
            service_account: None,
            subject: "--user=NAME".to_owned(),
            renew: match user.filter(|_| !is_anonymous) {
                Some(user) => format!(
                    "renew the credentials of {}, or set --context to a different context",
                    user.place()
                ),
                None => format!(
                    "add a user with credentials to {}, or set --context to a different context",
                    context.place()
                ),
            },
        })
    }

    /// The context with this name, or the current context.
    pub(super) fn context(&self, name: Option<&str>) -> Result<Entry<'_>, Error> {
        let current = || {
            let values = self.files.iter().filter_map(|(_, file)| file.get("current-context"));
            values.filter_map(Value::as_str).find(|name| !name.is_empty())
        };
        match name.or_else(current) {
            Some(name) => self.entry("context", name),
            None => Err(Error::new(Kind::Configuration, "the kubeconfig has no current-context")
                .cause(self.defined("context"))
                .fix("set --context, or run kubectl config use-context NAME")),
        }
    }

    /// The cluster, user or context with this name, in the first file that defines it.
    ///
    /// # Errors
    /// `CONFIGURATION` if no file defines it, or the first one defines two.
    pub(super) fn entry(&self, kind: &'static str, name: &str) -> Result<Entry<'_>, Error> {
        let mut found = self.entries(kind).filter(|(_, entry)| name_of(entry) == Some(name));
        let (first, second) = (found.next(), found.next());
        let name = show::value(name);
        if let (Some((file, _)), Some((other, _))) = (first, second)
            && std::ptr::eq(file, other)
        {
            let what = format!("{} defines two {kind}s {name:?}", show::path(file));
            return Err(Error::new(Kind::Configuration, what).fix("remove or rename one of them"));
        }
        let (file, entry) = first.ok_or_else(|| {
            Error::new(Kind::Configuration, format!("the kubeconfig has no {kind} {name:?}"))
                .cause(self.defined(kind))
                .fix("check --context, --kubeconfig and KUBECONFIG")
        })?;
        Ok(Entry::new(file, format!("the {kind} {name:?}"), entry.get(kind)))
    }

    fn entries(&self, kind: &'static str) -> impl Iterator<Item = (&Path, &Value)> {
        let list = format!("{kind}s");
        self.files.iter().flat_map(move |(path, config)| {
            let entries = config.get(&list).and_then(Value::as_array).into_iter().flatten();
            entries.map(|entry| (path.as_path(), entry))
        })
    }

    /// The names that the files define, for a message.
    fn defined(&self, kind: &'static str) -> String {
        let names: Vec<_> =
            self.entries(kind).filter_map(|(_, entry)| name_of(entry)).take(MAX_NAMES).collect();
        match names.is_empty() {
            true => format!("no {kind}s are defined"),
            false => format!("the defined {kind}s are {}", names.join(", ")),
        }
    }
}

/// Reads a file. The result is a mapping, or null if the file is empty.
fn read(path: &Path, place: &str, cx: &Context) -> Result<Value, Error> {
    let text = files::read_text(path, place, Kind::Absent)?;
    cx.log.warn_if_shared(path);
    parse(text.expose()).map_err(|why| {
        Error::new(Kind::Configuration, format!("{} is not a kubeconfig", show::path(path)))
            .cause(why)
            .fix(format!("correct the file, or check {place}"))
    })
}

/// Parses a text. The result is a mapping, or null if the text is empty.
fn parse(text: &str) -> Result<Value, String> {
    match yaml::read(text)? {
        config @ (Value::Object(_) | Value::Null) => Ok(config),
        _ => Err("it is not a YAML mapping".to_owned()),
    }
}

/// Whether a file defines nothing. If no file defines anything, a pod uses its service account, as
/// with kubectl.
fn is_empty(config: &Value) -> bool {
    let is_list = |key| config.get(key).and_then(Value::as_array).is_some_and(|l| !l.is_empty());
    let context = config.get("current-context").and_then(Value::as_str).unwrap_or_default();
    context.is_empty() && !["clusters", "users", "contexts"].into_iter().any(is_list)
}

fn name_of(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}
