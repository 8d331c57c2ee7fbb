//! The AWS settings of a run, from options, environment variables and profiles, in that order.

use super::Options;
use super::endpoint;
use super::profile_file::{Files, Profile};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::world::HOME;

/// The variables that the source reads.
pub(super) const VARIABLES: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_SIGNIN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_LOGIN_CACHE_DIRECTORY",
    HOME,
];

/// The option that names the AWS STS endpoint.
const STS_ENDPOINT: &str = "--sts-endpoint";

/// A service of AWS that the source calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Service {
    Sts,
    /// The portal of IAM Identity Center.
    Sso,
    /// The sign-in of IAM Identity Center.
    SsoOidc,
    /// AWS Sign-In.
    SignIn,
}

impl Service {
    /// The variable that sets the endpoint of the service, the name of the service in the config
    /// file, and the prefix of its host names.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Service::Sts => ("AWS_ENDPOINT_URL_STS", "sts", "sts"),
            Service::Sso => ("AWS_ENDPOINT_URL_SSO", "sso", "portal.sso"),
            Service::SsoOidc => ("AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc", "oidc"),
            Service::SignIn => ("AWS_ENDPOINT_URL_SIGNIN", "signin", "signin"),
        }
    }
}

/// The settings, and the context to use them in.
#[derive(Debug)]
pub(super) struct Account<'a> {
    pub(super) cx: &'a Context,
    /// The shared config and credentials files.
    pub(super) files: Files,
    /// The name of the profile in use.
    pub(super) profile: String,
    /// Whether `--profile` selects the profile. The profile then overrides credentials in the
    /// environment.
    pub(super) profile_is_option: bool,
    /// Whether an option or a variable selects the profile. It must then exist.
    pub(super) profile_is_named: bool,
    region_option: Option<&'a str>,
    sts_endpoint: Option<&'a Url>,
}

impl<'a> Account<'a> {
    /// Reads the profile files.
    ///
    /// # Errors
    /// `CONFIGURATION` if a file or a variable cannot be read.
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
        })
    }

    /// Creates the settings from the environment and these options. No profile file is read,
    /// because the `credential_process` of the profile in use may have started this run.
    pub(super) fn without_profiles(
        region: Option<&'a str>,
        sts_endpoint: Option<&'a Url>,
        cx: &'a Context,
    ) -> Account<'a> {
        Account {
            cx,
            files: Files::default(),
            profile: String::new(),
            profile_is_option: false,
            profile_is_named: false,
            region_option: region,
            sts_endpoint,
        }
    }

    /// The profile in use, if the files define it.
    pub(super) fn current_profile(&self) -> Option<&Profile> {
        self.files.profile(&self.profile)
    }

    /// The value of a setting. The environment variable overrides the key in the profile.
    pub(super) fn setting(&self, variable: &str, key: &str) -> Result<Option<String>, Error> {
        Ok(self.cx.env.text(variable)?.or_else(|| self.profile_key(key)))
    }

    fn profile_key(&self, key: &str) -> Option<String> {
        self.current_profile()?.get(key).map(str::to_owned)
    }

    fn is_true(&self, variable: &str, key: &str) -> Result<bool, Error> {
        Ok(self.setting(variable, key)?.is_some_and(|value| value.eq_ignore_ascii_case("true")))
    }

    /// The region: `--region`, `AWS_REGION`, `AWS_DEFAULT_REGION`, or the region of the profile.
    ///
    /// # Errors
    /// `CONFIGURATION` if the configured region is not valid.
    pub(super) fn configured_region(&self) -> Result<Option<String>, Error> {
        let places = [
            (self.region_option.map(str::to_owned), "--region"),
            (self.cx.env.text("AWS_REGION")?, "AWS_REGION"),
            (self.cx.env.text("AWS_DEFAULT_REGION")?, "AWS_DEFAULT_REGION"),
            (self.profile_key("region"), "the region of the profile"),
        ];
        let first = places.into_iter().find_map(|(region, place)| Some((region?, place)));
        let Some((region, place)) = first else { return Ok(None) };
        match endpoint::not_a_region(&region) {
            None => Ok(Some(region)),
            Some(why) => Err(Error::new(
                Kind::Configuration,
                format!("{place} is not a valid AWS region name"),
            )
            .cause(why)
            .fix(format!("set {place} to a name such as eu-west-1"))),
        }
    }

    /// The AWS STS endpoint to use: `--sts-endpoint`, the endpoint of the environment or of the
    /// profile, the public endpoint of the region, or without a region the global endpoint. Also
    /// returns the setting that names the endpoint.
    pub(super) fn sts_endpoint(&self, region: Option<&str>) -> Result<(Url, &'static str), Error> {
        if let Some(configured) = self.configured_sts_endpoint()? {
            return Ok(configured);
        }
        match region {
            Some(region) => Ok((self.public_endpoint(Service::Sts, region)?, STS_ENDPOINT)),
            None => Ok((endpoint::public("sts.amazonaws.com")?, "AWS_REGION")),
        }
    }

    /// The AWS STS endpoint that `--sts-endpoint`, the environment or the profile sets, and the
    /// setting that names the endpoint.
    ///
    /// # Errors
    /// `CONFIGURATION` if the endpoint is not a URL.
    pub(super) fn configured_sts_endpoint(&self) -> Result<Option<(Url, &'static str)>, Error> {
        match self.sts_endpoint {
            Some(url) => Ok(Some((url.clone(), STS_ENDPOINT))),
            None => self.configured_endpoint(Service::Sts),
        }
    }

    /// Whether neither FIPS endpoints nor dual-stack endpoints are selected.
    pub(super) fn has_standard_endpoints(&self) -> Result<bool, Error> {
        Ok(!self.is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?
            && !self.is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?)
    }

    /// The public endpoint of a service. The environment or the profile can select a FIPS or
    /// dual-stack endpoint.
    pub(super) fn public_endpoint(&self, service: Service, region: &str) -> Result<Url, Error> {
        let (_, _, service) = service.names();
        let fips = self.is_true("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
        let dual_stack = self.is_true("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?;
        endpoint::public(&endpoint::host(service, region, fips, dual_stack))
    }

    /// The endpoint that the environment or the profile sets for a service, and the setting that
    /// names the endpoint.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    ///
    /// # Errors
    /// `CONFIGURATION` if the endpoint is not a URL.
    pub(super) fn configured_endpoint(
        &self,
        service: Service,
    ) -> Result<Option<(Url, &'static str)>, Error> {
        if self.is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls")? {
            return Ok(None);
        }
        let (variable, service, _) = service.names();
        let in_services = |profile| self.files.service_endpoint(profile, service);
        let found = if let Some(url) = self.cx.env.text(variable)? {
            Some((url, variable))
        } else if let Some(url) = self.cx.env.text("AWS_ENDPOINT_URL")? {
            Some((url, "AWS_ENDPOINT_URL"))
        } else if let Some(url) = self.current_profile().map_or(Ok(None), in_services)? {
            Some((url.to_owned(), "endpoint_url in the services section"))
        } else {
            self.profile_key("endpoint_url").map(|url| (url, "endpoint_url in the profile"))
        };
        found.map_or(Ok(None), |(url, place)| {
            Url::parse(&url).map(|url| Some((url, place))).map_err(|why| {
                Error::new(Kind::Configuration, format!("{place} {why}"))
                    .fix(format!("correct or remove {place}"))
            })
        })
    }
}

/// The error for a request that requires a region, if no region was found.
pub(super) fn no_region() -> Error {
    Error::new(Kind::Configuration, "no AWS region found")
        .fix("set AWS_REGION, or --region of the source aws")
}
