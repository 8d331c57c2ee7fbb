//! Credentials of a profile in the shared files.
//!
//! A profile has one of these: a role and the credentials to assume it (`source_profile` or
//! `credential_source`), a web identity token file, AWS IAM Identity Center (SSO), a
//! `credential_process`, or access keys.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>

use super::{
    Account, AssumedRole, Credentials, Lookup, assume_role, container, environment, from_user,
    imds, login, process, sso, web_identity,
};
use crate::error::{Error, Kind};
use crate::options::TextOrRef;
use crate::shell::quoted;
use crate::show;
use crate::source::aws::profile_file::Profile;
use crate::source::aws::role_arn::RoleArn;

/// Whether the profile in use is a role that other credentials assume.
pub(super) fn is_role(account: &Account) -> bool {
    account.current_profile().is_some_and(has_role)
}

fn has_role(profile: &Profile) -> bool {
    profile.has("role_arn") && profile.get("web_identity_token_file").is_none()
}

/// Gets the credentials of the profile in use.
pub(super) fn load(account: &Account) -> Result<Lookup, Error> {
    let name = account.profile.as_str();
    match account.files.profile(name) {
        None if account.profile_is_named => Err(unknown_profile(
            name,
            "profile",
            "AWS_PROFILE, or --profile of the source aws,",
            account,
            None,
        )),
        None => Ok(Lookup::absent("\"default\" does not exist")),
        Some(profile) => Resolver { account, names: vec![name] }.credentials(name, profile),
    }
}

/// The error for a profile that does not exist. `setting` contains its name; `user` is the profile
/// with that setting, if a profile has it.
fn unknown_profile(
    name: &str,
    what: &str,
    setting: &str,
    account: &Account,
    user: Option<&str>,
) -> Error {
    let misnamed = account.files.misnamed(name);
    let mut names = account.files.profile_names();
    names.retain(|name| Some(*name) != user);
    let name = show::value(name);
    let error = Error::new(Kind::Configuration, format!("the {what} {name:?} does not exist"));
    match names.is_empty() {
        _ if let Some(fix) = misnamed => error.fix(fix),
        true => error.fix(format!("create it with aws configure --profile {}", quoted(&name))),
        false => error.fix(format!("set {setting} to one of {}", names.join(", "))),
    }
}

fn profile_error(name: &str, what: &str, fix: &str) -> Error {
    Error::new(Kind::Configuration, format!("the profile {name:?} {what}")).fix(fix)
}

/// Finds the credentials of profiles, which can refer to other profiles with `source_profile`.
struct Resolver<'a> {
    account: &'a Account<'a>,
    /// The profiles that led to the current one, to detect a loop.
    names: Vec<&'a str>,
}

impl<'a> Resolver<'a> {
    fn credentials(&mut self, name: &'a str, profile: &'a Profile) -> Result<Lookup, Error> {
        if has_role(profile) {
            return self.role(name, profile).map(Lookup::Found);
        }
        self.without_role(name, profile)
    }

    fn without_role(&self, name: &str, profile: &Profile) -> Result<Lookup, Error> {
        if let Some(file) = profile.get("web_identity_token_file") {
            let role = self.web_identity_role(name, profile)?.ok_or_else(|| {
                profile_error(name, "has web_identity_token_file but no role_arn", "set role_arn")
            })?;
            return web_identity::exchange(&role, file, "web_identity_token_file", self.account);
        }
        if sso::is_configured(profile) {
            return sso::load(name, profile, self.account).map(Lookup::Found);
        }
        if profile.has_key_in_credentials_file() {
            return static_keys(name, profile);
        }
        if let Some(session) = profile.get("login_session") {
            return login::load(name, session, self.account).map(Lookup::Found);
        }
        match profile.get("credential_process") {
            Some(command_line) => process::load(name, command_line, self.account),
            None => static_keys(name, profile),
        }
    }

    /// The role of a web identity. Variables override the keys of the profile in use, unless an
    /// option selects the profile.
    fn web_identity_role(
        &self,
        name: &str,
        profile: &Profile,
    ) -> Result<Option<AssumedRole>, Error> {
        let role = match self.names.len() == 1 && !self.account.profile_is_option {
            true => web_identity::role(self.account)?,
            false => role_of(name, profile)?,
        };
        Ok(role.map(|role| AssumedRole { duration: duration(profile), ..role }))
    }

