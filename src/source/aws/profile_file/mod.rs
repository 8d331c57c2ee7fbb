//! The shared config and credentials files, read as the AWS CLI reads them.
//!
//! The config file has the sections `[default]`, `[profile NAME]`, `[sso-session NAME]` and
//! `[services NAME]`. In the credentials file, each section is a profile: `[NAME]`. If both files
//! set a key of a profile, the credentials file takes precedence. All parts of an access key are
//! read from one file.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::sections::{Keys, key_and_value, unquoted};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;
use crate::show;

/// The keys of a profile from both files.
#[derive(Default)]
pub(super) struct Profile {
    config: Keys,
    credentials: Keys,
}

impl Profile {
    /// The value of a key, if the profile sets it and the value is not empty.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.credentials.get(key).or_else(|| self.config.get(key))
    }

    /// Whether the profile sets a key, even if the value is empty.
    pub(super) fn has(&self, key: &str) -> bool {
        [&self.credentials, &self.config].iter().any(|keys| keys.0.contains_key(key))
    }

    /// The keys of the file with the access key ID: the credentials file, otherwise the config
    /// file.
    pub(super) fn with_access_key(&self) -> Option<&Keys> {
        let files = [&self.credentials, &self.config];
        files.into_iter().find(|keys| keys.get("aws_access_key_id").is_some())
    }

    /// Whether the credentials file sets the access key ID.
    pub(super) fn has_key_in_credentials_file(&self) -> bool {
        self.credentials.get("aws_access_key_id").is_some()
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
    /// `CONFIGURATION` if a file exists but cannot be read or has a malformed line.
    pub(super) fn read(cx: &Context) -> Result<Files, Error> {
        let mut files = Files::default();
        type Add = fn(&mut Files, &str) -> Result<(), String>;
        let places: [(_, _, Add); 2] = [
            ("AWS_CONFIG_FILE", "config", Files::add_config),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", Files::add_credentials),
        ];
        for (variable, name, add) in places {
            let Some((path, text)) = read(cx, variable, name)? else { continue };
            add(&mut files, text.expose()).map_err(|why| {
                Error::new(Kind::Configuration, format!("cannot parse {}", show::path(&path)))
                    .cause(why)
                    .fix("correct this line")
            })?;
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

    /// The fix if a section may define the profile with this name, but its header has the form that
    /// belongs in the other file.
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
    ///
    /// # Errors
    /// `CONFIGURATION` if the section does not exist, because its endpoint is probably not the
    /// public one.
    pub(super) fn service_endpoint(
        &self,
        profile: &Profile,
        service: &str,
    ) -> Result<Option<&str>, Error> {
        let Some(name) = profile.get("services") else { return Ok(None) };
        let keys = self.services.get(name).ok_or_else(|| {
            let shown = show::value(name);
            let what = format!("the section [services {shown}] of the profile does not exist");
            Error::new(Kind::Configuration, what).fix(format!(
                "add [services {shown}] to the config file, or correct services in the profile"
            ))
        })?;
        let pairs = keys.get(service).unwrap_or_default().lines().filter_map(key_and_value);
        let mut urls = pairs.filter(|(key, url)| *key == "endpoint_url" && !url.is_empty());
        Ok(urls.next_back().map(|(_, url)| url))
    }

    /// Adds the content of the config file. Of two sections for one name, such as `[default]` and
    /// `[profile default]`, the last one is used, as in botocore.
    ///
    /// # Errors
    /// Which line is malformed.
    pub(super) fn add_config(&mut self, text: &str) -> Result<(), String> {
        for (section, keys) in sections::parse(text)? {
            let (kind, name) = section.split_once([' ', '\t']).unwrap_or((&section, ""));
            let name = unquoted(name);
            match (kind, name.is_empty()) {
                ("default", true) => self.profile_mut("default").config = keys,
                ("profile", false) => self.profile_mut(&name).config = keys,
                ("sso-session", false) => drop(self.sso_sessions.insert(name, keys)),
                ("services", false) => drop(self.services.insert(name, keys)),
                _ => self.ignored.push(section),
            }
        }
        Ok(())
    }

    /// Adds the content of the credentials file.
    ///
    /// # Errors
    /// Which line is malformed.
    pub(super) fn add_credentials(&mut self, text: &str) -> Result<(), String> {
        for (section, keys) in sections::parse(text)? {
            self.profile_mut(&section).credentials = keys;
        }
        Ok(())
    }

    fn profile_mut(&mut self, name: &str) -> &mut Profile {
        self.profiles.entry(name.to_owned()).or_default()
    }
}

fn read(cx: &Context, variable: &str, name: &str) -> Result<Option<(PathBuf, Secret)>, Error> {
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
    Ok(Some((path, text)))
}

/// Replaces a leading `~/`, `$HOME/` or `${HOME}/` in a path with the home directory, as in
/// botocore.
pub(super) fn expand_home(path: &str, cx: &Context) -> Result<PathBuf, Error> {
    let rest = ["~/", "$HOME/", "${HOME}/"].iter().find_map(|home| path.strip_prefix(home));
    match (rest, cx.env.home()?) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        _ => Ok(Path::new(path).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(config: &str, credentials: &str) -> Files {
        let mut files = Files::default();
        files.add_config(config).unwrap();
        files.add_credentials(credentials).unwrap();
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
            "[default]\naws_access_key_id=config\naws_session_token=config\noutput=json\n",
            "[default]\naws_access_key_id=credentials\n",
        );
        let profile = files.profile("default").unwrap();
        assert_eq!(profile.get("aws_access_key_id"), Some("credentials"));
        assert_eq!(profile.get("output"), Some("json"));
        assert_eq!(profile.with_access_key().unwrap().get("aws_session_token"), None);
        assert!(profile.has_key_in_credentials_file());
    }

    #[test]
    fn the_last_section_for_a_name_is_used() {
        let files = files(
            "[default]\naws_access_key_id=x\n[profile a]\nregion=b\n[profile default]\n\
             output=json\n[profile \"a\"]\nregion=c\n",
            "",
        );
        assert!(files.profile("default").unwrap().with_access_key().is_none());
        assert_eq!(files.profile("a").unwrap().get("region"), Some("c"));
    }

    #[test]
    fn sso_sessions_and_services_are_separate_from_profiles() {
        let files = files(
            "[profile p]\nservices = s\n[profile q]\nservices = t\n[services s]\nsts =\n  \
             endpoint_url = http://127.0.0.1:2\n  endpoint_url = http://127.0.0.1:1\n\
             [sso-session corp]\nsso_region = eu-west-1\n",
            "",
        );
        let profile = files.profile("p").unwrap();
        assert_eq!(files.service_endpoint(profile, "sts").unwrap(), Some("http://127.0.0.1:1"));
        assert_eq!(files.service_endpoint(profile, "sso").unwrap(), None);
        assert!(files.service_endpoint(files.profile("q").unwrap(), "sts").is_err());
        assert_eq!(files.sso_session("corp").unwrap().get("sso_region"), Some("eu-west-1"));
        assert!(files.sso_session("other").is_none());
    }

    #[test]
    fn debug_output_contains_only_the_names_of_profiles() {
        let files = files("", "[default]\naws_secret_access_key=hunter2\n");
        assert_eq!(format!("{files:?}"), r#"["default"]"#);
    }
}
