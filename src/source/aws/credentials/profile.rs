//! Credentials of a profile in the shared files: a role, a web identity, single sign-on, static
//! keys, or a program.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>

use super::{
    Account, AssumedRole, Lookup, assume_role, container, environment, from_json, imds, made,
};
use super::{sso, web_identity};
use crate::error::{Error, Kind};
use crate::program::Program;
use crate::source::aws::profile_file::Profile;

/// The profile in use.
pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let name = account.profile.as_str();
    match account.files.profile(name) {
        None if account.profile_is_named => Err(unknown(name, "the profile", account)),
        None => Ok(Lookup::Absent("the shared files have no profile default".to_owned())),
        Some(profile) => Search { account, names: vec![name] }.of(name, profile),
    }
}

fn unknown(name: &str, what: &str, account: &Account) -> Error {
    Error::new(Kind::Configuration, format!("{what} {name} does not exist")).fix(format!(
        "use --profile or AWS_PROFILE with one of these: {}",
        account.files.profile_names()
    ))
}

fn wrong(name: &str, what: &str, fix: &str) -> Error {
    Error::new(Kind::Configuration, format!("the profile {name} {what}")).fix(fix)
}

/// A search through profiles that name each other.
struct Search<'a> {
    account: &'a Account<'a>,
    /// The profiles on the way, to find a loop.
    names: Vec<&'a str>,
}

impl<'a> Search<'a> {
    fn of(&mut self, name: &'a str, profile: &'a Profile) -> Result<Lookup, Error> {
        if profile.get("role_arn").is_some() && profile.get("web_identity_token_file").is_none() {
            return self.role(name, profile).map(Lookup::Found);
        }
        self.without_role(name, profile)
    }

    fn without_role(&self, name: &str, profile: &Profile) -> Result<Lookup, Error> {
        if let Some(file) = profile.get("web_identity_token_file") {
            let role = role_of(profile).ok_or_else(|| {
                wrong(name, "has web_identity_token_file but no role_arn", "set both")
            })?;
            return web_identity::exchange(&role, file, "web_identity_token_file", self.account);
        }
        if sso::is_configured(profile) {
            return sso::load(name, profile, self.account).map(Lookup::Found);
        }
        if profile.is_in_credentials_file("aws_access_key_id") {
            return static_keys(name, profile);
        }
        if let Some(line) = profile.get("credential_process") {
            return self.program(name, line);
        }
        static_keys(name, profile)
    }

    fn role(&mut self, name: &'a str, profile: &'a Profile) -> Result<super::Credentials, Error> {
        if profile.get("mfa_serial").is_some() {
            return Err(wrong(
                name,
                "wants an MFA code (mfa_serial), for which nobody can be asked here",
                "use a role without MFA, or aws sts get-session-token and its credentials",
            ));
        }
        let role = role_of(profile).unwrap_or_default();
        let credentials = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), None) => self.source_profile(name, source)?,
            (None, Some(source)) => self.credential_source(name, source)?,
            (Some(_), Some(_)) => {
                return Err(wrong(
                    name,
                    "has source_profile and credential_source",
                    "keep one of them",
                ));
            }
            (None, None) => {
                return Err(wrong(
                    name,
                    "has a role_arn but neither source_profile nor credential_source",
                    "say with which credentials to assume the role",
                ));
            }
        };
        assume_role(&role, &credentials, "role_arn", self.account)
    }

    fn source_profile(&mut self, name: &str, source: &'a str) -> Result<super::Credentials, Error> {
        let profile = self.account.files.profile(source);
        let profile = profile.ok_or_else(|| unknown(source, "the source_profile", self.account))?;
        let has_keys = profile.get("aws_access_key_id").is_some();
        if self.names.contains(&source) && !(source == name && has_keys) {
            self.names.push(source);
            let way = self.names.join(" → ");
            return Err(wrong(name, "ends in a loop of source_profile", &format!("break {way}")));
        }
        self.names.push(source);
        let found = match has_keys {
            true => self.without_role(source, profile)?,
            false => self.of(source, profile)?,
        };
        match found {
            Lookup::Found(credentials) => Ok(credentials),
            Lookup::Absent(why) => {
                let fix = format!("give {source} credentials: {why}");
                Err(wrong(name, "has a source_profile without credentials", &fix))
            }
        }
    }

    fn credential_source(&self, name: &str, source: &str) -> Result<super::Credentials, Error> {
        let found = match source {
            "Environment" => environment::load(self.account)?,
            "Ec2InstanceMetadata" => imds::load(self.account)?,
            "EcsContainer" => container::load(self.account)?,
            _ => {
                let fix = "use Environment, Ec2InstanceMetadata or EcsContainer";
                return Err(wrong(name, "has an unknown credential_source", fix));
            }
        };
        match found {
            Lookup::Found(credentials) => Ok(credentials),
            Lookup::Absent(why) => {
                let what =
                    format!("the credential_source {source} of the profile {name} has nothing");
                Err(Error::new(Kind::Absent, what).cause(why).fix("check credential_source"))
            }
        }
    }

    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
    fn program(&self, name: &str, line: &str) -> Result<Lookup, Error> {
        let place = format!("credential_process of the profile {name}");
        let mut words = shlex::split(line).unwrap_or_default().into_iter();
        let program = words.next().ok_or_else(|| {
            wrong(name, "has a credential_process that cannot be split", "check its quotes")
        })?;
        let args = words.map(Into::into).collect();
        let program =
            Program { name: program.into(), args, variables: Vec::new(), place: place.clone() };
        let output = program.output(self.account.cx)?;
        let what = format!("the output of the {place}");
        let object: serde_json::Map<_, _> =
            serde_json::from_str(output.expose()).map_err(|_| {
                Error::new(Kind::Protocol, format!("{what} is no JSON object"))
                    .fix("run it by hand: it has to print version-1 credentials")
            })?;
        if object.get("Version").and_then(serde_json::Value::as_i64) != Some(1) {
            return Err(Error::new(Kind::Protocol, format!("{what} is not of Version 1"))
                .fix("run it by hand: it has to print version-1 credentials"));
        }
        from_json(&object, "SessionToken", &what).map(Lookup::Found)
    }
}

fn role_of(profile: &Profile) -> Option<AssumedRole> {
    let text = |key| profile.get(key).map(str::to_owned);
    Some(AssumedRole {
        arn: text("role_arn")?,
        session_name: text("role_session_name"),
        external_id: text("external_id"),
        duration: text("duration_seconds"),
    })
}

fn static_keys(name: &str, profile: &Profile) -> Result<Lookup, Error> {
    match (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")) {
        (Some(key), Some(secret)) => {
            let token = profile.get("aws_session_token");
            let what = format!("what the profile {name} holds");
            made(key, secret, token, None, &what).map(Lookup::Found)
        }
        (Some(_), None) => Err(wrong(
            name,
            "has aws_access_key_id but no aws_secret_access_key",
            "set both or none",
        )),
        (None, _) => Ok(Lookup::Absent(format!("the profile {name} holds no credentials"))),
    }
}
