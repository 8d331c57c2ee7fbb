//! The managed identity of a server that Azure Arc manages, from its agent on this host.
//!
//! The agent answers 401 and names a file that only its group may read; the request is sent again
//! with what stands there. A program in the agent's place could name any file (CVE-2024-35255), so
//! it has to lie in the agent's own folder. An agent that does not know user-assigned identities
//! gives the server's token instead: the answer has to name the identity that was asked for.
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
use crate::world::Env;

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const IMDS_ENDPOINT: &str = "IMDS_ENDPOINT";

/// Where the agent listens when no variable says so.
const USUAL: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";

/// The largest key file, in bytes.
const LIMIT: usize = 4096;

pub(super) fn ask(azure: &Azure, cx: &Context) -> Result<Lookup, Error> {
    let address = match (cx.env.text(ENDPOINT)?, cx.env.text(IMDS_ENDPOINT)?) {
        (Some(address), Some(_)) => address,
        _ => match agent(&cx.env)? {
            agent if agent.exists() => USUAL.to_owned(),
            agent => {
                return Ok(Lookup::Absent(format!(
                    "{ENDPOINT} and {IMDS_ENDPOINT} are not both set, and there is no {}",
                    agent.display()
                )));
            }
        },
    };
    let endpoint = Endpoint {
        address,
        variable: ENDPOINT,
        api_version: "2020-06-01",
        resource_id: "msi_res_id",
        check: "that the Azure Connected Machine agent works: azcmagent show",
    };
    let identity = Identity::find(azure, cx)?;
    let url = endpoint.url(&azure.options.resource, identity.as_ref())?;
    if !url.is_local() {
        let what = format!("{ENDPOINT} names {}, which is not this host", url.host());
        return Err(Error::new(Kind::Configuration, what)
            .fix(format!("correct {ENDPOINT}: the agent listens here")));
    }
    let mut response = cx.send(endpoint.get(&url))?;
    if response.status == 401 {
        let key = read_key(&challenged(&response, cx)?)?;
        let basic = Secret::new(format!("Basic {}", key.expose()));
        let get = endpoint.get(&url).header("Authorization", basic).hiding(key);
        response = cx.send(get)?;
    }
    let found = endpoint.read(response, url, identity.as_ref())?;
    if let (Lookup::Found((answer, _)), Some(identity)) = (&found, &identity) {
        confirm(answer, identity, &endpoint)?;
    }
    Ok(found)
}

/// The program of the agent, which shows that it is installed.
fn agent(env: &Env) -> Result<PathBuf, Error> {
    Ok(match cfg!(windows) {
        true => windows_folder(env, "ProgramFiles", r"C:\Program Files")?.join("himds.exe"),
        false => PathBuf::from("/opt/azcmagent/bin/himds"),
    })
}

/// The folder of its key files.
fn keys(env: &Env) -> Result<PathBuf, Error> {
    Ok(match cfg!(windows) {
        true => windows_folder(env, "ProgramData", r"C:\ProgramData")?.join("Tokens"),
        false => PathBuf::from("/var/opt/azcmagent/tokens"),
    })
}

fn windows_folder(env: &Env, variable: &str, usual: &str) -> Result<PathBuf, Error> {
    let folder = env.text(variable)?.unwrap_or_else(|| usual.to_owned());
    Ok(PathBuf::from(folder).join("AzureConnectedMachineAgent"))
}

/// The file that the agent names, where it is one of its own.
fn challenged(response: &Response, cx: &Context) -> Result<PathBuf, Error> {
    let scheme = "basic realm=";
    let realm = response.headers("www-authenticate").find_map(|challenge| {
        let (head, realm) = challenge.split_at_checked(scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then_some(realm.trim_matches('"'))
    });
    let broken = |what: &str| {
        Error::new(Kind::Protocol, what)
            .fix(format!("check {ENDPOINT}: another program than Azure's agent may answer there"))
    };
    let path = realm.map(PathBuf::from).ok_or_else(|| broken("the agent names no key file"))?;
    let folder = keys(&cx.env)?;
    let is_key = path.extension().is_some_and(|extension| extension == "key");
    match path.parent() == Some(&folder) && is_key {
        true => Ok(path),
        false => Err(broken("the agent names a file that is not one of its keys")),
    }
}

fn read_key(path: &Path) -> Result<Secret, Error> {
    let shown = path.display();
    let refuse = |cause: String| {
        Error::new(Kind::Configuration, format!("cannot read {shown}")).cause(cause).fix(
            "let this user read the agent's keys: put it into the group himds, or on Windows into \
             Hybrid agent extension applications",
        )
    };
    let bytes = files::open_no_link(path)
        .and_then(|file| files::read_limited(file, LIMIT))
        .map_err(|error| refuse(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| refuse(format!("it is larger than {LIMIT} bytes")))?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("it is not UTF-8 text".to_owned()))?;
    Ok(Secret::new(text.trim_end()))
}

fn confirm(
    answer: &Map<String, Value>,
    identity: &Identity,
    endpoint: &Endpoint,
) -> Result<(), Error> {
    let named = answer.get(endpoint.parameter(identity)).or_else(|| answer.get("mi_res_id"));
    let named = named.and_then(Value::as_str);
    if named.is_some_and(|named| named.eq_ignore_ascii_case(&identity.id)) {
        return Ok(());
    }
    let option = identity.option;
    let what = format!("the agent did not confirm the identity of {option}");
    Err(Error::new(Kind::Configuration, what)
        .cause("it may not know user-assigned identities, and have given the server's own")
        .fix(format!("update the Azure Connected Machine agent, or leave {option} out")))
}
