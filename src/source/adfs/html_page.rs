//! Reads the input fields of an HTML page, and detects sign-in pages.

use std::convert::Infallible;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, Error, ForwardingEmitter, Span, State, Tokenizer, naive_next_state};

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
        let mut reader = Reader::default();
        let Ok(()) =
            Tokenizer::new_with_emitter(html, Quiet(CallbackEmitter::new(&mut reader))).finish();
        reader.page
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

/// The part of a page that has been read.
#[derive(Default)]
struct Reader {
    page: Page,
    is_input: bool,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// How the content of the open element is read, if it is not HTML.
    content: Option<State>,
}

impl Callback<Infallible, ()> for &mut Reader {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<Infallible> {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.is_input = name == b"input";
                self.attributes.clear();
                // No scripts run, so the content of noscript is HTML.
                self.content = naive_next_state(name).filter(|_| name != b"noscript");
            }
            CallbackEvent::AttributeName { name } => {
                self.attributes.push((name.to_vec(), Vec::new()))
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, last)) = self.attributes.last_mut() {
                    last.extend(value);
                }
            }
            CallbackEvent::CloseStartTag { .. } if self.is_input => self.add_input(),
            CallbackEvent::String { value } => {
                self.page.text.push_str(&String::from_utf8_lossy(value));
                self.page.text.push('\n');
            }
            _ => {}
        }
        None
    }
}

impl Reader {
    fn add_input(&mut self) {
        let attribute = |name: &[u8]| {
            let (_, value) = self.attributes.iter().find(|(found, _)| found == name)?;
            String::from_utf8(value.clone()).ok()
        };
        let kind = attribute(b"type").unwrap_or_default();
        self.page.has_password |= kind.eq_ignore_ascii_case("password");
        if let Some(name) = attribute(b"name") {
            let value = attribute(b"value").unwrap_or_default();
            self.page.inputs.push((name, value));
        }
    }
}

/// Passes all events except errors to a [`Reader`]. The program is smaller without the code for
/// errors.
struct Quiet<'a>(CallbackEmitter<&'a mut Reader, Infallible>);

impl ForwardingEmitter for Quiet<'_> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.0
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_error(&mut self, _: Error) {}

    fn emit_current_tag(&mut self) -> Option<State> {
        let _ = self.0.emit_current_tag();
        self.0.callback_mut().content.take()
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
    fn comments_titles_and_scripts_do_not_contain_fields() {
        for other in
            ["<!--{}-->", "<title>{}</title>", "<script>'{}'</script>", "<style>{}</style>"]
        {
            let field = "<input name=SAMLResponse value=x>";
            assert_eq!(
                Page::read(&other.replace("{}", field)).input("SAMLResponse"),
                None,
                "{other}"
            );
            let page = Page::read(&(other.replace("{}", "if (a<b) x = '\"'") + field));
            assert_eq!(page.input("SAMLResponse"), Some("x"), "{other}");
        }
        let page = Page::read("<noscript><input name=a value=b>");
        assert_eq!(page.input("a"), Some("b"));
    }

    #[test]
    fn the_first_of_several_equal_attributes_is_used() {
        let page =
            Page::read("<input name=a value=b value=c NAME=d><p name=e><input disabled name=f>");
        assert_eq!(page.inputs, [("a".into(), "b".into()), ("f".into(), String::new())]);
    }

    #[test]
    fn a_page_with_a_password_field_is_a_sign_in_page() {
        assert!(Page::read("<form><input name=u><input type=Password name=p></form>").is_sign_in());
    }
}
