//! The syntax of the shared files: sections of keys.
//!
//! A line that starts with `#` or `;` is a comment. A line that is indented deeper than the key
//! before it continues the value of that key. Keys are case-insensitive. Any other line is an
//! error, as in the AWS CLI. Otherwise, the keys of a section whose header has no closing bracket
//! would be added to the section before it.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::collections::BTreeMap;

use zeroize::Zeroizing;

/// The keys of a section, in lower case, with their values.
#[derive(Default)]
pub(in crate::source::aws) struct Keys(pub(super) BTreeMap<String, Zeroizing<String>>);

impl Keys {
    /// The value of a key, if the section sets it and the value is not empty.
    pub(in crate::source::aws) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Appends a line to the value of a key. Returns false if the other lines of the value are
    /// nested keys and this line is not one.
    fn append_line(&mut self, key: &str, line: &str) -> bool {
        let Some(value) = self.0.get_mut(key) else { return false };
        let is_nested = value.is_empty() || value.starts_with('\n');
        value.push('\n');
        value.push_str(line);
        !is_nested || line.contains('=')
    }
}

/// Parses the sections of a file with their names, in the order of the file. Sections with the same
/// name are merged.
///
/// # Errors
/// Which line is malformed.
pub(super) fn parse(text: &str) -> Result<Vec<(String, Keys)>, String> {
    let mut sections: Vec<(String, Keys)> = Vec::new();
    // The index of each section by its name, and the index of the current section.
    let (mut places, mut current) = (BTreeMap::new(), None);
    // The last key, and its indentation.
    let mut last_key: Option<(String, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let continued = last_key.as_ref().filter(|(_, of_key)| indent > *of_key);
        let section = current.and_then(|index: usize| sections.get_mut(index));
        match (continued, section_name(trimmed), key_and_value(trimmed), section) {
            (Some((key, _)), .., Some((_, keys))) => {
                if !keys.append_line(key, trimmed) {
                    return Err(format!("line {} is not a nested KEY = VALUE", number + 1));
                }
            }
            (_, Some(name), ..) => {
                let place = *places.entry(name.to_owned()).or_insert(sections.len());
                if place == sections.len() {
                    sections.push((name.to_owned(), Keys::default()));
                }
                current = Some(place);
                last_key = None;
            }
            (_, None, Some((key, value)), Some((_, keys))) if !key.is_empty() => {
                let key = key.to_ascii_lowercase();
                keys.0.insert(key.clone(), Zeroizing::new(value.to_owned()));
                last_key = Some((key, indent));
            }
            (.., None) => return Err(format!("line {} is not in a section", number + 1)),
            _ => return Err(format!("line {} is neither a [section] nor KEY = VALUE", number + 1)),
        }
    }
    Ok(sections)
}

fn section_name(line: &str) -> Option<&str> {
    let name = line.strip_prefix('[')?.split_once(']')?.0.trim();
    (!name.is_empty()).then_some(name)
}

/// The key and the value of a line, without the spaces around them.
pub(super) fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

/// Removes the quotation marks around a name, as in `[profile "with space"]`.
pub(super) fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inside = |quote| name.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_deeper_lines_continue_a_value() {
        let lines = [
            "[a]",
            "    region = eu-west-1",
            "    s3 =",
            "        max = 3",
            "      min = 1",
            "    key = x",
            "  shallower = y",
            "   [b]",
            "  [c]",
            "\tz = 1",
        ];
        let sections = parse(&lines.join("\n")).unwrap();
        let names: Vec<&str> = sections.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "c"], "[b] is deeper than the key before it");
        let keys = &sections[0].1;
        assert_eq!(keys.get("region"), Some("eu-west-1"));
        assert_eq!(keys.get("s3"), Some("\nmax = 3\nmin = 1"));
        assert_eq!(keys.get("key"), Some("x"));
        assert_eq!(keys.get("shallower"), Some("y\n[b]"));
        assert_eq!(sections[1].1.get("z"), Some("1"));
    }

    #[test]
    fn comments_spaces_and_repeated_sections_are_allowed() {
        let sections = parse(
            "; a comment\r\n# another comment\r\n[profile  one ] # of section\r\n\
             Region = eu-west-1 \r\n  # indented comment\r\nempty =\r\nurl: https://a:1/?b=c\r\n\
             s3 =\r\n  max = 3\r\n  min = 1\r\npager = a\r\n  b\r\n[two]\r\n[profile  one]\r\nlast = x",
        );
        let sections = sections.unwrap();
        let [(name, keys), (other, _)] = &sections[..] else { panic!("{}", sections.len()) };
        assert_eq!((name.as_str(), other.as_str()), ("profile  one", "two"));
        assert_eq!(keys.get("region"), Some("eu-west-1"));
        assert_eq!(keys.get("empty"), None);
        assert_eq!(keys.get("url"), Some("https://a:1/?b=c"));
        assert_eq!(keys.get("s3"), Some("\nmax = 3\nmin = 1"));
        assert_eq!(keys.get("pager"), Some("a\nb"));
        assert_eq!(keys.get("last"), Some("x"));
    }

    #[test]
    fn a_malformed_line_is_an_error_with_its_number() {
        let refused = |text| parse(text).err();
        let malformed = |line| Some(format!("line {line} is neither a [section] nor KEY = VALUE"));
        assert_eq!(refused("[a]\nx = hunter2\n\n[b\nx = y\n"), malformed(4));
        assert_eq!(refused("[a]\nrole_arn hunter2\n"), malformed(2));
        assert_eq!(refused("[a]\n= hunter2\n"), malformed(2));
        assert_eq!(refused("[a]\n[]\n"), malformed(2));
        let nested = refused("[a]\ns3 =\n  x = y\n  hunter2\n");
        assert_eq!(nested, Some("line 4 is not a nested KEY = VALUE".to_owned()));
        for text in ["x = hunter2\n[a]\n", "hunter2"] {
            assert_eq!(refused(text), Some("line 1 is not in a section".to_owned()));
        }
    }
}
