//! The parsers of responses from AD FS, for fuzzing.

use super::html_page::Page;
use super::msis;
use super::ws_trust::token_response::{self, Content};

/// Reads a page with a form.
pub(crate) fn form(text: &str) {
    let page = Page::read(text);
    page.input("SAMLResponse");
    page.is_sign_in();
    msis::find(page.text());
    msis::find(text);
}

/// Reads a response of WS-Trust. An assertion must be a part of the text.
pub(crate) fn soap(text: &str) {
    if let Content::Assertion(range) = token_response::read(text) {
        assert!(text.get(range).is_some_and(|assertion| assertion.starts_with('<')));
    }
}
