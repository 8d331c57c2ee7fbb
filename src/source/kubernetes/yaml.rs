//! Reads the subset of YAML that a kubeconfig needs into JSON values.
//!
//! Aliases are refused, because a few lines with aliases can expand to gigabytes. Deep nesting is
//! refused too. Plain scalars become null, booleans and integers; every other scalar becomes a
//! string. Messages contain the number of a line but never its content, which may be a secret.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// The maximum depth of nested collections.
const MAX_DEPTH: usize = 32;

/// The largest number of scalars and collections.
const MAX_NODES: usize = 20_000;

/// A collection that has not ended yet.
enum Open {
    List(Vec<Value>),
    /// The members, and the key whose value comes next.
    Map(Map<String, Value>, Option<String>),
}

/// The first document of a text; null if there is none.
///
/// # Errors
/// Why the text is refused, with the number of the line.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut document = Value::Null;
    let mut nodes = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| format!("line {} is not valid YAML", error.marker().line()))?;
        let refuse = |why: &str| Err(format!("line {} {why}", span.start.line()));
        nodes += 1;
        if nodes > MAX_NODES {
            return refuse("exceeds the limit of 20000 values");
        }
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == MAX_DEPTH => {
                return refuse("is nested too deeply");
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Map(members, _)) => Value::Object(members),
                None => continue,
            },
            Event::Alias(_) => return refuse("has an alias, which is not supported"),
            Event::DocumentEnd => break,
            _ => continue,
        };
        match (open.last_mut(), value) {
            (None, value) => document = value,
            (Some(Open::List(items)), value) => items.push(value),
            (Some(Open::Map(members, key)), value) => match (key.take(), value) {
                (Some(key), value) => drop(members.insert(key, value)),
                (None, Value::String(name)) => *key = Some(name),
                (None, Value::Array(_) | Value::Object(_)) => {
                    return refuse("has a key that is not a scalar");
                }
                (None, other) => *key = Some(other.to_string()),
            },
        }
    }
    Ok(document)
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
    fn errors_contain_the_line_number_but_not_the_content() {
        for (text, why) in [
            ("a: b\nhunter2: 'open", "line 2 is not valid YAML"),
            ("a: b\n c: d\n", "line 2 is not valid YAML"),
            ("a: &x [hunter2]\nb: *x\n", "line 2 has an alias, which is not supported"),
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
