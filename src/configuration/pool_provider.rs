//! The full resource name of a workload or workforce identity pool provider: the audience of an
//! exchange, and the names of the principals that come out of it.
//! <https://cloud.google.com/iam/docs/principal-identifiers>

use crate::error::{Error, Kind};
use crate::shell::quoted;
use crate::token::Audience;

/// A provider of a workload or workforce identity pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolProvider {
    /// The number of the project; `None` for a workforce pool.
    pub project: Option<String>,
    /// The id of the pool.
    pub pool: String,
    /// The id of the provider in it.
    pub provider: String,
    /// The host before the name, without `iam.`: `googleapis.com`.
    pub universe: String,
}

const FORM: &str = "//iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/\
                    providers/PROVIDER";

impl PoolProvider {
    /// Reads an audience: the full resource name, letter by letter as the Security Token Service
    /// wants it.
    ///
    /// # Errors
    /// `CONFIGURATION` with what is wrong about it.
    pub fn parse(audience: &str) -> Result<PoolProvider, Error> {
        let wrong = |what: &str| Error::new(Kind::Configuration, format!("the audience {what}"));
        let given = Audience::new(audience);
        let bare = given.without_scheme();
        if bare != audience {
            return Err(wrong("begins with a scheme").fix(format!("set audience to {bare}")));
        }
        let form = || wrong("is no pool provider's full name").fix(format!("it looks like {FORM}"));
        let (host, path) = audience
            .strip_prefix("//iam.")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(form)?;
        if audience.chars().any(|c| !c.is_ascii_alphanumeric() && !"/-_.:".contains(c)) {
            return Err(wrong("holds blanks or signs that no name has").fix("remove them"));
        }
        let parts: Vec<&str> = path.split('/').collect();
        let (project, pool, provider) = match parts[..] {
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
            _ => return Err(form()),
        };
        let provider = match provider {
            ["providers", provider] if !provider.is_empty() => *provider,
            [] | ["providers", ..] => {
                let pool = path.split("/providers").next().unwrap_or_default();
                let list = match project {
                    Some(_) => "workload-identity-pools providers list --workload-identity-pool",
                    None => "workforce-pools providers list --workforce-pool",
                };
                let fix = format!("append /providers/PROVIDER: gcloud iam {list}={pool}");
                return Err(wrong("names a pool and no provider").fix(fix));
            }
            _ => return Err(form()),
        };
        if let Some(project) = project.filter(|p| !p.bytes().all(|b| b.is_ascii_digit())) {
            return Err(wrong("names the project by its id, not its number").fix(format!(
                "put the number there: gcloud projects describe {} \
                 --format='value(projectNumber)'",
                quoted(project)
            )));
        }
        if pool.is_empty() || project == Some("") {
            return Err(form());
        }
        Ok(PoolProvider {
            project: project.map(str::to_owned),
            pool: pool.to_owned(),
            provider: provider.to_owned(),
            universe: host.to_owned(),
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

    /// The name of the pool as gcloud takes it.
    pub fn pool_path(&self) -> String {
        let pool = &self.pool;
        match &self.project {
            Some(project) => {
                format!("projects/{project}/locations/global/workloadIdentityPools/{pool}")
            }
            None => format!("locations/global/workforcePools/{pool}"),
        }
    }

    /// The principal of this `google.subject`.
    pub fn principal(&self, subject: &str) -> String {
        format!("principal:{}/subject/{subject}", self.pool_name())
    }

    /// The set of principals whose mapped attribute (`google.groups` or `attribute.NAME`) is this.
    pub fn principal_set(&self, attribute: &str, value: &str) -> String {
        let attribute = if attribute == "google.groups" { "group" } else { attribute };
        format!("principalSet:{}/{attribute}/{value}", self.pool_name())
    }

    /// The command that does this with the provider. By its whole name, since gcloud takes no number
    /// of a project in `--project`.
    pub fn gcloud(&self, verb: &str) -> String {
        let (group, pool, id) = (self.gcloud_group(), self.pool_path(), &self.provider);
        format!("gcloud iam {group} providers {verb} {pool}/providers/{id}")
    }

    /// The option that says what `aud` may be: a workforce pool's provider has one client.
    pub fn audience_option(&self) -> &'static str {
        match self.project {
            Some(_) => "--allowed-audiences",
            None => "--client-id",
        }
    }

    /// The group of `gcloud iam` that it belongs to.
    pub fn gcloud_group(&self) -> &'static str {
        match self.project {
            Some(_) => "workload-identity-pools",
            None => "workforce-pools",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str =
        "//iam.googleapis.com/projects/123/locations/global/workloadIdentityPools/p/providers/q";

    #[test]
    fn a_name_is_read_and_written() {
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
    fn what_is_wrong_is_said_with_the_remedy() {
        for (from, to, fix) in [
            ("//iam", "https://iam", "set audience to //iam.googleapis.com/"),
            ("/123/", "/my-project/", "gcloud projects describe my-project"),
            ("/providers/q", "", "append /providers/PROVIDER"),
            ("/providers/q", "/providers/", "append /providers/PROVIDER"),
            ("/locations/global", "", "it looks like //iam.googleapis.com/projects/NUMBER"),
            ("//iam.", "//sts.", "it looks like"),
            ("/p/", "//", "it looks like"),
            ("/q", "/q r", "remove them"),
        ] {
            let audience = NAME.replace(from, to);
            let error = PoolProvider::parse(&audience).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert!(error.to_string().contains(fix), "{audience}: {error}");
        }
    }
}
