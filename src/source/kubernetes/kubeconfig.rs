//! The kubeconfig: which cluster to ask, and as whom.
//!
//! `--kubeconfig` names one file, `KUBECONFIG` a list of files that are merged: of clusters, users
//! and contexts the first of a name counts, and so does the first `current-context`. Paths in a file
//! are relative to it.
//! <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>

use std::env::split_paths;
use std::path::{Path, PathBuf};

use rustls_pki_types::ServerName;
use serde_json::Value;

use super::access::{Access, Credentials};
use super::entry::Entry;
use super::{user, yaml};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{Authorities, NamedProxy, Terms, Url};
use crate::source::lookup::Lookup;

/// What names the files, for messages.
const OPTION: &str = "--kubeconfig";

/// The files that were found, the first one first.
#[derive(Debug)]
pub(super) struct Kubeconfig {
    files: Vec<(PathBuf, Value)>,
}

impl Kubeconfig {
    /// Reads the files that kubectl would read.
    pub(super) fn find(option: Option<&Path>, cx: &Context) -> Result<Lookup<Kubeconfig>, Error> {
        let (paths, place): (Vec<PathBuf>, _) = match (option, cx.env.get("KUBECONFIG")) {
            (Some(path), _) => (vec![path.to_owned()], OPTION),
            (None, Some(list)) if !list.is_empty() => (split_paths(&list).collect(), "KUBECONFIG"),
            _ => match cx.env.home()? {
                Some(home) => (vec![home.join(".kube/config")], OPTION),
                None => return Ok(Lookup::absent("HOME is not set")),
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
        if files.iter().all(|(_, config)| config.is_null()) {
            let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            let why = format!("{} does not exist or is empty", paths.join(", "));
            return Ok(Lookup::Absent(why));
        }
        Ok(Lookup::Found(Kubeconfig { files }))
    }

    /// The access that a context gives: the one of this name, or the current one.
    pub(super) fn access(&self, context: Option<&str>, cx: &Context) -> Result<Access, Error> {
        let context = self.context(context)?;
        let cluster = self.entry("cluster", context.required("cluster")?)?;
        let user = self.entry("user", context.required("user")?)?;
        cx.log.line(format!("{} with {} and {}", context.what, cluster.what, user.what));
        if cluster.is_true("insecure-skip-tls-verify") {
            let wrong = cluster.wrong("has insecure-skip-tls-verify, which is refused");
            return Err(wrong.fix(
                "whoever stands between could take its place and keep the credentials: \
                 give certificate-authority instead",
            ));
        }
        let server = Url::parse(cluster.required("server")?)
            .map_err(|why| cluster.wrong(format!("has a server that cannot be used: it {why}")))?;
        let authorities = cluster.pem("certificate-authority")?;
        let server_name = cluster.text("tls-server-name")?.map(|name| {
            ServerName::try_from(name.to_owned())
                .map_err(|_| cluster.wrong("has a tls-server-name that is no name of a host"))
        });
        let Credentials { bearer, client_cert } = user::credentials(&user, &cluster, cx)?;
        let terms = Terms {
            authorities: authorities.map(|(pem, place)| Authorities::Pem(pem, place)),
            client_cert,
            server_name: server_name.transpose()?,
        };
        let proxy = cluster.text("proxy-url")?;
        let proxy = proxy.map(|address| NamedProxy::new(address, "proxy-url")).transpose()?;
        Ok(Access {
            server,
            option: OPTION,
            cx: cx.narrowed(|_, http| {
                let authorities = terms.authorities.or(http.tls.authorities.take());
                http.tls = Terms { authorities, ..terms };
                http.proxy = proxy;
            }),
            bearer,
            namespace: context.text("namespace")?.unwrap_or("default").to_owned(),
            service_account: None,
            subject: "--user=NAME".to_owned(),
            renew: format!("renew what {} holds, or take another --context", user.place()),
        })
    }

    fn context(&self, name: Option<&str>) -> Result<Entry<'_>, Error> {
        let current = || {
            let texts = self.files.iter().filter_map(|(_, file)| file.get("current-context"));
            texts.filter_map(Value::as_str).find(|name| !name.is_empty())
        };
        match name.or_else(current) {
            Some(name) => self.entry("context", name),
            None => Err(Error::new(Kind::Configuration, "the kubeconfig has no current-context")
                .fix(format!("name one with --context: {}", self.names("context")))),
        }
    }

    /// The first cluster, user or context of this name.
    fn entry(&self, kind: &'static str, name: &str) -> Result<Entry<'_>, Error> {
        let found = self.entries(kind).find(|(_, entry)| named(entry) == Some(name));
        let (file, entry) = found.ok_or_else(|| {
            Error::new(Kind::Configuration, format!("the kubeconfig has no {kind} {name:?}"))
                .cause(format!("it has {}", self.names(kind)))
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

    fn names(&self, kind: &'static str) -> String {
        let names: Vec<_> =
            self.entries(kind).filter_map(|(_, entry)| named(entry)).take(12).collect();
        match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        }
    }
}

/// One file: a mapping, or null where it is empty.
fn read(path: &Path, place: &str, cx: &Context) -> Result<Value, Error> {
    let text = files::read_text(path, place, Kind::Absent)?;
    cx.log.warn_if_shared(path);
    let config = yaml::read(text.expose()).and_then(|config| match config {
        Value::Object(_) | Value::Null => Ok(config),
        _ => Err("line 1 begins no mapping".to_owned()),
    });
    config.map_err(|why| {
        Error::new(Kind::Configuration, format!("{} is no kubeconfig", path.display()))
            .cause(why)
            .fix(format!("correct the file, or check {place}"))
    })
}

fn named(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}
