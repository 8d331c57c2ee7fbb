//! What this run knows of AWS: options, variables and profile files, in that order.

use std::cell::OnceCell;

use super::Options;
use super::credentials::imds;
use super::endpoint;
use super::profile_file::{Files, Profile};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::Url;

/// Where settings come from.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) cx: &'a Context,
    /// The shared config and credentials files.
    pub(super) files: Files,
    /// The profile in use.
    pub(super) profile: String,
    /// Whether `--profile` named it: then the environment's credentials do not count.
    pub(super) profile_is_option: bool,
    /// Whether anything named it: then it has to exist.
    pub(super) profile_is_named: bool,
    region_option: Option<&'a str>,
    sts_endpoint: Option<&'a Url>,
    region: OnceCell<Option<String>>,
}

impl<'a> Account<'a> {
    pub(super) fn new(options: &'a Options, cx: &'a Context) -> Result<Account<'a>, Error> {
        let named = match &options.profile {
            Some(profile) => Some(profile.clone()),
            None => match cx.env.text("AWS_PROFILE")? {
                Some(profile) => Some(profile),
                None => cx.env.text("AWS_DEFAULT_PROFILE")?,
            },
        };
        Ok(Account {
            cx,
            files: Files::read(cx)?,
            profile_is_option: options.profile.is_some(),
            profile_is_named: named.is_some(),
            profile: named.unwrap_or_else(|| "default".to_owned()),
            region_option: options.region.as_deref(),
            sts_endpoint: options.sts_endpoint.as_ref(),
            region: OnceCell::new(),
        })
    }

    /// The profile in use, where the files have it.
    pub(super) fn current_profile(&self) -> Option<&Profile> {
        self.files.profile(&self.profile)
    }

    /// A setting: its variable, or its key in the profile.
    pub(super) fn setting(&self, variable: &str, key: &str) -> Result<Option<String>, Error> {
        let from_profile = || self.current_profile().and_then(|p| p.get(key)).map(str::to_owned);
        Ok(self.cx.env.text(variable)?.or_else(from_profile))
    }

    fn is_true(&self, variable: &str, key: &str) -> Result<bool, Error> {
        Ok(self.setting(variable, key)?.is_some_and(|value| value.eq_ignore_ascii_case("true")))
    }

    /// The region: `--region`, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, and at last the
    /// instance's metadata.
    pub(super) fn region(&self) -> Result<Option<&str>, Error> {
        if let Some(region) = self.region.get() {
            return Ok(region.as_deref());
        }
        let region = match self.configured_region()? {
            Some(region) => Some(region),
            None => imds::region(self)?,
        };
        Ok(self.region.get_or_init(|| region).as_deref())
    }

    /// The same without asking the instance's metadata.
    pub(super) fn configured_region(&self) -> Result<Option<String>, Error> {
        let region = match (self.region_option, self.cx.env.text("AWS_REGION")?) {
            (Some(region), _) => Some(region.to_owned()),
            (None, Some(region)) => Some(region),
            (None, None) => self.setting("AWS_DEFAULT_REGION", "region")?,
        };
        match region {
            Some(region) if !endpoint::is_region(&region) => {
                Err(Error::new(Kind::Configuration, "the AWS region is no region's name")
                    .fix("check --region, AWS_REGION and the profile; one looks like eu-west-1"))
            }
            region => Ok(region),
        }
    }

    /// The region that has to be there.
    ///
    /// # Errors
    /// `CONFIGURATION` where none was found.
    pub(super) fn required_region(&self) -> Result<&str, Error> {
        self.region()?.ok_or_else(|| {
            Error::new(Kind::Configuration, "there is no AWS region")
                .fix("add --region=… or set AWS_REGION")
        })
    }

    /// The STS endpoint of a region: `--sts-endpoint`, what the environment or the profile says
    /// instead, or the public one.
    pub(super) fn sts_endpoint(&self, region: &str) -> Result<Url, Error> {
        if let Some(url) = self.sts_endpoint {
            return Ok(url.clone());
        }
        if let Some(url) = self.configured_endpoint("sts")? {
            return Ok(url);
        }
        let fips = self.is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
        let dual_stack = self.is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?;
        endpoint::public(&endpoint::sts_host(region, fips, dual_stack))
    }

    /// The endpoint of a service that the environment or the profile names.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    pub(super) fn configured_endpoint(&self, service: &str) -> Result<Option<Url>, Error> {
        if self.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")? {
            return Ok(None);
        }
        let variable = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        let profile = self.current_profile();
        let of_service = profile.and_then(|profile| self.files.service_endpoint(profile, service));
        let of_profile = profile.and_then(|profile| profile.get("endpoint_url"));
        let places = [
            (self.cx.env.text(&variable)?, variable.as_str()),
            (self.cx.env.text("AWS_ENDPOINT_URL")?, "AWS_ENDPOINT_URL"),
            (of_service.map(str::to_owned), "endpoint_url in the services section"),
            (of_profile.map(str::to_owned), "endpoint_url in the profile"),
        ];
        let first = places.into_iter().find_map(|(url, place)| Some((url?, place)));
        first.map_or(Ok(None), |(url, place)| {
            Url::parse(&url).map(Some).map_err(|why| {
                Error::new(Kind::Configuration, format!("{place} {why}"))
                    .fix(format!("correct {place} or remove it"))
            })
        })
    }
}
