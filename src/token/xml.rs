//! Parses XML from servers. The time to parse some documents grows with the cube of their size, so
//! the elements of the text are counted first.

use roxmltree::Document;

/// The largest number of elements, end tags and comments together.
const MOST_TAGS: usize = 20_000;
/// The deepest nesting of elements.
const DEEPEST: usize = 64;
/// The largest number of namespace declarations.
const MOST_NAMESPACES: usize = 256;
/// The largest number of attributes of one element.
const MOST_ATTRIBUTES: usize = 64;

/// Parses a document; `None` if the text is not well-formed XML or exceeds a limit.
pub fn parse(text: &str) -> Option<Document<'_>> {
    if !is_limited(text) {
        return None;
    }
    Document::parse(text).ok()
}

fn is_limited(text: &str) -> bool {
    let (mut tags, mut depth, mut namespaces) = (0, 0_usize, 0);
    for tag in text.split('<').skip(1) {
        let mut attributes = 0;
        namespaces += tag.matches("xmlns").count();
        tags += 1;
        match tag.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') => {}
            _ => {
                let (count, is_empty) = of_element(tag);
                attributes = count;
                depth += usize::from(!is_empty);
            }
        }
        if tags > MOST_TAGS
            || depth > DEEPEST
            || namespaces > MOST_NAMESPACES
            || attributes > MOST_ATTRIBUTES
        {
            return false;
        }
    }
    true
}

/// The number of attributes of an element, and whether its tag ends with `/>`.
fn of_element(tag: &str) -> (usize, bool) {
    let (mut attributes, mut quote, mut last) = (0, None, 0);
    for byte in tag.bytes() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => {
                quote = Some(byte);
                attributes += 1;
            }
            (None, b'>') => break,
            (None, _) => {}
        }
        last = byte;
    }
    (attributes, last == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_beyond_a_limit_are_refused() {
        let nested = |depth: usize, open: &dyn Fn(usize) -> String| {
            (0..depth).map(open).collect::<String>() + "x" + &"</a>".repeat(depth)
        };
        let namespaces = |index: usize| format!("<a xmlns:n{index}='u{index}'>");
        let attributes =
            |count: usize| (0..count).map(|index| format!(" a{index}='v'")).collect::<String>();
        for (text, is_read) in [
            (nested(DEEPEST, &|_| "<a>".to_owned()), true),
            (nested(DEEPEST + 1, &|_| "<a>".to_owned()), false),
            (nested(DEEPEST, &namespaces), true),
            (nested(1000, &namespaces), false),
            (format!("<r>{}</r>", "<a/>".repeat(1000)), true),
            (format!("<r>{}</r>", "<a/>".repeat(MOST_TAGS)), false),
            (format!("<r{}/>", attributes(MOST_ATTRIBUTES)), true),
            (format!("<r{}/>", attributes(MOST_ATTRIBUTES + 1)), false),
            (format!("<r{}/>", attributes(MOST_ATTRIBUTES + 1).replace('=', " = ")), false),
            (format!("<r>{}</r>", " a='v'".repeat(MOST_ATTRIBUTES + 1)), true),
            (nested(DEEPEST + 1, &|_| "<a b='/>'>".to_owned()), false),
            (format!("<r>{}</r>", "<a b='>'/>".repeat(DEEPEST + 1)), true),
            (format!("<r>{}</r>", "<a xmlns='u'/>".repeat(MOST_NAMESPACES + 1)), false),
            ("<r>".to_owned(), false),
        ] {
            assert_eq!(parse(&text).is_some(), is_read, "{:.80}", text);
        }
    }
}
