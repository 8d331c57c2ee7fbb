//! Signature Version 4, by the AWS crates.

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::error::{Error, Kind};

/// What is to be signed, at this second since 1970, for this region and service.
#[derive(Debug)]
pub(super) struct ToSign<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    pub(super) now: i64,
}

/// The headers to add: `x-amz-date`, `authorization`, and `x-amz-security-token` for temporary
/// credentials. All headers of the request are signed, and `host`.
///
/// # Errors
/// `INTERNAL` where the signer takes the request for none.
pub(super) fn headers(
    request: &ToSign,
    credentials: &Credentials,
) -> Result<Vec<(String, String)>, Error> {
    let defect = || Error::new(Kind::Internal, "the request to AWS cannot be signed");
    let identity: Identity = credentials.clone().into();
    let time = UNIX_EPOCH + Duration::from_secs(request.now.try_into().map_err(|_| defect())?);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(request.region)
        .name(request.service)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| defect())?
        .into();
    let signable = SignableRequest::new(
        request.method,
        request.url,
        request.headers.iter().copied(),
        SignableBody::Bytes(request.body.as_bytes()),
    )
    .map_err(|_| defect())?;
    let (instructions, _) = sign(signable, &params).map_err(|_| defect())?.into_parts();
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Ok(instructions.headers().map(owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_rfc3339;

    /// AWS's public test suite, see tests/vectors/sigv4/README.md.
    #[test]
    #[allow(clippy::disallowed_methods)] // the vectors are files
    fn signatures_are_those_of_the_public_test_suite() {
        let suite = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/sigv4");
        let folders = std::fs::read_dir(suite).unwrap().map(|entry| entry.unwrap().path());
        let folders: Vec<_> = folders.filter(|path| path.is_dir()).collect();
        assert_eq!(folders.len(), 17);
        for folder in folders {
            let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
            let context: serde_json::Value = serde_json::from_str(&read("context.json")).unwrap();
            let text = |name: &str| context[name].as_str().unwrap();
            let key = |name: &str| context["credentials"][name].as_str().map(str::to_owned);
            let credentials = Credentials::new(
                key("access_key_id").unwrap(),
                key("secret_access_key").unwrap(),
                key("token"),
                None,
                "test",
            );
            let request = read("request.txt");
            let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
            let mut lines = head.lines();
            let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
            let target = target.strip_suffix(" HTTP/1.1").unwrap();
            let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
            let request = ToSign {
                method,
                url: &format!("https://example.amazonaws.com{target}"),
                headers: &headers,
                body,
                region: text("region"),
                service: text("service"),
                now: parse_rfc3339(text("timestamp")).unwrap(),
            };
            let signed = super::headers(&request, &credentials).unwrap();
            let authorization = signed.iter().find(|(name, _)| name == "authorization").unwrap();
            let signature = read("header-signature.txt");
            let (_, ours) = authorization.1.rsplit_once("Signature=").unwrap();
            assert_eq!(ours, signature.trim(), "{}", folder.display());
        }
    }
}
