//! The SOAP faults of AD FS: how to read them, what they mean, and how to fix them.
//! <https://www.w3.org/TR/soap12-part1/#soapfault>,
//! <https://docs.oasis-open.org/ws-sx/ws-trust/v1.3/ws-trust.html> (section 11)

use roxmltree::Node;

use crate::error::{Error, Kind};
use crate::http::{Response, Url};

/// A SOAP fault.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::source::adfs) struct Fault {
    /// The innermost code, without its namespace prefix, such as `InvalidScope`.
    code: String,
    reason: String,
}

impl Fault {
    /// Reads a `Fault` element.
    pub(super) fn read(element: Node) -> Fault {
        let last = |name: &str| {
            let named = |node: &Node| node.tag_name().name() == name;
            let text = element.descendants().rfind(named).and_then(|node| node.text());
            text.unwrap_or_default().trim().to_owned()
        };
        let code = last("Value").rsplit(':').next().unwrap_or_default().to_owned();
        Fault { code, reason: last("Text") }
    }

    /// The error for a `response` from `url` that contains this fault. `clock` is the fix for the
    /// clock of this host, if the clock is wrong.
    pub(super) fn explain(&self, response: &Response, url: &Url, clock: Option<String>) -> Error {
        let (kind, fix) = self.advice();
        let is_of_clock = self.code == "MessageExpired";
        let fix = clock.filter(|_| is_of_clock).unwrap_or_else(|| fix.to_owned());
        let Fault { code, reason } = self;
        Error::new(kind, format!("{url} refused the request"))
            .cause(response.redacted(&format!("{reason} ({code})")))
            .fix(fix)
    }

    fn advice(&self) -> (Kind, &'static str) {
        match self.code.as_str() {
            "InvalidScope" => (
                Kind::Configuration,
                "set --relying-party to exactly one of the identifiers of the relying party trust \
                 (Get-AdfsRelyingPartyTrust)",
            ),
            "FailedAuthentication" => (
                Kind::Denied,
                "check --user and --password, --client-cert, or the account that runs wif-token",
            ),
            "MessageExpired" | "InvalidSecurity" => (
                Kind::Configuration,
                "check the clocks of this host and of AD FS, and check --user or --client-cert",
            ),
            _ => {
                (Kind::Denied, "check the issuance authorization rules of the relying party trust")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_a_code_and_a_reason() {
        let xml = "<s:Fault xmlns:s='http://www.w3.org/2003/05/soap-envelope'>\
             <s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value xmlns:a='urn:a'>a:InvalidScope\
             </s:Value></s:Subcode></s:Code>\
             <s:Reason><s:Text xml:lang='en'>ID3082: not valid</s:Text></s:Reason></s:Fault>";
        let document = roxmltree::Document::parse(xml).unwrap();
        let fault = Fault::read(document.root_element());
        let expected =
            Fault { code: "InvalidScope".to_owned(), reason: "ID3082: not valid".to_owned() };
        assert_eq!(fault, expected);
        assert_eq!(fault.advice().0, Kind::Configuration);
    }
}