    fn role(&mut self, name: &'a str, profile: &'a Profile) -> Result<Credentials, Error> {
        if profile.get("mfa_serial").is_some() {
            return Err(profile_error(
                name,
                "requires an MFA code (mfa_serial), and wif-token cannot prompt for one",
                "use a role without MFA, or set the credentials that aws sts get-session-token \
                 prints",
            ));
        }
        let role = role_of(name, profile)?.unwrap_or_default();
        let credentials = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), None) => self.source_profile(name, source)?,
            (None, Some(source)) => self.credential_source(name, source)?,
            (Some(_), Some(_)) => {
                return Err(profile_error(
                    name,
                    "has both source_profile and credential_source",
                    "remove source_profile or credential_source",
                ));
            }
            (None, None) => {
                return Err(profile_error(
                    name,
                    "has role_arn but neither source_profile nor credential_source",
                    "set source_profile or credential_source to the credentials that may assume the role",
                ));
            }
        };
        assume_role(&role, &credentials, "role_arn", self.account)
    }

    fn source_profile(&mut self, name: &str, source: &'a str) -> Result<Credentials, Error> {
        let profile = self.account.files.profile(source);
        let profile = profile.ok_or_else(|| {
            unknown_profile(source, "source_profile", "source_profile", self.account, Some(name))
        })?;
        let has_keys = profile.get("aws_access_key_id").is_some();
        let is_loop = self.names.contains(&source) && !(source == name && has_keys);
        self.names.push(source);
        if is_loop {
            let what = "has a source_profile that leads back to itself";
            let fix = "change source_profile in one of these profiles";
            return Err(profile_error(name, what, fix).cause(self.names.join(" → ")));
        }
        let found = match has_keys {
            true => self.without_role(source, profile)?,
            false => self.credentials(source, profile)?,
        };
        match found {
            Lookup::Found(credentials) => Ok(credentials),
            Lookup::Absent(_) => {
                let what = format!("the source_profile of the profile {name:?} has no credentials");
                Err(Error::new(Kind::Configuration, what)
                    .fix(format!("add credentials to the profile {source:?}")))
            }
        }
    }

    fn credential_source(&self, name: &str, source: &str) -> Result<Credentials, Error> {
        let found = match source {
            "Environment" => environment::load(self.account)?,
            "Ec2InstanceMetadata" => imds::load(self.account)?,
            "EcsContainer" => container::load(self.account)?,
            _ => {
                let fix =
                    "set credential_source to Environment, Ec2InstanceMetadata or EcsContainer";
                return Err(profile_error(name, "has an unknown credential_source", fix));
            }
        };
        match found {
            Lookup::Found(credentials) => Ok(credentials),
            Lookup::Absent(why) => {
                let what = format!(
                    "the credential_source {source} of the profile {name:?} has no credentials"
                );
                Err(Error::new(Kind::Absent, what).cause(why).fix("check credential_source"))
            }
        }
    }
}

/// The lifetime of the session. As in botocore, a value that is not a number is ignored.
fn duration(profile: &Profile) -> Option<String> {
    let seconds = profile.get("duration_seconds")?.parse::<u32>().ok()?;
    Some(seconds.to_string())
}

fn role_of(name: &str, profile: &Profile) -> Result<Option<AssumedRole>, Error> {
    let text = |key| profile.get(key).map(str::to_owned);
    if !profile.has("role_arn") {
        return Ok(None);
    }
    let arn = text("role_arn").unwrap_or_default();
    let setting = format!("role_arn of the profile {name:?}");
    RoleArn::require(&arn, &setting, Kind::Configuration)?;
    Ok(Some(AssumedRole {
        arn,
        session_name: text("role_session_name"),
        external_id: text("external_id").map(TextOrRef::Text),
        duration: duration(profile),
    }))
}

/// Reads the access keys of a profile, all from the file that sets the access key ID.
fn static_keys(name: &str, profile: &Profile) -> Result<Lookup, Error> {
    let Some(keys) = profile.with_access_key() else {
        return Ok(Lookup::absent(format!("{name:?} has no credentials")));
    };
    match (keys.get("aws_access_key_id"), keys.get("aws_secret_access_key")) {
        (Some(key), Some(secret)) => {
            let token = keys.get("aws_session_token");
            let place = format!("the profile {name:?}");
            from_user(key, secret, token, None, &place).map(Lookup::Found)
        }
        _ => Err(profile_error(
            name,
            "has aws_access_key_id but no aws_secret_access_key in the same file",
            "set aws_secret_access_key, or remove aws_access_key_id",
        )),
    }
}
