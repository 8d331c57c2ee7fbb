//! The error messages of AD FS, such as `MSIS3020: …`, which are part of an HTML page or of JSON.

use super::html_page::Page;
use crate::http::Response;

/// The `MSISnnnn: text` in a response, if there is one.
pub(super) fn message(response: &Response) -> Option<String> {
    let mut body = String::from_utf8_lossy(&response.body).into_owned();
    if response.is_html() {
        body = Page::read(&body).text().to_owned();
    }
    let (start, _) = body.match_indices("MSIS").find(|(at, _)| {
        let digits = body.get(at + 4..).unwrap_or_default().split(':').next();
        digits.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })?;
    let text = body.get(start..)?.split(['<', '"', '\r', '\n']).next()?;
    Some(response.redacted(text))
}
