//! How Google's clients read a version-1 document that another program wrote.
//!
//! Clients differ in how strictly they read a document. Those in typed languages refuse a member of
//! the wrong type; others use the member, or fail when they compare it. Which clients fail was
//! found by running all of them with each document. gcloud stands for bq and gsutil too.

use serde_json::Value;

use super::document::{expiry_of_token, member};
use crate::time::{self, LAST_SECOND, rfc3339};
use crate::token::TokenType;

/// What is wrong with a document, and which clients fail.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong, and how clients react.
    pub what: String,
    /// What the program must print instead.
    pub fix: String,
    /// Whether a client fails now. Otherwise, it fails later or does not show a reason.
    pub fails: bool,
}

impl Trouble {
    /// Creates a trouble with which a client fails now.
    pub fn new(what: impl Into<String>, fix: impl Into<String>) -> Trouble {
        Trouble { what: what.into(), fix: fix.into(), fails: true }
    }
}

/// Judges the exit status and the error output of a program that printed a success.
pub fn of_run(exit_status_is_0: bool, wrote_to_stderr: bool) -> Option<Trouble> {
    match (exit_status_is_0, wrote_to_stderr) {
        (false, _) => Some(Trouble::new(
            "it prints a success, but its exit status is not 0, so all clients fail",
            "end the program with exit status 0 after a success",
        )),
        (true, true) => Some(Trouble::new(
            "it writes to standard error, which Python, gcloud, Node, Java and PHP read as part of \
             the document, so they fail",
            "write nothing to standard error on success, or redirect it to a file",
        )),
        (true, false) => None,
    }
}

/// The trouble with a program that leaves behind a process that keeps standard output open.
pub fn keeps_output_open() -> Trouble {
    Trouble::new(
        "a process that it started keeps standard output open, so clients wait until their \
         timeout",
        "redirect the standard output of the background process, for example to /dev/null",
    )
}

/// Whether a JSON value is meant as a document of the contract, even if it is incomplete.
pub fn is_document(value: &Value) -> bool {
    value.get("version").is_some() || value.get("success").is_some()
}

/// Whether a document reports a failure.
pub fn is_failure(document: &Value) -> bool {
    let success = document.get("success");
    success.is_some_and(|success| *success == false || *success == "false")
}

/// Finds out why clients would not show the reason that a failure document states.
pub fn of_failure(document: &Value) -> Vec<Trouble> {
    let why = "so clients do not show why the program failed";
    let member = |name: &str| match document.get(name) {
        Some(Value::String(text)) if !text.is_empty() => None,
        None | Some(Value::Null | Value::String(_)) => Some(Trouble::new(
            format!("{name} is missing, {why}"),
            format!("set {name} to a string"),
        )),
        Some(_) => Some(Trouble::new(
            format!("{name} is not a string, which typed languages such as Go refuse, {why}"),
            format!("set {name} to a string in double quotes"),
        )),
    };
    let success = document.get("success").filter(|success| success.is_string()).map(|_| {
        Trouble::new(
            "success is not a boolean, which Go, Java and Rust refuse",
            "set success to false without quotes",
        )
    });
    let troubles = [success, member("code"), member("message")].into_iter().flatten();
    troubles.map(|trouble| Trouble { fails: false, ..trouble }).collect()
}

/// Where clients read a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On standard output.
    Output,
    /// On standard output, if the configuration also has an output file.
    OutputBesideFile,
    /// In the output file.
    File,
}

impl Place {
    /// Appends to `what` that these clients refuse the member. For the output file, Rust is left
    /// out, because it runs the command instead of using such a file.
    fn refused_by(self, what: &str, clients: &[&str]) -> String {
        let runs_command = |client: &str| self == Place::File && client == "Rust";
        let clients: Vec<&str> =
            clients.iter().copied().filter(|name| !runs_command(name)).collect();
        match clients.split_last() {
            Some((last, [])) => format!("{what}, which {last} refuses"),
            Some((last, others)) => {
                format!("{what}, which {} and {last} refuse", others.join(", "))
            }
            None => what.to_owned(),
        }
    }
}

/// Finds what is wrong with a document that reports success: the first problem of each member.
pub fn of_success(document: &Value, token_type: TokenType, place: Place) -> Vec<Trouble> {
    let version = match document.get("version") {
        Some(Value::Number(number)) if number.as_u64() == Some(1) => None,
        Some(Value::String(text)) => Some(Trouble::new(
            place.refused_by("version is a string", &refusing_number(text)),
            "set version to the number 1",
        )),
        Some(_) => Some(Trouble::new(
            "version is not 1, which clients refuse",
            "set version to the number 1",
        )),
        None => Some(Trouble::new("version is missing, so clients fail", "add \"version\": 1")),
    };
    let success = match document.get("success") {
        Some(Value::Bool(_)) => None,
        Some(_) => Some(Trouble::new(
            place.refused_by("success is not a boolean", &["Go", "Java", "Rust"]),
            "set success to true without quotes",
        )),
        None => Some(Trouble::new("success is missing, so clients fail", "add \"success\": true")),
    };
    let token = token(document, token_type);
    let time = expiration_time(document, place);
    let unused = unused(document, token_type, place);
    [version, success, token, time, unused].into_iter().flatten().collect()
}

