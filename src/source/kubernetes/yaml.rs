//! Reads the subset of YAML that a kubeconfig needs into JSON values.
//!
//! A few lines with aliases can expand to gigabytes. Therefore, the values that an alias repeats
//! count towards the limit of values. Deep nesting is refused too. Plain scalars become null,
//! booleans and integers; every other scalar becomes a string. The key `<<` merges mappings, as in
//! kubectl (<https://yaml.org/type/merge.html>). Messages contain the number of a line but never
//! its content, which may be a secret.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// The maximum depth of nested collections.
const MAX_DEPTH: usize = 32;

/// The largest number of scalars and collections.
const MAX_NODES: usize = 20_000;

const TOO_DEEP: &str = "is nested too deeply";

/// How many bytes of a string with an anchor count as one more value.
const BYTES_OF_NODE: usize = 64;

/// A collection that has not ended yet.
enum Open {
    List(Vec<Value>),
    /// The members, and the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

/// The state of a document that is being read.
#[derive(Default)]
struct Reader {
    /// The collections that have not ended, each with its anchor.
    open: Vec<(Open, usize)>,
    /// The values with an anchor.
    anchors: BTreeMap<usize, Value>,
    /// How many values there are, including those that aliases repeat.
    nodes: usize,
    document: Value,
}

/// Reads the first document of a text. The result is null if there is none.
///
/// # Errors
/// Why the text is refused, with the number of the line.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| format!("line {} is not valid YAML", error.marker().line()))?;
        if event == Event::DocumentEnd {
            break;
        }
        reader.read(event).map_err(|why| format!("line {} {why}", span.start.line()))?;
    }
    Ok(reader.document)
}

impl Reader {
    fn read(&mut self, event: Event) -> Result<(), &'static str> {
        self.count(1)?;
        match event {
            Event::Scalar(text, style, anchor, _) => self.end(scalar(&text, style), anchor),
            Event::SequenceStart(anchor, _) => self.start(Open::List(Vec::new()), anchor),
            Event::MappingStart(anchor, _) => self.start(Open::Map(Map::new(), None), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((Open::List(items), anchor)) => self.end(Value::Array(items), anchor),
                Some((Open::Map(members, _), anchor)) => self.end(Value::Object(members), anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or("has an alias to a value that has not ended")?;
                let (size, depth) = measure(&value);
                self.count(size)?;
                match self.open.len() + depth > MAX_DEPTH {
                    true => Err(TOO_DEEP),
                    false => self.end(value, 0),
                }
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), &'static str> {
        self.nodes += nodes;
        match self.nodes > MAX_NODES {
            true => Err("exceeds the limit of 20000 values"),
            false => Ok(()),
        }
    }

    fn start(&mut self, collection: Open, anchor: usize) -> Result<(), &'static str> {
        if self.open.len() == MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.open.push((collection, anchor));
        Ok(())
    }

    /// Adds a value that has ended to the collection around it.
    fn end(&mut self, value: Value, anchor: usize) -> Result<(), &'static str> {
        if anchor > 0 {
            self.count(measure(&value).0)?;
            self.anchors.insert(anchor, value.clone());
        }
        match (self.open.last_mut(), value) {
            (None, value) => self.document = value,
            (Some((Open::List(items), _)), value) => items.push(value),
            (Some((Open::Map(members, key), _)), value) => match (key.take(), value) {
                (Some(key), value) if key == "<<" => merge(members, value),
                (Some(key), value) => drop(members.insert(key, value)),
                (None, Value::String(name)) => *key = Some(name),
                (None, Value::Array(_) | Value::Object(_)) => {
                    return Err("has a key that is not a scalar");
                }
                (None, other) => *key = Some(other.to_string()),
            },
        }
        Ok(())
    }
}

