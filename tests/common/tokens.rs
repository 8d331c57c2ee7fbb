//! Decodes a token for a snapshot.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// A token as a snapshot shows it: a signed request, a SAML document or a JWT is decoded; any other
/// token is unchanged.
pub fn show(token: &str) -> String {
    if let Some(request) = signed_request(token) {
        return format!("is a signed request\n{request}");
    }
    if let Some(document) = saml(token) {
        return format!("is SAML\n  {document}\n");
    }
    match (part(token, 0), claims(token)) {
        (Some(header), Some(claims)) => format!("is a JWT\n  {header}\n  {claims}\n"),
        _ => format!("{token}\n"),
    }
}

/// The XML document in a token.
fn saml(token: &str) -> Option<String> {
    let document = String::from_utf8(STANDARD.decode(token).ok()?).ok()?;
    document.starts_with('<').then_some(document)
}

/// The claims of a JWT.
pub fn claims(token: &str) -> Option<Value> {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Option<Value> {
    let part = token.split('.').nth(index)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The request in a subject token of AWS, a line for each header. The signature and its date change
/// with every run, so they are shown as `{signature}` and `{date}`.
fn signed_request(token: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(token).decode_utf8().ok()?;
    let request: Value = serde_json::from_str(&text).ok()?;
    let mut shown = format!("  {} {}\n", request["method"].as_str()?, request["url"].as_str()?);
    for header in request["headers"].as_array()? {
        let (key, value) = (header["key"].as_str()?, header["value"].as_str()?);
        let value = match key {
            "Authorization" => without_signature(value)?,
            "x-amz-date" => "{date}".to_owned(),
            _ => value.to_owned(),
        };
        shown += &format!("  {key}: {value}\n");
    }
    Some(shown)
}

fn without_signature(value: &str) -> Option<String> {
    let (start, signature) = value.split_once("Signature=")?;
    let mut scope: Vec<_> = start.split('/').collect();
    *scope.get_mut(1).filter(|date| date.len() == 8)? = "{date}";
    (signature.len() == 64).then(|| format!("{}Signature={{signature}}", scope.join("/")))
}