/// Finds a member of the wrong type that a success does not need. Go and Rust read such members
/// too.
fn unused(document: &Value, expected: TokenType, place: Place) -> Option<Trouble> {
    let names = ["id_token", "saml_response", "code", "message"];
    let mut unused = names.into_iter().filter(|name| *name != member(expected));
    let name = unused.find(|name| {
        document.get(*name).is_some_and(|value| !value.is_string() && !value.is_null())
    })?;
    let what = place.refused_by(&format!("{name} is not a string"), &["Go", "Rust"]);
    Some(Trouble::new(what, format!("remove {name}, or set it to a string in double quotes")))
}

/// The clients that refuse a number in quotes. Java accepts a whole number in quotes.
fn refusing_number(text: &str) -> Vec<&'static str> {
    let java = text.parse::<i64>().is_err().then_some("Java");
    ["Python", "gcloud", "Go"].into_iter().chain(java).chain(["Ruby", "Rust"]).collect()
}

fn token(document: &Value, expected: TokenType) -> Option<Trouble> {
    let urn = expected.on_the_wire().urn();
    let fix = format!("set token_type to {urn}");
    let given = match document.get("token_type") {
        None => return Some(Trouble::new("token_type is missing, so clients fail", fix)),
        Some(given) => given.as_str().and_then(TokenType::parse),
    };
    let Some(given) = given else {
        return Some(Trouble::new("token_type is unknown, so clients fail", fix));
    };
    if given == TokenType::AwsRequest {
        let what = format!("token_type is {}, which all clients except Java refuse", given.urn());
        return Some(Trouble::new(what, fix));
    }
    let name = member(given);
    if name != member(expected) {
        let what =
            format!("token_type is {}, but clients exchange the token as {urn}", given.urn());
        return Some(Trouble::new(what, fix));
    }
    let text = document.get(name).and_then(Value::as_str);
    text.is_none_or(str::is_empty).then(|| {
        Trouble::new(
            format!("{name} is missing, so clients fail"),
            format!("set {name} to the token"),
        )
    })
}

/// The smallest number that counts as a time: the beginning of 1972. Smaller numbers are lifetimes.
const FIRST_TIME: i64 = 2 * 365 * 86_400;

fn expiration_time(document: &Value, place: Place) -> Option<Trouble> {
    let fix = "set expiration_time to the expiry in whole seconds since 1970";
    // Clients run the command if the token in the output file has expired.
    let expired = |what| Some(Trouble { fails: place != Place::File, ..Trouble::new(what, fix) });
    let refused = |what, clients: &[&str]| place.refused_by(what, clients);
    let what = match document.get("expiration_time") {
        None | Some(Value::Null) if place != Place::Output => {
            "expiration_time is missing, so if there is an output file, Go, Node, Java and PHP fail, \
             and Ruby and Rust use the token forever"
                .to_owned()
        }
        None => return None,
        Some(Value::Number(time)) => match time.as_i64() {
            Some(time) if time < 0 => {
                let what = "expiration_time is negative, so clients consider the token expired";
                return expired(what);
            }
            Some(time) if (1..FIRST_TIME).contains(&time) => {
                let what = "expiration_time is a lifetime, not a time, so clients consider the \
                            token expired";
                return expired(what);
            }
            Some(time) if time <= LAST_SECOND => return None,
            Some(_) => {
                "expiration_time is not in seconds (usually milliseconds), so clients use the token \
                 after it has expired"
                    .to_owned()
            }
            None => refused("expiration_time is not a whole number", &["Go", "Rust"]),
        },
        Some(Value::String(text)) => {
            refused("expiration_time is a string", &refusing_number(text))
        }
        Some(_) => "expiration_time is not a number, which clients refuse".to_owned(),
    };
    Some(Trouble::new(what, fix))
}

/// By how much `expiration_time` may be later than the expiry of the token, in seconds. Programs
/// compute it from a lifetime, a moment after the token was issued.
const TOLERANCE: i64 = 60;

