//! The public host names of AWS services, by region and partition.
//! <https://docs.aws.amazon.com/general/latest/gr/sts.html>

use crate::error::Error;
use crate::http::Url;

/// Whether `name` can be the name of a region. The name becomes part of a host name, so any other
/// character could select a different host.
pub(super) fn is_region(name: &str) -> bool {
    not_a_region(name).is_none()
}

/// Why `name` is not the name of a region.
pub(super) fn not_a_region(name: &str) -> Option<String> {
    let has = |pattern: &dyn Fn(char) -> bool| name.contains(pattern);
    let plain = match () {
        () if name.is_empty() => "it is empty",
        () if has(&|c| c == '\r') => "it contains a carriage return",
        () if has(&char::is_control) => "it contains a control character",
        () if has(&|c| matches!(c, '"' | '\'')) => "it contains quotation marks",
        () if has(&char::is_whitespace) => "it contains a space",
        () if has(&|c| !c.is_ascii_alphanumeric() && c != '-') => {
            "it contains characters other than letters, digits and hyphens"
        }
        () if name.len() > 32 => "it is longer than 32 characters",
        () if has(&|c| c.is_ascii_uppercase()) => "it contains capital letters",
        () if name.contains("fips") => "set AWS_USE_FIPS_ENDPOINT=true for FIPS endpoints",
        () => {
            return zone_region(name).map(|region| {
                format!("{name:?} looks like an availability zone of the region {region}")
            });
        }
    };
    Some(plain.to_owned())
}

/// The region of an availability zone or local zone: `us-east-1` for `us-east-1a`, `us-west-2` for
/// `us-west-2-lax-1a`. A region ends with its number.
fn zone_region(name: &str) -> Option<&str> {
    let number = name.find(|c: char| c.is_ascii_digit())?;
    let (start, rest) = name.split_at_checked(number)?;
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let region = name.get(..name.len() - zone.len())?;
    (!zone.is_empty() && start.ends_with('-')).then_some(region)
}

/// The partitions: the name in ARNs, the prefix of the region names, and the suffixes of the host
/// names of standard endpoints and of dual-stack endpoints.
const PARTITIONS: [(&str, &str, &str, &str); 8] = [
    ("aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"),
    ("aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "csp.hci.ic.gov"),
    ("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "cloud.adc-e.uk"),
    ("aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    AWS,
];

/// The partition of all other regions.
const AWS: (&str, &str, &str, &str) = ("aws", "", "amazonaws.com", "api.aws");

/// The name of the partition of a region, as in ARNs.
pub(super) fn partition(region: &str) -> &'static str {
    let found = PARTITIONS.iter().find(|(_, start, ..)| region.starts_with(start));
    found.unwrap_or(&AWS).0
}

/// Whether a partition has this name.
pub(super) fn is_partition(name: &str) -> bool {
    PARTITIONS.iter().any(|(known, ..)| *known == name)
}

/// Whether a region belongs to the partition `aws-cn`.
pub(super) fn is_china(region: &str) -> bool {
    region.starts_with("cn-")
}

/// The host name of a service in a region.
pub(super) fn host(service: &str, region: &str, fips: bool, dual_stack: bool) -> String {
    // In the partition aws-us-gov, the standard endpoints are FIPS endpoints.
    let fips = fips && (dual_stack || !region.starts_with("us-gov-"));
    let fips = if fips { "-fips" } else { "" };
    let found = PARTITIONS.iter().find(|(_, start, ..)| region.starts_with(start));
    let (_, _, standard, dual) = found.unwrap_or(&AWS);
    format!("{service}{fips}.{region}.{}", if dual_stack { dual } else { standard })
}

/// The host name of AWS Sign-In in a region; `None` in the isolated partitions (`iso`).
pub(super) fn sign_in_host(region: &str) -> Option<String> {
    let domain = match region {
        _ if region.starts_with("cn-") => "signin.amazonaws.cn",
        _ if region.starts_with("us-gov-") => "signin.amazonaws-us-gov.com",
        _ if region.starts_with("eusc-") => "signin.amazonaws-eusc.eu",
        _ if region.contains("-iso") => return None,
        _ => "signin.aws.amazon.com",
    };
    Some(format!("{region}.{domain}"))
}

/// The URL of a public host.
///
/// # Errors
/// `INTERNAL` if the host name is not valid.
pub(super) fn public(host: &str) -> Result<Url, Error> {
    Url::parse(&format!("https://{host}/"))
        .map_err(|why| Error::bug(format!("the host {host} {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_depend_on_region_partition_and_kind() {
        for (region, fips, dual_stack, host) in [
            ("eu-west-1", false, false, "sts.eu-west-1.amazonaws.com"),
            ("us-east-1", true, false, "sts-fips.us-east-1.amazonaws.com"),
            ("us-east-1", false, true, "sts.us-east-1.api.aws"),
            ("us-east-1", true, true, "sts-fips.us-east-1.api.aws"),
            ("us-gov-west-1", true, false, "sts.us-gov-west-1.amazonaws.com"),
            ("cn-north-1", false, false, "sts.cn-north-1.amazonaws.com.cn"),
            ("cn-north-1", false, true, "sts.cn-north-1.api.amazonwebservices.com.cn"),
            ("eusc-de-east-1", true, false, "sts-fips.eusc-de-east-1.amazonaws.eu"),
            ("us-iso-east-1", false, true, "sts.us-iso-east-1.api.aws.ic.gov"),
            ("us-isob-east-1", false, false, "sts.us-isob-east-1.sc2s.sgov.gov"),
        ] {
            assert_eq!(super::host("sts", region, fips, dual_stack), host);
        }
    }

    #[test]
    fn a_region_belongs_to_a_partition() {
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
        ] {
            assert_eq!(partition(region), name);
            assert!(is_partition(name));
        }
        assert!(!is_partition("AWS") && !is_partition(""));
    }

    #[test]
    fn a_region_name_cannot_contain_a_host() {
        for (name, why) in [
            ("", "empty"),
            ("evil.example/", "characters other than"),
            ("a.b", "characters other than"),
            ("EU", "capital letters"),
            ("eu_west", "characters other than"),
            ("a@b", "characters other than"),
            ("eu-west-1\r", "carriage return"),
            ("eu-west-1\n", "control character"),
            ("\"eu-west-1\"", "quotation marks"),
            ("'eu-west-1'", "quotation marks"),
            (" eu-west-1", "space"),
            ("us-east-1a", "availability zone of the region us-east-1"),
            ("us-west-2-lax-1a", "availability zone of the region us-west-2"),
            ("us-east-1-wl1-bos-wlz-1", "availability zone of the region us-east-1"),
            ("fips-us-east-1", "AWS_USE_FIPS_ENDPOINT"),
            ("us-east-1-wl1-bos-wlz-1-of-many-more", "32 characters"),
        ] {
            let found = not_a_region(name).unwrap();
            assert!(found.contains(why), "{name:?}: {found}");
        }
        assert!(is_region("aws-global"));
        assert!(is_region("eu-west-1"));
    }
}
