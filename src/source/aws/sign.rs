//! Signature Version 4 of AWS requests, computed by the AWS crates.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::error::Error;

/// A request to sign.
#[derive(Debug)]
pub(super) struct SigningRequest<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// The date of the signature, in seconds since 1970-01-01 UTC.
    pub(super) now: i64,
}

/// The headers to add to the request: `x-amz-date`, `authorization`, and `x-amz-security-token` for
/// temporary credentials. The signature covers all headers of the request, and `host`.
///
/// # Errors
/// `INTERNAL` if the AWS crates refuse the request.
pub(super) fn headers(
    request: &SigningRequest,
    credentials: &Credentials,
) -> Result<Vec<(String, String)>, Error> {
    let defect = || Error::bug("cannot sign the request to AWS");
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

    /// The public test suite of AWS: see tests/vectors/sigv4/README.md.
    #[test]
    #[allow(clippy::disallowed_methods)] // the test vectors are files
    fn signatures_match_the_public_test_suite() {
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
            let request = SigningRequest {
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
            let (_, actual) = authorization.1.rsplit_once("Signature=").unwrap();
            assert_eq!(actual, signature.trim(), "{}", folder.display());
        }
    }
}
