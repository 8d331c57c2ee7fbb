//! The shared config and credentials files, read as the AWS CLI reads them.
//!
//! The config file has the sections `[default]`, `[profile NAME]`, `[sso-session NAME]` and
//! `[services NAME]`. In the credentials file, each section is a profile: `[NAME]`. If both files
//! set a key of a profile, the credentials file takes precedence.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use self::sections::{Keys, key_and_value, unquoted};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;

/// The keys of a profile from both files.
#[derive(Default)]
pub(super) struct Profile {
    keys: Keys,
    /// The names of the keys that the credentials file sets.
    in_credentials_file: Vec<String>,
}

impl Profile {
    /// The value of a key, if the profile sets it and the value is not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key)
    }

    /// Whether the credentials file sets this key.
    pub(super) fn is_in_credentials_file(&self, key: &str) -> bool {
        self.in_credentials_file.iter().any(|set| set == key)
    }
}

/// The content of both files.
#[derive(Default)]
pub(super) struct Files {
    profiles: BTreeMap<String, Profile>,
    sso_sessions: BTreeMap<String, Keys>,
    services: BTreeMap<String, Keys>,
    /// The names of the sections of the config file that the AWS CLI ignores.
    ignored: Vec<String>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.profiles.keys()).finish()
    }
}

impl Files {
    /// Reads the files that exist: `AWS_CONFIG_FILE` or `~/.aws/config`, and
    /// `AWS_SHARED_CREDENTIALS_FILE` or `~/.aws/credentials`.
    ///
    /// # Errors
    /// `CONFIGURATION` if a file exists but cannot be read.
    pub(super) fn read(cx: &Context) -> Result<Files, Error> {
        let mut files = Files::default();
        if let Some(text) = read(cx, "AWS_CONFIG_FILE", "config")? {
            files.add_config(&text);
        }
        if let Some(text) = read(cx, "AWS_SHARED_CREDENTIALS_FILE", "credentials")? {
            files.add_credentials(&text);
        }
        Ok(files)
    }

    /// The profile with this name.
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The names of all profiles.
    pub(super) fn profile_names(&self) -> Vec<&str> {
        self.profiles.keys().map(String::as_str).collect()
    }

    /// The section that may define the profile with this name but has the form of the other file, and
    /// how to rename it.
    pub(super) fn misnamed(&self, name: &str) -> Option<String> {
        let prefixed = format!("profile {name}");
        if self.ignored.iter().any(|section| section == name) {
            return Some(format!("rename the section [{name}] of the config file to [{prefixed}]"));
        }
        let is_prefixed = self.profiles.contains_key(&prefixed);
        is_prefixed
            .then(|| format!("rename the section [{prefixed}] of the credentials file to [{name}]"))
    }

    /// The names of all sections `[sso-session NAME]`.
    pub(super) fn sso_session_names(&self) -> Vec<&str> {
        self.sso_sessions.keys().map(String::as_str).collect()
    }

    /// The keys of the section `[sso-session NAME]`.
    pub(super) fn sso_session(&self, name: &str) -> Option<&Keys> {
        self.sso_sessions.get(name)
    }

    /// The `endpoint_url` of a service in the `[services NAME]` section that the profile names.
    pub(super) fn service_endpoint(&self, profile: &Profile, service: &str) -> Option<&str> {
        let nested = self.services.get(profile.get("services")?)?.get(service)?;
        let mut pairs = nested.lines().filter_map(key_and_value);
        pairs.find(|(key, _)| *key == "endpoint_url").map(|(_, url)| url)
    }

    pub(super) fn add_config(&mut self, text: &str) {
        for (section, keys) in sections::parse(text) {
            let (kind, name) = section.split_once([' ', '\t']).unwrap_or((&section, ""));
            let name = unquoted(name);
            match (kind, name.is_empty()) {
                ("default", true) => self.add_profile("default", keys, false),
                ("profile", false) => self.add_profile(&name, keys, false),
                ("sso-session", false) => {
                    self.sso_sessions.entry(name).or_default().0.extend(keys.0)
                }
                ("services", false) => self.services.entry(name).or_default().0.extend(keys.0),
                _ => self.ignored.push(section),
            }
        }
    }

