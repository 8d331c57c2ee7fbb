//! Text in XML, escaped as canonical XML writes it (<https://www.w3.org/TR/xml-c14n>, 2.3), so that
//! what is signed is what is sent.

/// Text between tags.
pub(super) fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}

/// The value of an attribute in double quotes.
pub(super) fn attribute(value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    value.replace('\t', "&#x9;").replace('\n', "&#xA;").replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_canonical_xml_escapes() {
        assert_eq!(text("<a href=\"b\">&\r</a>"), "&lt;a href=\"b\"&gt;&amp;&#xD;&lt;/a&gt;");
        assert_eq!(attribute("<\"&\t\n\r>'"), "&lt;&quot;&amp;&#x9;&#xA;&#xD;>'");
    }
}
