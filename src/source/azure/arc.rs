//! The managed identity of a server with Azure Arc, from the Azure Connected Machine agent.
//!
//! The agent responds with status 401 and the path of a key file, which only members of a group can
//! read. The request is sent again with the content of that file. A program that listens in place
//! of the agent could name any file (CVE-2024-35255): the file must therefore be in the agent's
//! directory.
//!
//! An agent that does not support user-assigned identities returns a token of the server's own
//! identity instead. The response must therefore name the identity that was requested.
//! <https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication>

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::managed_identity::{Endpoint, Identity};
use super::{Azure, Lookup};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::Response;
use crate::secret::Secret;
use crate::show;
use crate::world::Env;

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const IMDS_ENDPOINT: &str = "IMDS_ENDPOINT";

/// The URL of the agent if the variables are not set.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

/// The maximum size of a key file, in bytes.
const MAX_KEY_SIZE: usize = 4096;

pub(super) fn request_token(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let address = match (cx.env.text(ENDPOINT)?, cx.env.text(IMDS_ENDPOINT)?) {
        (Some(address), Some(_)) => address,
        _ if files::exists(&agent_program(&cx.env)?) => DEFAULT_ENDPOINT.to_owned(),
        _ => {
            return Ok(Lookup::absent("the Azure Connected Machine agent is not installed"));
        }
    };
    let endpoint = Endpoint {
        address,
        variable: ENDPOINT,
        api_version: "2020-06-01",
        resource_id: "msi_res_id",
        check: "that the Azure Connected Machine agent is connected (azcmagent show)",
    };
    let identity = Identity::find(azure, cx)?;
    let url = endpoint.token_url(&azure.options.resource, identity.as_ref())?;
    if !url.is_local() {
        let what = format!("the host {} in {ENDPOINT} is not this host", url.host());
        return Err(Error::new(Kind::Configuration, what)
            .fix(format!("set {ENDPOINT} to {DEFAULT_ENDPOINT}")));
    }
    let mut response = cx.send(endpoint.get(&url))?;
    if response.status == 401 {
        let key = read_key(&key_path(&response, cx)?)?;
        let basic = Secret::new(format!("Basic {}", key.expose()));
        let get = endpoint.get(&url).header("Authorization", basic).hiding(key);
        response = cx.send(get)?;
    }
    let found = endpoint.read(response, url, identity.as_ref())?;
    if let (Lookup::Found((response, _)), Some(identity)) = (&found, &identity) {
        require_identity(response, identity, &endpoint)?;
    }
    Ok(found)
}

/// The program of the agent. If the file exists, the agent is installed.
fn agent_program(env: &Env) -> Result<PathBuf, Error> {
    Ok(match cfg!(windows) {
        true => windows_directory(env, "ProgramFiles", r"C:\Program Files")?.join("himds.exe"),
        false => PathBuf::from("/opt/azcmagent/bin/himds"),
    })
}

/// The directory of the agent's key files.
fn key_directory(env: &Env) -> Result<PathBuf, Error> {
    Ok(match cfg!(windows) {
        true => windows_directory(env, "ProgramData", r"C:\ProgramData")?.join("Tokens"),
        false => PathBuf::from("/var/opt/azcmagent/tokens"),
    })
}

fn windows_directory(env: &Env, variable: &str, default: &str) -> Result<PathBuf, Error> {
    let directory = env.text(variable)?.unwrap_or_else(|| default.to_owned());
    Ok(PathBuf::from(directory).join("AzureConnectedMachineAgent"))
}

/// Reads the path of the key file in the challenge of the agent, and checks that the file is in the
/// agent's directory.
fn key_path(response: &Response, cx: &Context) -> Result<PathBuf, Error> {
    let scheme = "basic realm=";
    let realm = response.headers("www-authenticate").find_map(|challenge| {
        let (head, realm) = challenge.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(realm.trim_matches('"'))
    });
    let wrong = |what: &str| {
        Error::new(Kind::Protocol, what).fix(format!(
            "check that the program that listens at {ENDPOINT} is the Azure Connected Machine agent"
        ))
    };
    let path = realm.map(PathBuf::from);
    let path = path.ok_or_else(|| wrong("the response from the agent does not name a key file"))?;
    let directory = key_directory(&cx.env)?;
    let is_key = path.extension().is_some_and(|extension| extension == "key");
    match path.parent() == Some(&directory) && is_key {
        true => Ok(path),
        false => Err(wrong("the response from the agent names a file that is not a key file")),
    }
}

fn read_key(path: &Path) -> Result<Secret, Error> {
    let shown = show::path(path);
    let refuse = |cause: String| {
        Error::new(Kind::Configuration, format!("cannot read {shown}")).cause(cause).fix(
            "check that the Azure Connected Machine agent is connected (azcmagent show), and add \
             this user to the group \"himds\" (on Windows: \"Hybrid agent extension applications\")",
        )
    };
    let bytes = files::open_no_link(path)
        .and_then(|file| files::read_limited(file, MAX_KEY_SIZE))
        .map_err(|error| refuse(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| refuse(format!("it is larger than {MAX_KEY_SIZE} bytes")))?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".to_owned()))?;
    Ok(Secret::new(Secret::new(text).expose().trim_end()))
}

/// Refuses a token for any identity other than the requested one.
fn require_identity(
    response: &Map<String, Value>,
    identity: &Identity,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    let name = response.get(endpoint.parameter(identity)).or_else(|| response.get("mi_res_id"));
    let name = name.and_then(Value::as_str);
    if name.is_some_and(|name| name.eq_ignore_ascii_case(&identity.id)) {
        return Ok(());
    }
    let option = identity.option;
    let what = format!("the response from the agent does not name the identity of {option}");
    Err(Error::new(Kind::Configuration, what)
        .cause("this version of the agent may not support user-assigned identities")
        .fix(format!(
            "update the Azure Connected Machine agent, or remove {option} to use the identity of \
             the server"
        )))
}
