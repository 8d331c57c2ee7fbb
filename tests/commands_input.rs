//! What the commands say of command lines, configurations and subject tokens, byte for byte.

mod common;

use common::google::*;
use common::{SECRETS, jwt_until, now};
use serde_json::{Value, json as object};

#[test]
fn command_lines() {
    let server = google(&[]);
    let world = world(&server);
    world.write("claims", "{}");
    world.write("list", "[]");
    world.write("late", format!(r#"{{"exp":{}}}"#, now() + 13 * 3600));
    world.write("large", vec![b'a'; 1024 * 1024 + 1]);
    for (line, status, message) in [
        ("access-token --scope=", 2, "--scope takes a value; write --scope=SCOPE"),
        (
            "access-token --lifetime=599",
            2,
            "--lifetime takes a whole number of seconds from 600 to 43200; write --lifetime=SECONDS",
        ),
        (
            "access-token --format=yaml",
            2,
            "--format takes one of text, json, header; write --format=text|json|header",
        ),
        (
            "access-token --audience=x",
            2,
            "access-token has no option --audience; run wif-token help access-token",
        ),
        (
            "access-token file",
            2,
            "there is a word too many after the source; write each setting as one word, \
             --name=value; values with blanks belong in an --args-file",
        ),
        (
            "access-token --subject=a@b --lifetime=900",
            2,
            "--lifetime is for a token of the service account itself; \
             leave it or --subject out",
        ),
        (
            "access-token --delegate=app@example-project.iam.gserviceaccount.com",
            2,
            "a --delegate is the service account itself; \
             name the accounts between the workload and it",
        ),
        ("id-token", 2, "--for is missing; add --for=…"),
        ("sign-jwt", 2, "--payload is missing; add --payload=…"),
        ("sign-blob", 2, "--file is missing; add --file=…"),
        (
            "sign-jwt --payload={dir}/none",
            3,
            "cannot read {dir}/none: it does not exist; check --payload",
        ),
        (
            "sign-jwt --payload={dir}/list",
            3,
            r#"{dir}/list holds no JSON object; --payload holds the claims, as in {"aud":"…","exp":…}"#,
        ),
        (
            "sign-jwt --payload={dir}/late",
            3,
            "the exp in {dir}/late is too late; it is in seconds since 1970, at most 12 hours ahead",
        ),
        (
            "sign-blob --file={dir}/none",
            3,
            "cannot read {dir}/none: No such file or directory (os error 2); check --file",
        ),
        (
            "sign-blob --file={dir}",
            3,
            "cannot read {dir}: Is a directory (os error 21); check --file",
        ),
        (
            "sign-blob --file={dir}/large",
            3,
            "cannot read {dir}/large: it is larger than 1 MiB; check --file",
        ),
        (
            "access-token --credentials={dir}/none",
            3,
            "cannot read {dir}/none: it does not exist; check --credentials",
        ),
    ] {
        fails(&world, "", line, status, message);
    }
    let without = world.run("access-token");
    assert_eq!(
        (without.status, without.stderr.as_str()),
        (
            2,
            "there is no credential configuration; \
             add --credentials=FILE or set GOOGLE_APPLICATION_CREDENTIALS\n"
        )
    );
    assert_eq!(server.requests().iter().filter(|r| method(r) != "token").count(), 0);
}

#[test]
fn what_only_a_service_account_can_do_needs_one() {
    let server = google(&[]);
    let world = world(&server);
    world.write("claims", "{}");
    configure(&world, &server, federated_only);
    let alone = "{dir}/c.json names no service account: \
                 a federated principal alone can neither sign nor get ID tokens; ";
    let with = "write it with --service-account=EMAIL";
    for line in
        ["id-token --for=a", "sign-jwt --payload={dir}/claims", "sign-blob --file={dir}/claims"]
    {
        fails(&world, "", line, 3, &format!("{alone}{with}"));
    }
    for option in ["lifetime=900", "delegate=a@x.example", "subject=ann@example.com"] {
        let name = option.split('=').next().unwrap();
        let message = format!(
            "{{dir}}/c.json names no service account; --{name} is for one: \
             write the configuration with --service-account=EMAIL"
        );
        fails(&world, "", &format!("access-token --{option}"), 3, &message);
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn configurations_that_are_none() {
    let server = google(&[]);
    let world = world(&server);
    let gcloud = "let gcloud iam workload-identity-pools create-cred-config write";
    for (text, message) in [
        ("", format!("{{dir}}/c.json is not JSON: line 1, column 0; {gcloud} it")),
        (
            "{\"type\":\n\"hunter2-bearer\"",
            format!("{{dir}}/c.json is not JSON: line 2, column 16; {gcloud} it"),
        ),
        (
            "[]",
            "{dir}/c.json is no credential configuration of an external account: it has no type; \
             type has to be external_account"
                .to_owned(),
        ),
        (
            r#"{"type":"service_account","private_key":"hunter2-client-secret"}"#,
            "{dir}/c.json is no credential configuration of an external account: \
             it is a service account key; \
             replace it: wif-token config SOURCE --pool-provider=… --service-account=…"
                .to_owned(),
        ),
        (
            r#"{"type":"authorized_user","refresh_token":"hunter2-client-secret"}"#,
            "{dir}/c.json is no credential configuration of an external account: \
             it is a person's sign-in; use the file that the sign-in was started with"
                .to_owned(),
        ),
        (
            r#"{"type":"impersonated_service_account"}"#,
            "{dir}/c.json is no credential configuration of an external account: \
             it impersonates with other credentials; use the file in its source_credentials"
                .to_owned(),
        ),
        (
            r#"{"type":"hunter2-bearer"}"#,
            "{dir}/c.json is no credential configuration of an external account: \
             its type is another one; type has to be external_account"
                .to_owned(),
        ),
        (
            r#"{"type":"external_account"}"#,
            format!("{{dir}}/c.json: subject_token_type is missing; {gcloud} the file"),
        ),
    ] {
        world.write("c.json", text);
        fails(&world, "", "access-token", 3, &message);
    }
    world.write("c.json", b"\xff");
    let message = "{dir}/c.json is not UTF-8 text; check GOOGLE_APPLICATION_CREDENTIALS";
    fails(&world, "", "access-token", 3, message);
    assert_eq!(server.count(), 0);
}

#[test]
fn members_that_are_wrong_are_named() {
    let server = google(&[]);
    let world = world(&server);
    for (member, value, words) in [
        ("audience", Value::Null, "audience is missing; "),
        ("audience", object!("a\nhunter2-bearer"), "audience holds control characters"),
        ("token_url", object!("hunter2-bearer"), "token_url takes an absolute https:// address"),
        (
            "token_url",
            object!("https://u:hunter2-bearer@sts.googleapis.com/v1/token"),
            "token_url takes an address without user name and password",
        ),
        (
            "service_account_impersonation_url",
            object!("https://x.example/hunter2-bearer:generateIdToken"),
            "service_account_impersonation_url is no address of generateAccessToken; it looks like",
        ),
        ("subject_token_type", object!("hunter2-bearer"), "subject_token_type is unknown; "),
        ("client_secret", object!(["hunter2-bearer"]), "client_secret is no text; "),
        ("credential_source", Value::Null, "credential_source is missing; "),
        (
            "credential_source",
            object!({"url": "http://127.0.0.1:1/", "headers": {"X-Key": ["hunter2-bearer"]}}),
            "headers.X-Key is no text; put it in quotes",
        ),
    ] {
        configure(&world, &server, |config| config[member] = value.clone());
        let run = run(&world, "access-token");
        let start = world.fill(&format!("{{dir}}/c.json: {words}"));
        assert!(run.stderr.starts_with(&start), "{}", run.stderr);
        assert_eq!(run.status, 3);
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn plain_http_goes_to_loopback_only() {
    let server = google(&[]);
    let world = world(&server);
    for (member, value) in [
        ("token_url", "http://sts.example/v1/token"),
        (
            "service_account_impersonation_url",
            "http://sts.example/v1/projects/-/serviceAccounts/a:generateAccessToken",
        ),
    ] {
        configure(&world, &server, |config| config[member] = value.into());
        let message = format!(
            "{value} would send a credential in the clear; \
             use https in {member}, or add --allow-http=sts.example"
        );
        fails(&world, "", "access-token", 3, &message);
    }
}

#[test]
fn a_subject_token_that_cannot_be_had_is_not_exchanged() {
    let server = google(&[]);
    let world = world(&server);
    let source = |value: Value| {
        configure(&world, &server, |config| config["credential_source"] = value.clone());
    };
    world.write("over", jwt_until(1_795_276_800));
    world.write("opaque", SECRETS[2]);
    let file = |name: &str| object!({"file": world.fill(&format!("{{dir}}/{name}"))});
    let executable = |command: &str| object!({"executable": {"command": world.fill(command)}});
    for (value, status, words) in [
        (file("none"), 4, "cannot read {dir}/none: it does not exist; "),
        (file("over"), 8, "the token in the file {dir}/over ended at 2026-11-21T16:00:00Z; "),
        (file("opaque"), 7, "the file {dir}/opaque holds no subject token: it is opaque"),
        (object!({"url": "http://127.0.0.1:1/t"}), 6, "nothing listens at http://127.0.0.1:1/t: "),
        (
            executable("/opt/other --token"),
            3,
            "executables are not allowed here; look at the configuration's command, \
             then set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1\n",
        ),
        (executable("wif-token file"), 2, "--path is missing; add --path=…\n"),
        (executable("wif-token flie --path=x"), 2, "there is no source or command \"flie\"; "),
        (
            executable("wif-token access-token"),
            2,
            "the configuration's command gives no subject token; name a source in it: wif-token help\n",
        ),
        (executable("/no/such/wif-token env --name=NONE"), 4, "the variable NONE is not set; "),
    ] {
        source(value);
        let run = run(&world, "access-token");
        assert!(run.stderr.starts_with(&world.fill(words)), "{}", run.stderr);
        assert_eq!(run.status, status, "{}", run.stderr);
    }
    assert_eq!(server.count(), 0);
}

#[cfg(unix)]
#[test]
fn a_program_that_gives_no_token_is_named() {
    let server = google(&[]);
    let world = world(&server);
    configure(&world, &server, |config| {
        let command = world.fill("{dir}/script");
        config["credential_source"] = object!({"executable": {"command": command}});
    });
    for (script, status, message) in [
        (
            "echo hunter2-bearer; exit 3",
            6,
            "{dir}/script failed: exit status: 3; \
             run executable.command of the configuration by hand to see its own message",
        ),
        (
            "echo log line; echo '{}'",
            7,
            "the output of {dir}/script is no JSON document; \
             it must print the version-1 document alone, and nothing on standard error",
        ),
        (
            r#"echo '{"version":1,"success":false,"code":"401","message":"sign in first"}'"#,
            7,
            "the document of {dir}/script gives no token: 401: sign in first",
        ),
        (
            r#"echo '{"version":1,"success":true,"saml_response":"hunter2-bearer"}'"#,
            7,
            "the document of {dir}/script gives no token: it has no id_token",
        ),
        (
            r#"echo '{"version":2,"success":true,"id_token":"hunter2-bearer"}'"#,
            7,
            "the document of {dir}/script gives no token: it is not of version 1",
        ),
        (
            r#"echo '{"version":1,"success":true,"id_token":"hunter2-bearer","expiration_time":1795276800}'"#,
            8,
            "the token of {dir}/script ended at 2026-11-21T16:00:00Z; \
             run executable.command of the configuration by hand to see why",
        ),
    ] {
        let run = with_script(&world, script, &[]);
        assert_eq!(run.stderr, world.fill(message) + "\n");
        assert_eq!((run.status, run.stdout.as_str()), (status, ""));
    }
    assert_eq!(server.count(), 0);
}

#[cfg(unix)]
#[test]
fn nothing_but_1_allows_executables() {
    let server = google(&[]);
    let world = world(&server);
    configure(&world, &server, |config| {
        let command = world.fill("{dir}/script");
        config["credential_source"] = object!({"executable": {"command": command}});
    });
    for value in ["", "0", "true", "11"] {
        let opt_in = [("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", value)];
        let run = with_script(&world, "touch \"$0.ran\"", &opt_in);
        assert_eq!(run.status, 3, "{value:?}: {run:?}");
        assert!(!world.path("script.ran").exists(), "{value:?}");
    }
}
