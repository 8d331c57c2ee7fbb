//! Escapes text the way canonical XML does (<https://www.w3.org/TR/xml-c14n>, section 2.3), so that
//! the XML that is sent is also the XML that is signed.

/// Escapes the text of an element.
pub(super) fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}

/// Escapes the value of an attribute in double quotes.
pub(super) fn attribute(value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    value.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped_as_in_canonical_xml() {
        assert_eq!(text("<a href=\"b\">&\r</a>"), "&lt;a href=\"b\"&gt;&amp;&#xD;&lt;/a&gt;");
        assert_eq!(attribute("<\"&\t\n\r>'"), "&lt;&quot;&amp;&#x9;&#xA;&#xD;>'");
    }
}
