//! A `pkcs11:` URI that names a private key in a token. <https://www.rfc-editor.org/rfc/rfc7512>
//!
//! The path selects the token and the key: attributes joined by `;`, whose values are
//! percent-encoded. The query says how to reach the key: `pin-source` and `module-path`. Attributes
//! of the query that begin with `x-` belong to other programs and are ignored.

use std::path::{Path, PathBuf};

use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::SecretRef;
use crate::redaction::UNRESERVED;
use crate::secret::Secret;

/// The prefix of a URI.
const SCHEME: &str = "pkcs11:";

/// The attributes of the path that select a token.
const OF_TOKEN: [&str; 5] = ["token", "manufacturer", "serial", "model", "slot-id"];

/// The other attributes of the path.
const OF_KEY: [&str; 3] = ["object", "id", "type"];

/// The attributes of the query.
const OF_QUERY: [&str; 2] = ["module-path", "pin-source"];

/// The attributes that are not supported.
const UNSUPPORTED: [&str; 6] = [
    "library-description",
    "library-manufacturer",
    "library-version",
    "module-name",
    "slot-description",
    "slot-manufacturer",
];

/// A `pkcs11:` URI, and the PIN of its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pkcs11Uri {
    text: String,
    /// The attributes that select the token, with their values.
    pub token: Vec<(&'static str, String)>,
    /// `object`: the label of the key.
    pub object: Option<String>,
    /// `id`: the ID of the key.
    pub id: Option<Vec<u8>>,
    /// `module-path`: the library that gives access to the token.
    pub module: Option<PathBuf>,
    /// The PIN of the token.
    pub pin: Option<Pin>,
}

/// Where the PIN of a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// In the file of `pin-source`.
    Source(SecretRef),
    /// In the variable or file of `--pin`.
    Option(SecretRef),
    /// In `user_pin` of a certificate configuration, beside the URI.
    Value(Secret),
}

impl Pkcs11Uri {
    /// Whether a value is such a URI, and not a path.
    pub fn is_one(text: &str) -> bool {
        text.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
    }

    /// Reads a URI.
    ///
    /// # Errors
    /// What is wrong, as the continuation of the name of the option. The text contains no value.
    pub fn parse(text: &str) -> Result<Pkcs11Uri, String> {
        let rest = text.get(SCHEME.len()..).unwrap_or_default();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Pkcs11Uri {
            text: text.to_owned(),
            token: Vec::new(),
            object: None,
            id: None,
            module: None,
            pin: None,
        };
        let mut names = Vec::new();
        let of_path = path.split(';').map(|attribute| (attribute, true));
        let attributes = of_path.chain(query.split('&').map(|attribute| (attribute, false)));
        for (attribute, is_of_path) in attributes.filter(|(attribute, _)| !attribute.is_empty()) {
            let (name, value) = name_and_value(attribute)?;
            if names.contains(&name) && !name.starts_with("x-") {
                return Err("has an attribute twice".to_owned());
            }
            names.push(name);
            if is_of_path { uri.select(name, value)? } else { uri.reach(name, value)? }
        }
        Ok(uri)
    }

    /// Creates the URI of the key `label` in a slot of a module. `slot` is the ID of the slot in
    /// hexadecimal digits.
    ///
    /// # Errors
    /// What is wrong, as for [`Pkcs11Uri::parse`].
    pub fn in_slot(module: &str, slot: &str, label: &str) -> Result<Pkcs11Uri, String> {
        let digits = slot.trim_start_matches("0x");
        let slot = u64::from_str_radix(digits, 16)
            .map_err(|_| "must have hexadecimal digits in slot".to_owned())?;
        let encoded = |text| utf8_percent_encode(text, UNRESERVED);
        let (label, module) = (encoded(label), encoded(module));
        Pkcs11Uri::parse(&format!("pkcs11:slot-id={slot};object={label}?module-path={module}"))
    }

    /// Reads an attribute of the path.
    fn select(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        if name == "id" {
            self.id = Some(value);
            return Ok(());
        }
        let value = as_text(name, value)?;
        match (name, OF_TOKEN.into_iter().find(|known| *known == name)) {
            ("object", _) => self.object = Some(value),
            ("type", _) if value == "private" => {}
            ("type", _) => return Err("must name a private key: use type=private".to_owned()),
            (_, Some(known @ "slot-id")) => {
                let number = value.parse::<u64>();
                let number = number.map_err(|_| "must have a decimal number in slot-id")?;
                self.token.push((known, number.to_string()));
            }
            (_, Some(known)) => self.token.push((known, value)),
            // An unknown attribute might select another token, so it cannot be ignored.
            (_, None) => return Err(unsupported(name)),
        }
        Ok(())
    }