    pub(super) fn add_credentials(&mut self, text: &str) {
        for (section, keys) in sections::parse(text) {
            self.add_profile(&section, keys, true);
        }
    }

    fn add_profile(&mut self, name: &str, keys: Keys, in_credentials_file: bool) {
        let profile = self.profiles.entry(name.to_owned()).or_default();
        if in_credentials_file {
            profile.in_credentials_file.extend(keys.0.keys().cloned());
        }
        profile.keys.0.extend(keys.0);
    }
}

fn read(cx: &Context, variable: &str, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
    let path = match cx.env.text(variable)? {
        Some(path) => expand_home(&path, cx)?,
        None => match cx.env.home()? {
            Some(home) => home.join(".aws").join(name),
            None => return Ok(None),
        },
    };
    if !files::exists(&path) {
        return Ok(None);
    }
    if name == "credentials" {
        cx.log.warn_if_shared(&path);
    }
    let text = files::read_text(&path, variable, Kind::Configuration)?;
    Ok(Some(Zeroizing::new(text.expose().to_owned())))
}

/// A path in which a leading `~/` means the home directory.
pub(super) fn expand_home(path: &str, cx: &Context) -> Result<PathBuf, Error> {
    match (path.strip_prefix("~/"), cx.env.home()?) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        _ => Ok(Path::new(path).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str, credentials: &str) -> Files {
        let mut files = Files::default();
        files.add_config(config);
        files.add_credentials(credentials);
        files
    }

    #[test]
    fn section_names_depend_on_the_file() {
        let files = files(
            "[default]\nregion=a\n[profile one]\nregion=b\n[two]\nregion=c\n\
             [profile \"with space\"]\nregion=d\n",
            "[two]\nregion=e\n[profile one]\nregion=f\n",
        );
        let region = |name| files.profile(name).and_then(|profile| profile.get("region"));
        assert_eq!(region("default"), Some("a"));
        assert_eq!(region("one"), Some("b"));
        assert_eq!(region("two"), Some("e"));
        assert_eq!(region("with space"), Some("d"));
        let names = ["default", "one", "profile one", "two", "with space"];
        assert_eq!(files.profile_names(), names);
    }

    #[test]
    fn the_credentials_file_takes_precedence() {
        let files = files(
            "[default]\naws_access_key_id=config\noutput=json\n",
            "[default]\naws_access_key_id=credentials\n",
        );
        let profile = files.profile("default").unwrap();
        assert_eq!(profile.get("aws_access_key_id"), Some("credentials"));
        assert_eq!(profile.get("output"), Some("json"));
        assert!(profile.is_in_credentials_file("aws_access_key_id"));
        assert!(!profile.is_in_credentials_file("output"));
    }

    #[test]
    fn sso_sessions_and_services_are_separate_from_profiles() {
        let files = files(
            "[profile p]\nservices = s\n[services s]\nsts =\n  endpoint_url = http://127.0.0.1:1\n\
             [sso-session corp]\nsso_region = eu-west-1\n",
            "",
        );
        let profile = files.profile("p").unwrap();
        assert_eq!(files.service_endpoint(profile, "sts"), Some("http://127.0.0.1:1"));
        assert_eq!(files.service_endpoint(profile, "sso"), None);
        assert_eq!(files.sso_session("corp").unwrap().get("sso_region"), Some("eu-west-1"));
        assert!(files.sso_session("other").is_none());
    }

    #[test]
    fn debug_output_contains_only_the_names_of_profiles() {
        let files = files("", "[default]\naws_secret_access_key=hunter2\n");
        assert_eq!(format!("{files:?}"), r#"["default"]"#);
    }
}
