//! The syntax of the shared files: sections of keys.
//!
//! A line that starts with `#` or `;` is a comment. A line that is indented deeper than the key
//! before it continues the value of that key. Keys are case-insensitive; a line that is none of these
//! is ignored, as by the AWS CLI.
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

    fn append_line(&mut self, key: &str, line: &str) {
        if let Some(value) = self.0.get_mut(key) {
            value.push('\n');
            value.push_str(line);
        }
    }
}

/// The sections of a file with their names, in the order of the file.
pub(super) fn parse(text: &str) -> Vec<(String, Keys)> {
    let mut sections: Vec<(String, Keys)> = Vec::new();
    // The last key, and its indentation.
    let mut last_key: Option<(String, usize)> = None;
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let continued = last_key.as_ref().filter(|(_, of_key)| indent > *of_key);
        if let (Some((key, _)), Some((_, keys))) = (continued, sections.last_mut()) {
            keys.append_line(key, trimmed);
        } else if let Some(name) = section_name(trimmed) {
            sections.push((name.to_owned(), Keys::default()));
            last_key = None;
        } else if let (Some((key, value)), Some((_, keys))) =
            (key_and_value(trimmed), sections.last_mut())
        {
            let key = key.to_ascii_lowercase();
            keys.0.insert(key.clone(), Zeroizing::new(value.to_owned()));
            last_key = Some((key, indent));
        }
    }
    sections
}

fn section_name(line: &str) -> Option<&str> {
    Some(line.strip_prefix('[')?.split_once(']')?.0.trim())
}

/// The key and the value of a line, without the spaces around them.
pub(super) fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim(), value.trim()))
}

/// A name without the quotation marks around it, as in `[profile "with space"]`.
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
        let sections = parse(&lines.join("\n"));
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
    fn malformed_lines_are_ignored() {
        let sections = parse(
            "; a comment\r\n# another comment\r\nbefore_any_section=1\r\n\
             [profile  one ] # of section\r\n\
             Region = eu-west-1 \r\n  # indented comment\r\nempty =\r\nurl: https://a:1/?b=c\r\n\
             not a key\r\ns3 =\r\n  max = 3\r\n  min = 1\r\nlast = x",
        );
        let [(name, keys)] = &sections[..] else { panic!("{} sections", sections.len()) };
        assert_eq!(name, "profile  one");
        assert_eq!(keys.get("region"), Some("eu-west-1"));
        assert_eq!(keys.get("empty"), None);
        assert_eq!(keys.get("url"), Some("https://a:1/?b=c"));
        assert_eq!(keys.get("s3"), Some("\nmax = 3\nmin = 1"));
        assert_eq!(keys.get("last"), Some("x"));
        assert_eq!(keys.get("before_any_section"), None);
    }
}