    /// Reads an attribute of the query.
    fn reach(&mut self, name: &str, value: Vec<u8>) -> Result<(), String> {
        let value = as_text(name, value)?;
        let absolute = |value: &str| match Path::new(value).is_absolute() {
            true => Ok(PathBuf::from(value)),
            false => Err(format!("must have an absolute path in {name}")),
        };
        match name {
            "module-path" => self.module = Some(absolute(&value)?),
            "pin-source" if value.starts_with('|') => {
                return Err("must not name a command in pin-source: use a file".to_owned());
            }
            "pin-source" => {
                let path = value.strip_prefix("file:").unwrap_or(&value);
                // The host of a file URI is empty or localhost (RFC 8089, section 2).
                let after_host = ["//localhost", "//"].iter().find_map(|it| path.strip_prefix(it));
                let path = absolute(after_host.unwrap_or(path))?;
                self.pin = Some(Pin::Source(SecretRef::File(path)));
            }
            _ if name.starts_with("x-") => {}
            _ => return Err(unsupported(name)),
        }
        Ok(())
    }
}

impl std::fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Says why an attribute is not supported. The name is repeated only if RFC 7512 defines it,
/// because any other name may be a part of a secret.
fn unsupported(name: &str) -> String {
    match name {
        "pin-value" => "must not contain a PIN (pin-value), which other users could read in the \
                        process list"
            .to_owned(),
        _ if UNSUPPORTED.contains(&name) => {
            format!("must not have the attribute {name}, which is not supported")
        }
        _ if OF_QUERY.contains(&name) => format!("must have {name} after a question mark"),
        _ if OF_TOKEN.contains(&name) || OF_KEY.contains(&name) => {
            format!("must have {name} before the question mark")
        }
        _ => "has an attribute that is not defined in RFC 7512".to_owned(),
    }
}

fn name_and_value(attribute: &str) -> Result<(&str, Vec<u8>), String> {
    match attribute.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name, percent_decode_str(value).collect())),
        _ => Err("must consist of attributes with values, such as pkcs11:token=A;object=B".into()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn as_text(name: &str, value: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(value).ok();
    text.filter(|text| !text.is_empty() && !text.contains(char::is_control))
        .ok_or_else(|| format!("must have text as the value of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_of_a_uri_are_decoded() {
        let uri = Pkcs11Uri::parse(
            "pkcs11:model=SoftHSM%20v2;token=my%3Btoken;id=%00%ff;object=k;type=private\
             ?pin-source=file:///etc/pin&module-path=/usr/lib/m.so&x-other=1",
        )
        .unwrap();
        let token = [("model", "SoftHSM v2".to_owned()), ("token", "my;token".to_owned())];
        assert_eq!(uri.token, token);
        assert_eq!((uri.object.as_deref(), uri.id), (Some("k"), Some(vec![0, 255])));
        assert_eq!(uri.pin, Some(Pin::Source(SecretRef::File("/etc/pin".into()))));
        assert_eq!(uri.module, Some("/usr/lib/m.so".into()));
        for source in ["/etc/pin", "file:/etc/pin", "file:%2Fetc%2Fpin", "file://localhost/etc/pin"]
        {
            let uri = Pkcs11Uri::parse(&format!("PKCS11:?pin-source={source}")).unwrap();
            assert_eq!(uri.pin, Some(Pin::Source(SecretRef::File("/etc/pin".into()))), "{source}");
        }
    }

    #[test]
    fn unsupported_uris_are_refused_and_not_echoed() {
        for (text, why) in [
            ("pkcs11:hunter2", "such as"),
            ("pkcs11:token", "such as"),
            ("pkcs11:token=", "text as the value of token"),
            ("pkcs11:token=%ff", "text as the value of token"),
            ("pkcs11:object=a%0ab", "text as the value of object"),
            ("pkcs11:type=cert", "a private key"),
            ("pkcs11:slot-id=0x3", "a decimal number in slot-id"),
            ("pkcs11:?pin-source=file://hunter2/etc/pin", "absolute"),
            ("pkcs11:library-version=3", "library-version"),
            ("pkcs11:hunter2=3", "RFC 7512"),
            ("pkcs11:object=a;pin-source=/hunter2", "pin-source after a question mark"),
            ("pkcs11:?module-path=/m.so&token=hunter2", "token before the question mark"),
            ("pkcs11:?module-path=/m.so&id=hunter2", "id before the question mark"),
            ("pkcs11:?pin-value=hunter2", "must not contain a PIN"),
            ("pkcs11:pin-value=hunter2", "must not contain a PIN"),
            ("pkcs11:?pin-source=|/bin/hunter2", "command"),
            ("pkcs11:?pin-source=hunter2", "absolute"),
            ("pkcs11:?module-path=m.so", "absolute"),
            ("pkcs11:?module-name=m", "module-name"),
            ("pkcs11:object=a;object=hunter2", "twice"),
            ("pkcs11:token=a;object=b;token=hunter2", "twice"),
            ("pkcs11:?pin-source=/a&pin-source=/hunter2", "twice"),
        ] {
            let error = Pkcs11Uri::parse(text).unwrap_err();
            assert!(error.contains(why) && !error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn a_path_is_not_a_uri() {
        assert!(Pkcs11Uri::is_one("pkcs11:") && Pkcs11Uri::is_one("PKCS11:token=a"));
        assert!(!Pkcs11Uri::is_one("./pkcs11:") && !Pkcs11Uri::is_one("key.pem"));
    }
}
