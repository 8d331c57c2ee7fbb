//! The content of a response from AWS STS: XML, or JSON with members of the same names.

use serde_json::Value;

use crate::error::{Error, Kind};
use crate::secret::Secret;
use crate::token::xml;

/// The fix for a response that is not from AWS STS.
pub(super) const CHECK_ENDPOINT: &str =
    "check --sts-endpoint, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL and endpoint_url in the profile";

/// The text elements or members of a response, by name.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Secret)>);

impl Fields {
    /// Reads XML or JSON; `None` for any other text.
    pub(super) fn parse(body: &[u8]) -> Option<Fields> {
        if body.trim_ascii_start().starts_with(b"{") {
            let mut fields = Vec::new();
            add_members("", &serde_json::from_slice(body).ok()?, &mut fields);
            return Some(Fields(fields));
        }
        let text = str::from_utf8(body).ok()?;
        let document = xml::parse(text)?;
        let elements =
            document.descendants().filter(|node| node.is_element() && node.text().is_some());
        let field = |node: roxmltree::Node| {
            (node.tag_name().name().to_owned(), Secret::new(node.text().unwrap_or_default().trim()))
        };
        Some(Fields(elements.map(field).collect()))
    }

    /// The text of the first element with this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, text)| text.expose())
    }

    /// The text of the first element with this name, in the response to `action`.
    ///
    /// # Errors
    /// `PROTOCOL` if the element is missing or empty.
    pub(super) fn required(&self, name: &str, action: &str) -> Result<&str, Error> {
        self.get(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            let what = format!("the response from AWS STS to {action} has no {name}");
            Error::new(Kind::Protocol, what).fix(CHECK_ENDPOINT)
        })
    }
}

/// Adds the strings and numbers in a JSON value to `fields`, with the names of their members.
fn add_members(name: &str, value: &Value, fields: &mut Vec<(String, Secret)>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| add_members(name, value, fields));
        }
        Value::Array(values) => values.iter().for_each(|value| add_members(name, value, fields)),
        Value::String(text) => fields.push((name.to_owned(), Secret::new(text.trim()))),
        Value::Number(number) => fields.push((name.to_owned(), Secret::new(number.to_string()))),
        Value::Null | Value::Bool(_) => {}
    }
}