/// Reports a token that expires before the `expiration_time`, until which clients reuse it.
pub fn outlives_token(document: &Value) -> Option<Trouble> {
    let stated = document.get("expiration_time").and_then(time::whole_second)?;
    let expiry = expiry_of_token(document).filter(|expiry| stated - expiry > TOLERANCE)?;
    let (stated, expiry) = (rfc3339(stated), rfc3339(expiry));
    let what = format!(
        "expiration_time is {stated}, but the token expires at {expiry}, so clients that reuse it \
         use an expired token"
    );
    let fix = "set expiration_time to the time at which the token expires";
    Some(Trouble { fails: false, ..Trouble::new(what, fix) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = r#"{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"a.b.c","expiration_time":1900000000}"#;

    fn with(name: &str, value: Value) -> Value {
        let mut document: Value = serde_json::from_str(GOOD).unwrap();
        document[name] = value;
        document
    }

    #[test]
    fn each_problem_names_the_clients() {
        let saml = "urn:ietf:params:oauth:token-type:saml2";
        let aws = "urn:ietf:params:aws:token-type:aws4_request";
        for (name, value, words) in [
            ("version", json!("1"), "version is a string, which Python, gcloud, Go, Ruby and Rust"),
            ("version", json!(2), "version is not 1, which clients refuse"),
            ("version", json!(1.5), "version is not 1"),
            ("success", json!("true"), "success is not a boolean, which Go, Java and Rust refuse"),
            ("token_type", json!("jwt"), "token_type is unknown"),
            ("token_type", json!(null), "token_type is unknown"),
            ("token_type", json!(saml), "but clients exchange the token as urn:ietf"),
            ("id_token", json!(""), "id_token is missing"),
            ("id_token", json!(5), "id_token is missing"),
            ("expiration_time", json!(null), "Go, Node, Java and PHP fail"),
            ("expiration_time", json!("1900"), "is a string, which Python"),
            ("expiration_time", json!(1900.5), "is not a whole number, which Go and Rust"),
            ("expiration_time", json!(1_795_276_800_000_i64), "usually milliseconds"),
            (
                "expiration_time",
                json!("2030-01-01"),
                "which Python, gcloud, Go, Java, Ruby and Rust",
            ),
            ("expiration_time", json!([]), "is not a number"),
            ("expiration_time", json!(-1), "is negative, so clients consider the token expired"),
            ("token_type", json!(aws), "aws4_request, which all clients except Java refuse"),
            ("saml_response", json!(5), "saml_response is not a string, which Go and Rust refuse"),
            ("code", json!(0), "code is not a string, which Go and Rust refuse"),
        ] {
            let troubles = of_success(&with(name, value), TokenType::Jwt, Place::OutputBesideFile);
            assert_eq!(troubles.len(), 1, "{name}: {troubles:?}");
            assert!(troubles[0].what.contains(words), "{troubles:?}");
        }
        let nothing = of_success(&json!({}), TokenType::Jwt, Place::OutputBesideFile);
        assert_eq!(nothing.len(), 4, "{nothing:?}");
    }

    #[test]
    fn rust_is_not_named_where_it_runs_the_command() {
        for (name, value, words) in [
            ("version", json!("1"), "which Python, gcloud, Go and Ruby refuse"),
            ("success", json!("true"), "which Go and Java refuse"),
            ("message", json!(0), "which Go refuses"),
        ] {
            let troubles = of_success(&with(name, value), TokenType::Jwt, Place::File);
            assert!(troubles[0].what.ends_with(words), "{troubles:?}");
        }
    }

    #[test]
    fn a_failure_has_a_code_and_a_message() {
        for (document, words) in [
            (json!({"success": false, "code": "E", "message": "m"}), vec![]),
            (json!({"success": false, "message": "m"}), vec!["code is missing"]),
            (json!({"success": false, "code": 401, "message": "m"}), vec!["code is not a string"]),
            (json!({"success": false, "code": "E", "message": ""}), vec!["message is missing"]),
            (json!({"success": "false"}), vec!["success is not", "code is", "message is"]),
        ] {
            assert!(is_failure(&document));
            let troubles = of_failure(&document);
            assert_eq!(troubles.len(), words.len(), "{troubles:?}");
            for (trouble, word) in troubles.iter().zip(words) {
                assert!(trouble.what.contains(word) && !trouble.fails, "{trouble:?}");
            }
        }
    }

    #[test]
    fn expiration_time_may_be_a_minute_after_the_expiry_of_the_token() {
        // A JWT whose exp is 1900000000.
        let mut document = with("id_token", json!("e30.eyJleHAiOjE5MDAwMDAwMDB9.AA"));
        for (time, is_good) in [(0, true), (60, true), (61, false), (-600, true)] {
            document["expiration_time"] = json!(1_900_000_000 + time);
            assert_eq!(outlives_token(&document).is_none(), is_good, "{time}");
        }
        assert_eq!(outlives_token(&with("expiration_time", json!(4_070_908_800_i64))), None);
        for time in [4_070_908_800_000_i64, i64::MAX, i64::MIN] {
            document["expiration_time"] = json!(time);
            assert_eq!(outlives_token(&document), None, "{time}");
        }
    }

    #[test]
    fn a_document_of_the_contract_is_good() {
        let good: Value = serde_json::from_str(GOOD).unwrap();
        assert_eq!(of_success(&good, TokenType::Jwt, Place::OutputBesideFile), []);
        assert_eq!(of_success(&good, TokenType::AwsRequest, Place::OutputBesideFile), []);
        let mut without: Value = good.clone();
        without.as_object_mut().unwrap().remove("expiration_time");
        assert_eq!(of_success(&without, TokenType::IdToken, Place::Output), []);
        let id_token = with("token_type", json!("urn:ietf:params:oauth:token-type:id_token"));
        assert_eq!(of_success(&id_token, TokenType::Jwt, Place::OutputBesideFile), []);
    }
}
