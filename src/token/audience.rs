//! The audience of a subject token.
//!
//! It is usually the full resource name of a pool provider, which has two forms. A pool provider
//! accepts the form with `https:` by default as the `aud` of a token. The Security Token Service
//! expects the form without `https:` as the `audience` of an exchange.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers>

use std::fmt;

/// The audience of a token.
#[derive(Debug, Clone)]
pub struct Audience(String);

/// The start of the full resource name of a workload or workforce pool provider, in every universe.
const RESOURCE_NAME: &str = "//iam.";

impl Audience {
    /// Creates an audience with this name.
    pub fn new(name: impl Into<String>) -> Audience {
        Audience(name.into())
    }

    /// The name, unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the audience looks like the full resource name of a pool provider, without `https:`.
    pub fn is_resource_name(&self) -> bool {
        self.0.starts_with(RESOURCE_NAME)
    }

    /// The form that a pool provider accepts by default: `https:` is added to a resource name.
    pub fn with_scheme(&self) -> String {
        match self.is_resource_name() {
            true => format!("https:{}", self.0),
            false => self.0.clone(),
        }
    }

    /// The form that the Security Token Service expects: without `https:` or `http:`.
    pub fn without_scheme(&self) -> &str {
        let scheme = ["https:", "http:"].into_iter().find_map(|scheme| self.0.strip_prefix(scheme));
        scheme.filter(|rest| rest.starts_with("//")).unwrap_or(&self.0)
    }

    /// Whether `other` names the same audience, with or without `https:`.
    pub fn is(&self, other: &str) -> bool {
        let same = |a: &str, b: &str| a.strip_prefix("https:").unwrap_or(a) == b;
        self.0 == other || same(&self.0, other) || same(other, &self.0)
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_resource_name_are_the_same_audience() {
        for name in [
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            "//iam.googleapis.com/locations/global/workforcePools/w/providers/q",
        ] {
            let (bare, whole) = (Audience::new(name), Audience::new(format!("https:{name}")));
            assert_eq!(bare.with_scheme(), whole.as_str());
            assert_eq!(whole.with_scheme(), whole.as_str());
            assert_eq!(whole.without_scheme(), name);
            assert!(bare.is(whole.as_str()) && whole.is(name) && bare.is(name));
            assert!(!bare.is("//iam.googleapis.com/other"));
        }
    }

    #[test]
    fn other_audiences_have_one_form() {
        let audience = Audience::new("api://AzureADTokenExchange");
        assert_eq!(audience.with_scheme(), "api://AzureADTokenExchange");
        assert_eq!(audience.without_scheme(), "api://AzureADTokenExchange");
        assert!(!audience.is_resource_name() && !audience.is("api://other"));
    }
}
