//! The contract, on the real binary: documents byte for byte, exit status, silence.

mod common;

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use common::{World, jwt, jwt_until, now};

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";

#[test]
fn a_success_is_one_line_and_standard_error_is_empty() {
    let world = World::new();
    let (exp, margin) = (now() + 86_400, 300);
    let token = jwt_until(exp);
    world.write("t", format!("{token}\n"));
    for variables in [&[][..], &[("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE", ID_TOKEN)]] {
        let run = world.run_with("file --path={dir}/t", variables);
        let expected = format!(
            r#"{{"version":1,"success":true,"token_type":"{JWT}","id_token":"{token}","expiration_time":{}}}"#,
            exp - margin
        );
        assert_eq!((run.status, run.stdout, run.stderr), (0, expected + "\n", String::new()));
    }
}

#[test]
fn saml_is_a_saml_response() {
    let world = World::new();
    let xml = r#"<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"
        IssueInstant="2999-01-01T00:00:00Z"><Conditions NotOnOrAfter="2999-01-01T00:10:00Z"/></Assertion>"#;
    world.write("saml.xml", xml);
    let run = world.run(&format!("file --path={{dir}}/saml.xml --token-type={SAML2}"));
    let document = run.document();
    assert_eq!(document["token_type"], SAML2);
    assert_eq!(document["expiration_time"], 32_472_144_600_i64 - 300);
    let encoded = document["saml_response"].as_str().unwrap().to_owned();
    assert!(run.stdout.starts_with(&format!(
        r#"{{"version":1,"success":true,"token_type":"{SAML2}","saml_response":"{encoded}","expiration_time":"#
    )));

    world.write("saml.b64", &encoded);
    let run = world.run(&format!("file --path={{dir}}/saml.b64 --token-type={SAML2}"));
    assert_eq!(run.document()["saml_response"], encoded.as_str());
}

#[test]
fn a_failure_is_a_document_a_line_and_a_status() {
    let world = World::new();
    let message = "--path is missing; add --path=…";
    for (line, variables, token_type) in
        [("file", &[][..], JWT), ("file", &[("GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE", SAML2)], SAML2)]
    {
        let run = world.run_with(line, variables);
        let document = format!(
            r#"{{"version":1,"success":false,"token_type":"{token_type}","code":"USAGE","message":"{message}"}}"#
        );
        assert_eq!(run.stdout, format!("{document}\n"));
        assert_eq!(run.stderr, format!("{message}\n"));
        assert_eq!(run.status, 2);
        let quiet = world.run_with(&format!("{line} --exit-zero"), variables);
        assert_eq!((quiet.status, quiet.stdout, quiet.stderr), (0, run.stdout, String::new()));
    }
}

#[test]
fn text_is_the_bare_token() {
    let world = World::new();
    let token = jwt(3600);
    world.write("t", format!("  {token}\r\n"));
    let run = world.run("file --path={dir}/t --format=text");
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, token.as_str(), ""));

    let run = world.run("file --path={dir}/t --format=text --output-file={dir}/out");
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    assert_eq!(world.read("out"), token);

    let run = world.run("file --path={dir}/none --format=text --output-file={dir}/out");
    assert_eq!((run.status, run.stdout.as_str()), (4, ""));
    assert!(run.stderr.contains("does not exist"));
    assert_eq!(world.read("out"), token, "a failure loses nothing");
}

#[test]
fn interactive_answers_through_the_output_file_only() {
    let world = World::new();
    world.write("t", jwt(3600));
    let interactive = [("GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE", "1")];
    for _ in 0..2 {
        let run = world.run_with("file --path={dir}/t --output-file={dir}/out", &interactive);
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
        assert!(world.read("out").contains(r#""success":true"#));
    }
    let run = world.run_with("file --path={dir}/t", &interactive);
    assert_eq!(run.status, 2);
    let run = world.run_with("file --path={dir}/t --output-file={dir}/no/out", &interactive);
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains("cannot write"), "{}", run.stderr);
}

#[test]
fn revoke_forgets_what_is_kept() {
    let world = World::new();
    world.write("out", "a token");
    let variables = [
        ("GOOGLE_EXTERNAL_ACCOUNT_REVOKE", "1"),
        ("GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE", "{dir}/out"),
    ];
    for _ in 0..2 {
        let run = world.run_with("file --path={dir}/t", &variables);
        assert_eq!(run.stdout, "{\"version\":1,\"success\":true}\n");
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        assert!(!world.path("out").exists());
    }
}

#[test]
fn standard_input_is_not_read() {
    let world = World::new();
    world.write("t", jwt(3600));
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"for somebody else").unwrap();
    drop(writer);
    let mut command = world.command("file --path={dir}/t", &[]);
    let status = command.stdin(reader.try_clone().unwrap()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success());
    let mut left = String::new();
    reader.read_to_string(&mut left).unwrap();
    assert_eq!(left, "for somebody else");
}

#[test]
fn nobody_listening_is_no_crash() {
    let world = World::new();
    world.write("t", jwt(3600));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = world.command("file --path={dir}/t", &[]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(9));
}

#[test]
fn an_arguments_file_carries_what_a_command_line_cannot() {
    let world = World::new();
    let token = jwt(3600);
    world.write("a token file", &token);
    world.write("args", world.fill("# settings\nfile\n--path={dir}/a token file\n"));
    assert_eq!(world.run("--args-file={dir}/args").token(), token);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let world = World::new();
    for line in ["help", "--help", "-h"] {
        let run = world.run(line);
        assert!(run.stdout.contains("usage: wif-token SOURCE"));
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    }
    for line in ["help oidc", "oidc --help"] {
        assert!(world.run(line).stdout.starts_with("usage: wif-token oidc --issuer=URL"));
    }
    assert_eq!(
        world.run("--version").stdout,
        concat!("wif-token ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(world.run("help fiel").status, 2);
}
