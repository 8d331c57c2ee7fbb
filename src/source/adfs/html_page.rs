//! Reads the input fields of an HTML page, and detects sign-in pages.

use html5gum::{Token, Tokenizer};

/// The contents of an HTML page.
#[derive(Debug, Default)]
pub(super) struct Page {
    inputs: Vec<(String, String)>,
    has_password: bool,
    text: String,
}

impl Page {
    /// Reads a page. Malformed HTML is not an error.
    pub(super) fn read(html: &str) -> Page {
        let mut page = Page::default();
        for Ok(token) in Tokenizer::new(html) {
            if let Token::String(text) = &token {
                page.text.push_str(&String::from_utf8_lossy(text));
                page.text.push('\n');
            }
            let Token::StartTag(tag) = token else { continue };
            if *tag.name != *b"input" {
                continue;
            }
            let attribute = |name: &[u8]| {
                let value = tag.attributes.get(name)?;
                String::from_utf8(value.to_vec()).ok()
            };
            let kind = attribute(b"type").unwrap_or_default();
            page.has_password |= kind.eq_ignore_ascii_case("password");
            if let Some(name) = attribute(b"name") {
                page.inputs.push((name, attribute(b"value").unwrap_or_default()));
            }
        }
        page
    }

    /// The value of the input field with this name, with its entities decoded.
    pub(super) fn input(&self, name: &str) -> Option<&str> {
        self.inputs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The text of the page without its markup. Each text node starts on a new line.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether the page has a password field.
    pub(super) fn is_sign_in(&self) -> bool {
        self.has_password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_in_field_values_are_decoded() {
        let page = Page::read(
            "<!DOCTYPE html><form method=POST action='https://a/'>\
             <INPUT TYPE=hidden NAME=\"SAMLResponse\" VALUE='PD94&#43;bWw&#x2f;&amp;='/>\
             <input type=\"hidden\" name=\"RelayState\">",
        );
        assert_eq!(page.input("SAMLResponse"), Some("PD94+bWw/&="));
        assert_eq!(page.input("RelayState"), Some(""));
        assert_eq!(page.input("other"), None);
        assert!(!page.is_sign_in());
    }

    #[test]
    fn comments_and_titles_do_not_contain_fields() {
        let page = Page::read("<!-- <input name=SAMLResponse value=x> --><title><input name=a>");
        assert_eq!(page.input("SAMLResponse"), None);
    }

    #[test]
    fn a_page_with_a_password_field_is_a_sign_in_page() {
        assert!(Page::read("<form><input name=u><input type=Password name=p></form>").is_sign_in());
    }
}
