//! The full resource name of a workload or workforce identity pool provider: the audience of an
//! exchange, and a part of the names of principals.
//! <https://cloud.google.com/iam/docs/principal-identifiers>

use super::GOOGLEAPIS;
use crate::error::{Error, Kind};
use crate::options::grammar::is_project;
use crate::shell::quoted;
use crate::show;
use crate::token::Audience;

/// A provider of a workload or workforce identity pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolProvider {
    /// The project number; `None` for a workforce pool.
    pub project: Option<String>,
    /// The id of the pool.
    pub pool: String,
    /// The id of the provider.
    pub provider: String,
    /// The universe domain, such as `googleapis.com`.
    pub universe: String,
}

const FORM: &str = "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/\
                    providers/PROVIDER";

/// The maximum length of an audience that a pool provider can allow, in characters.
pub const LONGEST_AUDIENCE: usize = 256;

/// The maximum length of `google.subject`, in bytes.
pub const LONGEST_SUBJECT: usize = 127;

impl PoolProvider {
    /// Reads an audience, which must be exactly the full resource name that the Security Token
    /// Service expects.
    ///
    /// # Errors
    /// `CONFIGURATION` with the part that is wrong.
    pub fn parse(audience: &str) -> Result<PoolProvider, Error> {
        PoolProvider::parse_value(audience, "audience")
    }

    /// Reads an audience that is the value of `place`, an option or a member.
    ///
    /// # Errors
    /// The errors of [`PoolProvider::parse`].
    pub fn parse_value(audience: &str, place: &str) -> Result<PoolProvider, Error> {
        let wrong = |what: &str| wrong(place, what);
        let wrong_form = || wrong_form(audience, place);
        let given = Audience::new(audience);
        let bare = given.without_scheme();
        if bare != audience {
            let fix = match show::content(audience) {
                Some(_) => format!("use the form {FORM}"),
                None => format!("set {place} to {bare}"),
            };
            return Err(wrong("starts with a URL scheme").fix(fix));
        }
        let (universe, path) = audience
            .strip_prefix("//iam.")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(|| wrong_host(audience, place))?;
        if audience.contains(['$', '<', '{', '[', '%']) {
            return Err(wrong("contains a placeholder").fix(
                "replace it with the project number, the ID of the pool or the ID of the provider",
            ));
        }
        if audience.chars().any(|c| !c.is_ascii_alphanumeric() && !"/-_.:".contains(c)) {
            return Err(wrong("contains characters that a resource name cannot contain")
                .fix("remove spaces and special characters"));
        }
        let (project, pool, provider) = split(path, audience, place)?;
        if project == Some("") {
            return Err(wrong("has no project number").fix(
                "use the number from gcloud projects describe PROJECT_ID --format='value(projectNumber)'",
            ));
        }
        if let Some(project) = project.filter(|p| !p.bytes().all(|b| b.is_ascii_digit())) {
            let (what, id) = match is_project(project) {
                true => ("contains the project ID", quoted(project)),
                false => ("contains a placeholder", "PROJECT_ID".into()),
            };
            return Err(wrong(&format!("{what} instead of the project number")).fix(format!(
                "use the number from gcloud projects describe {id} --format='value(projectNumber)'"
            )));
        }
        if pool.is_empty() {
            return Err(wrong_form());
        }
        Ok(PoolProvider {
            project: project.map(str::to_owned),
            pool: pool.to_owned(),
            provider: provider.to_owned(),
            universe: universe.to_owned(),
        })
    }

    /// The full resource name, as an audience.
    pub fn name(&self) -> String {
        format!("{}/providers/{}", self.pool_name(), self.provider)
    }

    /// Whether an audience is this name, with or without `https:`.
    pub fn is_named(&self, audience: &str) -> bool {
        Audience::new(self.name()).is(audience)
    }

    fn pool_name(&self) -> String {
        format!("//iam.{}/{}", self.universe, self.pool_path())
    }

    /// The name of the pool in the form of gcloud.
    pub fn pool_path(&self) -> String {
        let pool = &self.pool;
        match &self.project {
            Some(project) => {
                format!("projects/{project}/locations/global/workloadIdentityPools/{pool}")
            }
            None => format!("locations/global/workforcePools/{pool}"),
        }
    }

    /// The name of the principal with this `google.subject`.
    pub fn principal(&self, subject: &str) -> String {
        format!("principal:{}/subject/{subject}", self.pool_name())
    }

    /// The name of the principals whose mapped attribute (`google.groups` or `attribute.NAME`) has
    /// this value.
    pub fn principal_set(&self, attribute: &str, value: &str) -> String {
        let attribute = if attribute == "google.groups" { "group" } else { attribute };
        format!("principalSet:{}/{attribute}/{value}", self.pool_name())
    }

