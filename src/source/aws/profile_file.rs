//! The shared config and credentials files, read as the AWS CLI reads them.
//!
//! Sections `[default]` and `[profile x]` in the config file, `[x]` in the credentials file, whose
//! keys win; `[sso-session x]` and `[services x]` in the config file. A line that begins with `#` or
//! `;` is a comment; an indented line goes on with the value before it.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;

/// The keys of a section, in lower case.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<String, Zeroizing<String>>);

impl Keys {
    /// The value of a key, where it has one.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// The keys of a profile from both files.
#[derive(Default)]
pub(super) struct Profile {
    keys: Keys,
    /// Those that the credentials file set.
    in_credentials_file: Vec<String>,
}

impl Profile {
    /// The value of a key, where it has one.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.keys.get(key)
    }

    /// Whether the credentials file set this key.
    pub(super) fn is_in_credentials_file(&self, key: &str) -> bool {
        self.in_credentials_file.iter().any(|set| set == key)
    }
}

/// Both files.
#[derive(Default)]
pub(super) struct Files {
    profiles: BTreeMap<String, Profile>,
    sso_sessions: BTreeMap<String, Keys>,
    services: BTreeMap<String, Keys>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.profiles.keys()).finish()
    }
}

impl Files {
    /// Reads both files, where they are there: `AWS_CONFIG_FILE` or `~/.aws/config`, and
    /// `AWS_SHARED_CREDENTIALS_FILE` or `~/.aws/credentials`.
    ///
    /// # Errors
    /// `CONFIGURATION` where one is there and unreadable.
    pub(super) fn read(cx: &Context) -> Result<Files, Error> {
        let mut found = Files::default();
        if let Some(text) = read(cx, "AWS_CONFIG_FILE", "config")? {
            found.add_config(&text);
        }
        if let Some(text) = read(cx, "AWS_SHARED_CREDENTIALS_FILE", "credentials")? {
            found.add_credentials(&text);
        }
        Ok(found)
    }

    /// A profile by its name.
    pub(super) fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.get(name)
    }

    /// The names of all profiles, for a fix.
    pub(super) fn profile_names(&self) -> String {
        match self.profiles.is_empty() {
            true => "none".to_owned(),
            false => self.profiles.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        }
    }

    /// The keys of an `[sso-session x]` section.
    pub(super) fn sso_session(&self, name: &str) -> Option<&Keys> {
        self.sso_sessions.get(name)
    }

    /// The `endpoint_url` of a service in the `[services x]` section that the profile names.
    pub(super) fn service_endpoint(&self, profile: &Profile, service: &str) -> Option<&str> {
        let nested = self.services.get(profile.get("services")?)?.get(service)?;
        nested
            .lines()
            .filter_map(split)
            .find(|(key, _)| *key == "endpoint_url")
            .map(|found| found.1)
    }

    fn add_config(&mut self, text: &str) {
        for (section, keys) in sections(text) {
            let (kind, name) = section.split_once([' ', '\t']).unwrap_or((&section, ""));
            let name = unquoted(name);
            match (kind, name.is_empty()) {
                ("default", true) => self.profile_keys("default", keys, false),
                ("profile", false) => self.profile_keys(&name, keys, false),
                ("sso-session", false) => {
                    self.sso_sessions.entry(name).or_default().0.extend(keys.0)
                }
                ("services", false) => self.services.entry(name).or_default().0.extend(keys.0),
                _ => {}
            }
        }
    }

    fn add_credentials(&mut self, text: &str) {
        for (section, keys) in sections(text) {
            self.profile_keys(&section, keys, true);
        }
    }

    fn profile_keys(&mut self, name: &str, keys: Keys, in_credentials_file: bool) {
        let profile = self.profiles.entry(name.to_owned()).or_default();
        if in_credentials_file {
            profile.in_credentials_file.extend(keys.0.keys().cloned());
        }
        profile.keys.0.extend(keys.0);
    }
}

fn read(cx: &Context, variable: &str, name: &str) -> Result<Option<Zeroizing<String>>, Error> {
    let path = match cx.env.text(variable)? {
        Some(path) => expand(&path, cx)?,
        None => match cx.env.home()? {
            Some(home) => home.join(".aws").join(name),
            None => return Ok(None),
        },
    };
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read_text(&path, variable, Kind::Configuration)?;
    Ok(Some(Zeroizing::new(text.expose().to_owned())))
}

/// A path in which `~` stands for the home.
pub(super) fn expand(path: &str, cx: &Context) -> Result<PathBuf, Error> {
    match (path.strip_prefix("~/"), cx.env.home()?) {
        (Some(rest), Some(home)) => Ok(home.join(rest)),
        _ => Ok(Path::new(path).to_owned()),
    }
}

/// The sections of a file in their order, keys in lower case.
fn sections(text: &str) -> Vec<(String, Keys)> {
    let mut sections: Vec<(String, Keys)> = Vec::new();
    let mut key_in_hand: Option<String> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        if let (true, Some(key), Some((_, keys))) = (indented, &key_in_hand, sections.last_mut()) {
            if let Some(value) = keys.0.get_mut(key) {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.0))
        {
            sections.push((name.trim().to_owned(), Keys::default()));
            key_in_hand = None;
        } else if let (Some((key, value)), Some((_, keys))) = (split(trimmed), sections.last_mut())
        {
            let key = key.to_ascii_lowercase();
            keys.0.insert(key.clone(), Zeroizing::new(value.to_owned()));
            key_in_hand = Some(key);
        }
    }
    sections
}

fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

/// A name that may stand in quotes, as in `[profile "with blank"]`.
fn unquoted(name: &str) -> String {
    let name = name.trim();
    let within = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(name).to_owned()
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
    fn sections_are_profiles_by_the_rules_of_their_file() {
        let files = files(
            "[default]\nregion=a\n[profile one]\nregion=b\n[two]\nregion=c\n\
             [profile \"with blank\"]\nregion=d\n",
            "[two]\nregion=e\n[profile one]\nregion=f\n",
        );
        let region = |name| files.profile(name).and_then(|profile| profile.get("region"));
        assert_eq!(region("default"), Some("a"));
        assert_eq!(region("one"), Some("b"));
        assert_eq!(region("two"), Some("e"));
        assert_eq!(region("with blank"), Some("d"));
        assert_eq!(files.profile_names(), "default, one, profile one, two, with blank");
    }

    #[test]
    fn the_credentials_file_wins() {
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
    fn syntax_is_forgiving() {
        let files = files(
            "; a comment\r\n# another\r\nstray=1\r\n[profile  one ] # of section\r\n\
             Region = eu-west-1 \r\n  # indented comment\r\nempty =\r\nurl: https://a:1/?b=c\r\n\
             not a key\r\ns3 =\r\n  max = 3\r\n  min = 1\r\nlast = x",
            "",
        );
        let profile = files.profile("one").unwrap();
        assert_eq!(profile.get("region"), Some("eu-west-1"));
        assert_eq!(profile.get("empty"), None);
        assert_eq!(profile.get("url"), Some("https://a:1/?b=c"));
        assert_eq!(profile.get("s3"), Some("\nmax = 3\nmin = 1"));
        assert_eq!(profile.get("last"), Some("x"));
        assert_eq!(profile.get("stray"), None);
    }

    #[test]
    fn sessions_and_services_have_sections_of_their_own() {
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
    fn nothing_of_a_file_shows_but_the_names_of_profiles() {
        let files = files("", "[default]\naws_secret_access_key=hunter2\n");
        assert_eq!(format!("{files:?}"), r#"["default"]"#);
    }
}
