//! Finds the assertion or the fault in the response to a WS-Trust request.

use std::ops::Range;

use super::fault::Fault;
use crate::token::xml;

/// What a response contains.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source::adfs) enum Content {
    /// The position of the assertion in the text. The assertion is signed, so its bytes must not
    /// change.
    Assertion(Range<usize>),
    /// A SOAP fault.
    Fault(Fault),
    /// Neither of the two.
    Other,
}

/// Reads the body of a response.
pub(in crate::source::adfs) fn read(text: &str) -> Content {
    let Some(document) = xml::parse(text) else { return Content::Other };
    let find = |name: &str| document.descendants().find(|node| node.tag_name().name() == name);
    if let Some(fault) = find("Fault") {
        return Content::Fault(Fault::read(fault));
    }
    let token = find("RequestedSecurityToken").and_then(|node| node.first_element_child());
    token.map_or(Content::Other, |token| Content::Assertion(token.range()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assertion_is_returned_unchanged() {
        let assertion = "<A:Assertion  xmlns:A='x' ><A:Issuer>&#233;</A:Issuer>\r\n</A:Assertion>";
        let text = format!(
            "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body>\
             <t:RequestSecurityTokenResponseCollection \
             xmlns:t='http://docs.oasis-open.org/ws-sx/ws-trust/200512'>\
             <t:RequestSecurityTokenResponse><t:RequestedSecurityToken>{assertion}\
             </t:RequestedSecurityToken></t:RequestSecurityTokenResponse>\
             </t:RequestSecurityTokenResponseCollection></s:Body></s:Envelope>"
        );
        let Content::Assertion(range) = read(&text) else { panic!("{:?}", read(&text)) };
        assert_eq!(&text[range], assertion);
    }

    #[test]
    fn other_responses_have_neither_an_assertion_nor_a_fault() {
        assert_eq!(read("<html>"), Content::Other);
        assert_eq!(read("<a/>"), Content::Other);
    }
}