    /// The `gcloud` command with this verb for the provider. It uses the full name, because gcloud does
    /// not accept a project number in `--project`.
    pub fn gcloud(&self, verb: &str) -> String {
        let (group, pool, id) = (self.gcloud_group(), self.pool_path(), &self.provider);
        format!("gcloud iam {group} providers {verb} {pool}/providers/{id}")
    }

    /// What to do about a token with another `aud`, which is `None` if it is not known.
    pub fn fix_audience(&self, aud: Option<&str>) -> String {
        let request = format!("get a token for the audience https:{}", self.name());
        let is_provider = |aud: &str| {
            ["/workloadIdentityPools/", "/workforcePools/"].iter().any(|part| aud.contains(part))
        };
        match aud {
            // A provider allows its own name unless it has a list of audiences.
            Some(aud) if aud == Audience::new(self.name()).with_scheme() => format!(
                "get a token for an audience that the pool provider allows ({}), or {}",
                self.gcloud("describe"),
                self.allow_audience(aud)
            ),
            // Allowing the name of another provider would accept the tokens of everyone who may use
            // that provider.
            Some(aud) if !is_provider(aud) && aud.chars().count() <= LONGEST_AUDIENCE => {
                format!("{request}, or {}", self.allow_audience(aud))
            }
            _ => request,
        }
    }

    /// How to make the provider accept tokens with this `aud`. The command replaces the whole list
    /// of audiences, so the current ones must be repeated. An empty list allows the name of the
    /// provider. The provider of a workforce pool has one client ID instead.
    fn allow_audience(&self, aud: &str) -> String {
        let update = self.gcloud("update-oidc");
        match self.project {
            Some(_) => format!(
                "allow this audience too (the command replaces the whole list: set PRESENT to the \
                 current audiences of the pool provider, or to https:{} if it has none): {update} \
                 {}",
                self.name(),
                quoted(&format!("--allowed-audiences=PRESENT,{aud}"))
            ),
            None => format!(
                "make this audience the client ID of the pool provider, which accepts no other \
                 audience: {update} {}",
                quoted(&format!("--client-id={aud}"))
            ),
        }
    }

    /// The group of `gcloud iam` commands for this kind of pool.
    pub fn gcloud_group(&self) -> &'static str {
        match self.project {
            Some(_) => "workload-identity-pools",
            None => "workforce-pools",
        }
    }
}

/// The workload identity pool in the audience for a workload in a fleet,
/// `identitynamespace:POOL:PROVIDER`. Its tokens have the pool as their `aud`.
/// <https://cloud.google.com/kubernetes-engine/fleet-management/docs/use-workload-identity>
pub fn pool_of_fleet(audience: &str) -> Option<&str> {
    let (pool, provider) = audience.strip_prefix("identitynamespace:")?.split_once(':')?;
    (!pool.is_empty() && !provider.is_empty()).then_some(pool)
}

fn wrong(place: &str, what: &str) -> Error {
    Error::new(Kind::Configuration, format!("{place} {what}"))
}

fn wrong_form(audience: &str, place: &str) -> Error {
    let fix = meant(audience).map(|name| format!("set {place} to {name}"));
    wrong(place, "is not the full resource name of a pool provider")
        .fix(fix.unwrap_or_else(|| format!("use the form {FORM}")))
}

/// The error for a name that does not begin with the right host. The rest may be right.
fn wrong_host(audience: &str, place: &str) -> Error {
    match meant(audience) {
        Some(name) => wrong(place, "does not begin with //iam.googleapis.com/")
            .fix(format!("set {place} to {name}")),
        None => wrong_form(audience, place),
    }
}

/// The words of a resource name.
const WORDS: [&str; 5] =
    ["projects", "locations", "workloadIdentityPools", "workforcePools", "providers"];

/// Finds the full resource name that was meant, if only its beginning, its end, the location or the
/// case of a word is wrong.
fn meant(audience: &str) -> Option<String> {
    let trimmed = audience.trim_end_matches(|c: char| c.is_whitespace() || "\"'/".contains(c));
    let start = ["projects/", "locations/"].iter().find_map(|word| trimmed.rfind(word))?;
    let (before, path) = trimmed.split_at_checked(start)?;
    let mut location = None;
    let parts = path.split('/').map(|part| {
        let word = WORDS.into_iter().find(|word| word.eq_ignore_ascii_case(part));
        let is_location = location.replace(word) == Some(Some("locations"));
        if is_location { "global" } else { word.unwrap_or(part) }
    });
    let path = parts.collect::<Vec<_>>().join("/");
    let universe = before.strip_prefix("//iam.").and_then(|rest| rest.strip_suffix('/'));
    let universe = universe.filter(|name| !name.contains('/')).unwrap_or(GOOGLEAPIS);
    let name = format!("//iam.{universe}/{path}");
    (name != audience && PoolProvider::parse(&name).is_ok()).then_some(name)
}

