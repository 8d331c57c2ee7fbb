//! The public host names of AWS services, by region and partition.
//! <https://docs.aws.amazon.com/general/latest/gr/sts.html>

use crate::error::{Error, Kind};
use crate::http::Url;

/// Whether `name` has the characters of a region name. It becomes part of a host name, so that any
/// other character could select a different host.
pub(super) fn is_region(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty() && name.len() <= 32 && name.chars().all(is_allowed)
}

/// Whether a region belongs to the partition `aws-cn`.
pub(super) fn is_china(region: &str) -> bool {
    region.starts_with("cn-")
}

/// The host name of AWS STS in a region.
pub(super) fn sts_host(region: &str, fips: bool, dual_stack: bool) -> String {
    // In the partition aws-us-gov, the standard endpoints are FIPS endpoints.
    let fips = fips && (dual_stack || !region.starts_with("us-gov-"));
    let service = if fips { "sts-fips" } else { "sts" };
    service_host(service, region, dual_stack)
}

/// The host name of a service in a region.
pub(super) fn service_host(service: &str, region: &str, dual_stack: bool) -> String {
    let suffix = match (is_china(region), dual_stack) {
        (false, false) => "amazonaws.com",
        (false, true) => "api.aws",
        (true, false) => "amazonaws.com.cn",
        (true, true) => "api.amazonwebservices.com.cn",
    };
    format!("{service}.{region}.{suffix}")
}

/// The URL of a public host.
///
/// # Errors
/// `INTERNAL` if the host name is not valid.
pub(super) fn public(host: &str) -> Result<Url, Error> {
    Url::parse(&format!("https://{host}/"))
        .map_err(|why| Error::new(Kind::Internal, format!("the host {host} {why}")))
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
        ] {
            assert_eq!(sts_host(region, fips, dual_stack), host);
        }
    }

    #[test]
    fn a_region_name_cannot_contain_a_host() {
        for name in ["", "evil.example/", "a.b", "EU", "eu_west", "a@b"] {
            assert!(!is_region(name), "{name}");
        }
        assert!(is_region("eu-west-1"));
    }
}
