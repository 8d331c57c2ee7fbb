//! The sources `github` and `ci`: cases that need a JWT with an audience, or a variable with a line break.
//! The others are in `tests/scenarios/{ci,github,azure_pipelines}` and `tests/transcripts/ci.txt`.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::server::{Server, json};
use common::{AUDIENCE, SECRETS, World, holds_no_secret, jwt, now};

#[test]
fn a_bearer_token_with_a_line_break_is_not_sent() {
    let world = World::new();
    let server = Server::new(|_| json(&jwt(60)));
    let bearer = format!("{}\r\nX-Evil: 1", SECRETS[1]);
    let variables = [
        ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", AUDIENCE),
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", &server.url),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", &bearer),
    ];
    let run = world.run_with("github", &variables);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(server.count(), 0);
}

/// A JWT for this audience, which is a JSON value.
fn jwt_for(audience: &str, exp: i64) -> String {
    let claims = format!(r#"{{"sub":"s","exp":{exp},"aud":{audience}}}"#);
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
    format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), SECRETS[2])
}

#[test]
fn a_token_for_another_audience_is_printed_and_noted_in_the_log() {
    for (audience, noted) in [
        (format!(r#""https:{AUDIENCE}""#), None),
        (format!(r#""{AUDIENCE}""#), None),
        (format!(r#"["x","{AUDIENCE}"]"#), None),
        (r#""org-1""#.to_owned(), Some("org-1")),
        (r#"["org-1","org-2"]"#.to_owned(), Some("org-1 and org-2")),
    ] {
        let world = World::new();
        let token = jwt_for(&audience, now() + 300);
        let variables = [
            ("BITBUCKET_BUILD_NUMBER", "7"),
            ("BITBUCKET_STEP_OIDC_TOKEN", token.as_str()),
            ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", AUDIENCE),
        ];
        assert_eq!(world.run_with("ci --log-file={dir}/log", &variables).token(), token);
        let log = world.read("log");
        let note = log.lines().find_map(|line| line.split_once("the audience of the token is "));
        let note = note.and_then(|(_, rest)| rest.split(';').next());
        assert_eq!(note, noted);
        holds_no_secret(&log);
    }
}