/// Splits the path of a resource name into the project, the pool and the provider.
fn split<'a>(
    path: &'a str,
    audience: &str,
    place: &str,
) -> Result<(Option<&'a str>, &'a str, &'a str), Error> {
    let parts: Vec<&str> = path.split('/').collect();
    let (project, pool, rest) = match parts[..] {
        [
            "projects",
            project,
            "locations",
            "global",
            "workloadIdentityPools",
            pool,
            ref rest @ ..,
        ] => (Some(project), pool, rest),
        ["locations", "global", "workforcePools", pool, ref rest @ ..] => (None, pool, rest),
        _ => return Err(wrong_form(audience, place)),
    };
    match rest {
        ["providers", provider] if !provider.is_empty() => Ok((project, pool, *provider)),
        [] | ["providers"] | ["providers", ""] => {
            let pool = path.split("/providers").next().unwrap_or_default();
            let list = match project {
                Some(_) => "workload-identity-pools providers list --workload-identity-pool",
                None => "workforce-pools providers list --workforce-pool",
            };
            Err(wrong(place, "names a pool but no provider").fix(format!(
                "append /providers/PROVIDER with a name from gcloud iam {list}={pool}"
            )))
        }
        _ => Err(wrong_form(audience, place)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str =
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/q";

    #[test]
    fn names_are_parsed_and_formatted() {
        let provider = PoolProvider::parse(NAME).unwrap();
        assert_eq!(provider.name(), NAME);
        assert_eq!(
            provider.principal("s:1"),
            "principal://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/subject/s:1"
        );
        assert_eq!(
            provider.principal_set("attribute.repository", "a/b"),
            "principalSet://iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/attribute.repository/a/b"
        );
        let workforce = "//iam.googleapis.com/locations/global/workforcePools/w/providers/q";
        let provider = PoolProvider::parse(workforce).unwrap();
        assert_eq!(provider.name(), workforce);
        assert_eq!(
            provider.principal_set("google.groups", "g"),
            "principalSet://iam.googleapis.com/locations/global/workforcePools/w/group/g"
        );
    }

    #[test]
    fn the_pool_of_a_fleet_is_recognized() {
        let audience = "identitynamespace:p.svc.id.goog:https://gkehub.googleapis.com/projects/p";
        assert_eq!(pool_of_fleet(audience), Some("p.svc.id.goog"));
        for other in [NAME, "identitynamespace:", "identitynamespace:p", "identitynamespace::x"] {
            assert_eq!(pool_of_fleet(other), None, "{other}");
        }
    }

    #[test]
    fn errors_contain_the_fix() {
        for (from, to, fix) in [
            ("//iam", "https://iam", "set audience to //iam.googleapis.com/"),
            ("/123/", "/my-project/", "gcloud projects describe my-project"),
            ("/123/", "/PROJECT_NUMBER/", "gcloud projects describe PROJECT_ID"),
            ("/123/", "/$NUMBER/", "replace it with the project number"),
            ("/providers/q", "", "append /providers/PROVIDER"),
            ("/providers/q", "/providers/", "append /providers/PROVIDER"),
            ("/locations/global", "", "use the form //iam.googleapis.com/projects/NUMBER"),
            ("//iam.", "//sts.", "set audience to //iam.googleapis.com/projects/123/"),
            ("//iam.googleapis.com", "//googleapis.com", "set audience to //iam.googleapis.com/"),
            ("//iam.googleapis.com/", "", "set audience to //iam.googleapis.com/projects/123/"),
            ("//iam.googleapis.com", "iam.googleapis.com", "set audience to //iam.googleapis.com/"),
            ("/p/", "//", "use the form"),
            ("/123/", "//", "gcloud projects describe PROJECT_ID"),
            ("/q", "/q/", "/providers/q"),
            ("/global/", "/europe-west1/", "/locations/global/"),
            ("workloadIdentityPools", "workloadidentitypools", "/workloadIdentityPools/p/"),
            ("//iam.", "//iam.googleapis.com//iam.", "to //iam.googleapis.com/projects/"),
            ("/q", "/q r", "remove spaces"),
        ] {
            let audience = NAME.replace(from, to);
            let error = PoolProvider::parse(&audience).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.to_string().contains(fix), "{audience}: {error}");
        }
        let error = PoolProvider::parse(&format!("\"{NAME}\"")).unwrap_err();
        assert!(error.to_string().ends_with(&format!("set audience to {NAME}")), "{error}");
    }

    #[test]
    fn a_token_for_the_name_of_the_provider_needs_an_allowed_audience() {
        let provider = PoolProvider::parse(NAME).unwrap();
        let fix = provider.fix_audience(Some(&format!("https:{NAME}")));
        assert!(
            fix.starts_with("get a token for an audience that the pool provider allows"),
            "{fix}"
        );
        assert!(fix.ends_with(&format!("--allowed-audiences=PRESENT,https:{NAME}")), "{fix}");
        assert_eq!(
            provider.fix_audience(Some(NAME)),
            format!("get a token for the audience https:{NAME}")
        );
    }
}
