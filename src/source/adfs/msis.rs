//! The error messages of AD FS, such as `MSIS3020: …`, which are part of an HTML page or of JSON.

use super::html_page::Page;
use crate::http::Response;

/// The `MSISnnnn: text` in a response, if there is one.
pub(super) fn message(response: &Response) -> Option<String> {
    let mut body = String::from_utf8_lossy(&response.body).into_owned();
    if response.is_html() {
        body = Page::read(&body).text().to_owned();
    }
    find(&body).map(|text| response.redacted(text))
}

/// The first message in a text.
pub(super) fn find(body: &str) -> Option<&str> {
    let (start, _) = body.match_indices("MSIS").find(|(at, _)| {
        let rest = body.get(at + 4..).unwrap_or_default();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        after.len() < rest.len() && after.starts_with(':')
    })?;
    body.get(start..)?.split(['<', '"', '\r', '\n']).next()
}

/// The numbers of messages, and the fix for each.
const FIXES: [(&[u32], &str); 6] = [
    (
        &[5007],
        "ask an administrator of AD FS to allow the account in the access control policy of the \
         relying party trust (Get-AdfsRelyingPartyTrust shows its name)",
    ),
    (
        &[7007],
        "set --relying-party to exactly one of the identifiers of the relying party trust \
         (Get-AdfsRelyingPartyTrust)",
    ),
    (
        &[3200],
        "set --acs-url to an assertion consumer endpoint of the relying party trust \
         (Get-AdfsRelyingPartyTrust)",
    ),
    (
        &[37, 38],
        "add the certificate of --signing-key or --signing-certificate to the \
         RequestSigningCertificate list of the relying party trust (Get-AdfsRelyingPartyTrust shows \
         the list, and Set-AdfsRelyingPartyTrust replaces it)",
    ),
    (&[9223], "set --client-id to the identifier of a client (Get-AdfsServerApplication)"),
    (
        &[9602],
        "set --relying-party to exactly one of the identifiers of the Web API \
         (Get-AdfsWebApiApplication)",
    ),
];

/// The fix for a message, if its number is known.
pub(super) fn fix(message: &str) -> Option<&'static str> {
    let digits = message.strip_prefix("MSIS")?.split(':').next()?;
    let number: u32 = digits.parse().ok()?;
    FIXES.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, fix)| *fix)
}
