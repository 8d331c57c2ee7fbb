//! Where credentials are found, in the order of Google's client libraries.
//!
//! 1. the file that `--credentials` names, then the one that `GOOGLE_APPLICATION_CREDENTIALS` names
//! 2. the well-known file, which `gcloud auth application-default login` writes
//! 3. the metadata server, if `GCE_METADATA_HOST` names one or this host belongs to Google Cloud
//!
//! A place that exists is used. If its credentials do not work, no other place is tried, because
//! another place may contain the credentials of another identity.
//! <https://google.aip.dev/auth/4110>

use std::path::{Path, PathBuf};

use super::{VARIABLE, firmware};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::Url;
use crate::lookup::{Lookup, Search};
use crate::show;
use crate::world::HOME;

/// The variable with the path of the folder for the settings of gcloud.
const GCLOUD_FOLDER: &str = "CLOUDSDK_CONFIG";

/// Variables that Terraform, gcloud and the action google-github-actions/auth use for the path.
const OTHER_VARIABLES: [&str; 3] =
    ["GOOGLE_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "GOOGLE_GHA_CREDS_PATH"];

/// The variable with the host, and the port if it is not 80, of the metadata server.
pub const METADATA_HOST: &str = "GCE_METADATA_HOST";

/// The variable that is `true` if there is no metadata server.
const NO_METADATA: &str = "NO_GCE_CHECK";

/// The address of the metadata server on every Google Cloud host.
const METADATA_ADDRESS: &str = "169.254.169.254";

/// The name of the metadata server.
const METADATA_NAME: &str = "metadata.google.internal";

/// The name of the metadata server, in the forms that users write.
const METADATA_NAMES: [&str; 3] =
    [METADATA_NAME, "metadata.google.internal.", "metadata.google.internal:80"];

/// The file in the folder of gcloud's settings.
const WELL_KNOWN: &str = "application_default_credentials.json";

/// Where credentials are.
#[derive(Debug)]
pub enum Place {
    /// In this file. The option or variable of this name contains its path.
    File(PathBuf, &'static str),
    /// At the metadata server with this origin, such as `http://169.254.169.254`.
    MetadataServer(Url),
}

/// How to look in one place.
type Look = fn(&Context) -> Result<Lookup<Place>, Error>;

const SEARCH: Search = Search {
    what: "credentials",
    fix: "add --credentials=FILE, or set GOOGLE_APPLICATION_CREDENTIALS",
};

const PLACES: [(&str, Look); 3] = [
    (VARIABLE, in_variable),
    ("well-known file", in_well_known_file),
    ("metadata server", at_metadata_server),
];

/// Finds the credentials. `option` is the value of `--credentials`.
///
/// # Errors
/// `CONFIGURATION` if there are none, or a variable has a wrong value.
pub fn search(option: Option<PathBuf>, cx: &Context) -> Result<Place, Error> {
    if let Some(path) = option {
        return Ok(Place::File(path, "--credentials"));
    }
    match SEARCH.first(PLACES, |look| look(cx), &cx.log) {
        Ok((_, place)) => Ok(place),
        Err(error) if error.kind() == Kind::Absent => {
            let error = error.of_kind(Kind::Configuration);
            Err(match fix_other_variable(cx) {
                Some(fix) => error.fix(fix),
                None => error,
            })
        }
        Err(error) => Err(error),
    }
}

fn in_variable(cx: &Context) -> Result<Lookup<Place>, Error> {
    let path = cx.env.get(VARIABLE).filter(|path| !path.is_empty());
    Ok(path.map_or_else(
        || Lookup::absent("it is not set"),
        |path| Lookup::Found(Place::File(path.into(), VARIABLE)),
    ))
}

fn in_well_known_file(cx: &Context) -> Result<Lookup<Place>, Error> {
    let Some((path, place)) = well_known(WELL_KNOWN, cx)? else {
        return Ok(Lookup::Absent(format!("{} is not set", home_variable())));
    };
    if files::exists(&path) {
        return Ok(Lookup::Found(Place::File(path, place)));
    }
    Ok(Lookup::Absent(match path.try_exists() {
        Err(error) => format!("{} cannot be read, {error}", show::path(&path)),
        Ok(_) => format!("{} does not exist", show::path(&path)),
    }))
}

fn at_metadata_server(cx: &Context) -> Result<Lookup<Place>, Error> {
    Ok(match metadata_server(cx)? {
        Ok(server) => Lookup::Found(Place::MetadataServer(server)),
        Err(none) => Lookup::Absent(none.why()),
    })
}

/// The fix if only other tools know where the credentials are.
fn fix_other_variable(cx: &Context) -> Option<String> {
    let mut others = OTHER_VARIABLES.iter().filter_map(|name| Some((name, cx.env.get(name)?)));
    let (name, value) = others.find(|(_, value)| !value.is_empty())?;
    Some(match show::content(&value.to_string_lossy()) {
        Some(_) => format!(
            "write the content of {name}, which only other tools read, to a file, and set {VARIABLE} \
             to its path"
        ),
        None => format!("set {VARIABLE} to the path in {name}, which only other tools read"),
    })
}

/// The path of a file in the folder of gcloud's settings, and the variable that determines the folder.
pub(super) fn well_known(
    name: &str,
    cx: &Context,
) -> Result<Option<(PathBuf, &'static str)>, Error> {
    if let Some(folder) = cx.env.get(GCLOUD_FOLDER).filter(|folder| !folder.is_empty()) {
        return Ok(Some((Path::new(&folder).join(name), GCLOUD_FOLDER)));
    }
    let below = if cfg!(windows) { "gcloud" } else { ".config/gcloud" };
    let home = cx.env.text(home_variable())?;
    Ok(home.map(|home| (Path::new(&home).join(below).join(name), home_variable())))
}

/// The variable with the folder that contains gcloud's settings.
pub(super) fn home_variable() -> &'static str {
    if cfg!(windows) { "APPDATA" } else { HOME }
}

/// Why no metadata server is used.
#[derive(Debug, Clone, Copy)]
pub enum NoServer {
    /// A variable says that there is none.
    Off,
    /// This host does not belong to Google Cloud, as far as its firmware shows.
    OtherHost,
}

impl NoServer {
    /// The reason, for messages.
    pub fn why(self) -> String {
        match self {
            NoServer::Off => format!("{NO_METADATA} is true"),
            NoServer::OtherHost => "this host is not a Google Cloud host".to_owned(),
        }
    }

    /// How to use a metadata server.
    pub fn fix(self) -> String {
        match self {
            NoServer::Off => format!("unset {NO_METADATA}"),
            NoServer::OtherHost => format!(
                "run wif-token on a Google Cloud host (in a container that cannot read the firmware, \
                 set {METADATA_HOST}={METADATA_NAME})"
            ),
        }
    }
}

/// Finds the origin of the metadata server, or why there is none. Unless a variable names the
/// server, it is used only on a Google Cloud host: other clouds have a server with other secrets at
/// the same address.
///
/// # Errors
/// `CONFIGURATION` if a variable has a wrong value.
pub fn metadata_server(cx: &Context) -> Result<Result<Url, NoServer>, Error> {
    if cx.env.text(NO_METADATA)?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Err(NoServer::Off));
    }
    let host = match cx.env.text(METADATA_HOST)? {
        // The fixed address avoids a DNS lookup that another server could answer.
        Some(host) if METADATA_NAMES.contains(&host.as_str()) => METADATA_ADDRESS.to_owned(),
        Some(host) => host,
        None if firmware::is_of_google() => METADATA_ADDRESS.to_owned(),
        None => return Ok(Err(NoServer::OtherHost)),
    };
    let is_host = |url: &Url| {
        let is_bare = url.path() == "/" && !url.has_query() && !host.ends_with('/');
        is_bare && show::looks_like(&host).is_none()
    };
    let url = Url::parse(&format!("http://{host}")).ok().filter(is_host);
    url.map(Ok).ok_or_else(|| {
        Error::new(Kind::Configuration, format!("{METADATA_HOST} is not a host name"))
            .fix(format!("set {METADATA_HOST} to HOST or HOST:PORT, or unset it"))
    })
}