/// The number of values that a value contains, and the nesting depth of its collections.
fn measure(value: &Value) -> (usize, usize) {
    let of_parts = |parts: &mut dyn Iterator<Item = &Value>| {
        parts
            .map(measure)
            .fold((1, 1), |(size, depth), part| (size + part.0, depth.max(part.1 + 1)))
    };
    match value {
        Value::Array(items) => of_parts(&mut items.iter()),
        Value::Object(members) => of_parts(&mut members.values()),
        Value::String(text) => (1 + text.len() / BYTES_OF_NODE, 0),
        _ => (1, 0),
    }
}

/// Adds the members of a mapping, or of each mapping in a list, unless `members` already contains
/// the key.
fn merge(members: &mut Map<String, Value>, value: Value) {
    match value {
        Value::Object(more) => {
            for (key, value) in more {
                members.entry(key).or_insert(value);
            }
        }
        Value::Array(items) => items.into_iter().for_each(|item| merge(members, item)),
        _ => {}
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    let number = || text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    match text {
        _ if style != ScalarStyle::Plain => Value::from(text),
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number().map_or_else(|| Value::from(text), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_yaml_of_a_kubeconfig() {
        let text = "# comment\na: &x text\n'b': [1, \"2\", 03, ~]\nc:\n- name: n\n  token: |\n    l1\n    l2\n\
                    d: {e: true, f: no}\ng:\n1: h\n---\nsecond: document\n";
        let read = read(text).unwrap();
        let expected = json!({
            "a": "text",
            "b": [1, "2", "03", null],
            "c": [{"name": "n", "token": "l1\nl2\n"}],
            "d": {"e": true, "f": "no"},
            "g": null,
            "1": "h",
        });
        assert_eq!(read, expected);
        assert_eq!(super::read(r#"{"json":	["too"]}"#).unwrap(), json!({"json": ["too"]}));
        assert_eq!(super::read("").unwrap(), Value::Null);
        assert_eq!(super::read("# nothing\n").unwrap(), Value::Null);
    }

    #[test]
    fn aliases_repeat_values_and_merge_mappings() {
        let text = "a: &a {x: 1, y: [2]}\nb: *a\nc: {y: 3, <<: *a, z: &s s}\n\
                    d: {<<: [{x: *s}, *a]}\n";
        let a = json!({"x": 1, "y": [2]});
        let merged = [json!({"y": 3, "x": 1, "z": "s"}), json!({"x": "s", "y": [2]})];
        assert_eq!(read(text), Ok(json!({"a": a, "b": a, "c": merged[0], "d": merged[1]})));
    }

    #[test]
    fn aliases_cannot_repeat_without_limit() {
        let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
            format!("{text}a{}: &a{} [*a{n}, *a{n}]\n", n + 1, n + 1)
        });
        let large = format!("a: &a {}\nb: [*a, *a, *a]\n", "x".repeat(900_000));
        let deep = (0..40).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            format!("{text}a{}: &a{} [*a{n}]\n", n + 1, n + 1)
        });
        assert_eq!(read(&deep).unwrap_err(), "line 32 is nested too deeply");
        for text in [bomb, large] {
            assert!(read(&text).unwrap_err().contains("the limit of 20000 values"));
        }
    }

    #[test]
    fn errors_contain_the_line_number_but_not_the_content() {
        for (text, why) in [
            ("a: b\nhunter2: 'open", "line 2 is not valid YAML"),
            ("a: b\n c: d\n", "line 2 is not valid YAML"),
            ("a: &x [hunter2, *x]\n", "line 1 has an alias to a value that has not ended"),
            ("a: 1\n? [hunter2]\n: x\n", "line 2 has a key that is not a scalar"),
            (&"[".repeat(33), "line 1 is nested too deeply"),
            (&"[".repeat(1_000_000), "line 1 is not valid YAML"),
            (&"- x\n".repeat(20_000), "line 19998 exceeds the limit of 20000 values"),
            (&"- ".repeat(500_000), "line 1 is nested too deeply"),
        ] {
            assert_eq!(read(text).unwrap_err(), why);
        }
    }
}
