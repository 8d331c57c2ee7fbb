//! Verifies one signed AWS request in JSON on stdin, with `scratchstack-aws-signature`.
//!
//! ```json
//! {"request": {"url": "https://…", "method": "POST", "headers": [{"key": "…", "value": "…"}]}, "body": "",
//!  "region": "us-east-1", "must_be_signed": ["host"], "key": {"id": "…", "secret": "…", "token": null}}
//! ``` `request` has the form of Google's AWS subject token. The program prints `accepted`, or
//! `refused: …` with exit status 1. It knows one access key and its session token, and refuses all
//! others, as a real service does.

use chrono::Utc;
use http::Request;
use scratchstack_aws_signature::principal::{Principal, User};
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, SignatureOptions, VecSignedHeaderRequirements,
    sigv4_validate_request,
};
use serde_json::Value;
use std::future::ready;
use std::str::FromStr;
use tower::{BoxError, service_fn};

const SERVICE: &str = "sts";

fn main() {
    let given: Value = serde_json::from_reader(std::io::stdin()).expect("JSON on stdin");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match runtime.block_on(verify(given)) {
        Ok(()) => println!("accepted"),
        Err(error) => {
            println!("refused: {error}");
            std::process::exit(1);
        }
    }
}

/// Verifies the signature, that the date is within 15 minutes, the scope, and that the named
/// headers are signed.
async fn verify(given: Value) -> Result<(), BoxError> {
    let known = given["key"].clone();
    let mut signing_key = service_fn(move |request: GetSigningKeyRequest| ready(find(&request, &known)));
    let names: Vec<&str> = given["must_be_signed"].as_array().into_iter().flatten().map(text).collect();
    let required = VecSignedHeaderRequirements::new::<str, str, str>(&names, &[], &["x-amz-"]);
    let region = text(&given["region"]);
    let request = request(&given["request"], text(&given["body"]))?;
    let options = SignatureOptions::default();
    sigv4_validate_request(request, region, SERVICE, &mut signing_key, Utc::now(), &required, options).await?;
    Ok(())
}

/// The request as the service would receive it.
fn request(found: &Value, body: &str) -> Result<Request<Vec<u8>>, BoxError> {
    let mut request = Request::builder().method(text(&found["method"])).uri(text(&found["url"]));
    for header in found["headers"].as_array().into_iter().flatten() {
        request = request.header(text(&header["key"]), text(&header["value"]));
    }
    Ok(request.body(body.as_bytes().to_vec())?)
}

/// The signing key of the only access key.
fn find(request: &GetSigningKeyRequest, known: &Value) -> Result<GetSigningKeyResponse, BoxError> {
    if request.access_key() != text(&known["id"]) {
        return Err("unknown access key".into());
    }
    if request.session_token() != known["token"].as_str() {
        return Err("the session token does not go with the access key".into());
    }
    let secret: KSecretKey = KSecretKey::from_str(text(&known["secret"]))?;
    let signing_key = secret.to_ksigning(request.request_date(), request.region(), request.service());
    let user = User::new("aws", "123456789012", "/", "user")?;
    Ok(GetSigningKeyResponse::builder().principal(Principal::from(user)).signing_key(signing_key).build()?)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
