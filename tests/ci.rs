//! The sources `github`, `azure-pipelines` and `ci`: what each sends or runs, and what it says when
//! a job lacks something, is refused, or has a token that is over.

#![cfg(unix)] // the commands of the systems are scripts here

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::server::{Server, json, response};
use common::{AUDIENCE, SECRETS, World, holds_no_secret, jwt, jwt_until, now};

/// The audience as it stands in a query.
const ESCAPED: &str = "https%3A%2F%2Fiam.googleapis.com%2Fprojects%2F1%2Flocations%2Fglobal\
                       %2FworkloadIdentityPools%2Fp%2Fproviders%2Fq";

const OVER: i64 = 1_795_276_800; // 2026-11-21T16:00:00Z

/// The variables of a job whose token service is this server.
fn job<'a>(system: &str, url: &'a str) -> Vec<(&'static str, &'a str)> {
    let audience = ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", AUDIENCE);
    match system {
        "github" => vec![
            audience,
            ("GITHUB_ACTIONS", "true"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", url),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", SECRETS[1]),
        ],
        "azure-pipelines" => vec![
            audience,
            ("TF_BUILD", "True"),
            ("SYSTEM_OIDCREQUESTURI", url),
            ("SYSTEM_ACCESSTOKEN", SECRETS[1]),
        ],
        _ => panic!("{system}"),
    }
}

#[test]
fn github_asks_for_the_pool_provider_s_audience() {
    let world = World::new();
    let good = jwt(300);
    let answer = json(&format!(r#"{{"count":1,"value":"{good}"}}"#));
    let server = Server::new(move |_| answer.clone());
    for (source, path, line) in [
        (
            "github",
            "/idtoken?api-version=2.0",
            format!("/idtoken?api-version=2.0&audience={ESCAPED}"),
        ),
        (
            "ci",
            "/idtoken?placeholder=true",
            format!("/idtoken?placeholder=true&audience={ESCAPED}"),
        ),
        ("github", "/idtoken", format!("/idtoken?audience={ESCAPED}")),
        ("github --audience=//a", "/idtoken?", "/idtoken?&audience=%2F%2Fa".to_owned()),
    ] {
        let url = format!("{}{path}", server.url);
        let run = world.run_with(&format!("{source} --log-file={{dir}}/log"), &job("github", &url));
        assert_eq!(run.token(), good);
        let request = server.requests().last().unwrap().clone();
        assert_eq!(request.line, format!("GET {line} HTTP/1.1"));
        assert_eq!(request.header("authorization").unwrap(), format!("Bearer {}", SECRETS[1]));
    }
    holds_no_secret(&world.read("log"));
}

#[test]
fn azure_pipelines_asks_for_a_connection_or_for_the_pipeline() {
    let world = World::new();
    let good = jwt(300);
    let answer = json(&format!(r#"{{"oidcToken":"{good}"}}"#));
    let server = Server::new(move |_| answer.clone());
    let url = format!("{}/oidctoken", server.url);
    for (line, query) in [
        ("azure-pipelines", ""),
        ("azure-pipelines --service-connection=a&b", "&serviceConnectionId=a%26b"),
        ("ci", ""),
        ("ci --service-connection=id-1", "&serviceConnectionId=id-1"),
    ] {
        let line = format!("{line} --log-file={{dir}}/log");
        assert_eq!(world.run_with(&line, &job("azure-pipelines", &url)).token(), good);
        let request = server.requests().last().unwrap().clone();
        assert_eq!(request.line, format!("POST /oidctoken?api-version=7.1{query} HTTP/1.1"));
        for (name, value) in [
            ("authorization", format!("Bearer {}", SECRETS[1]).as_str()),
            ("content-type", "application/json"),
            ("content-length", "0"),
            ("x-tfs-fedauthredirect", "Suppress"),
        ] {
            assert_eq!(request.header(name), Some(value), "{name}");
        }
    }
    holds_no_secret(&world.read("log"));
}

#[test]
fn a_job_that_lacks_something_is_told_what() {
    let world = World::new();
    let github = "give the job permissions: id-token: write (on Forgejo enable-openid-connect: true); \
                  a pull request from a fork gets neither";
    let mapping = "map it in the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)";
    for (line, without, status, message) in [
        (
            "github",
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            4,
            format!("the variable ACTIONS_ID_TOKEN_REQUEST_URL is not set; {github}"),
        ),
        (
            "github",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            4,
            format!("the variable ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set; {github}"),
        ),
        (
            "ci",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            4,
            format!("the variable ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set; {github}"),
        ),
        (
            "github",
            "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
            2,
            "there is no audience; add --audience=… or set GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE"
                .to_owned(),
        ),
        (
            "ci --name=TOKEN",
            "",
            3,
            "github gives no token in a variable; leave --name out".to_owned(),
        ),
    ] {
        let mut variables = job("github", "https://tokens.invalid/idtoken");
        variables.retain(|(name, _)| *name != without);
        let run = world.run_with(line, &variables);
        assert_eq!((run.stderr, run.status), (message + "\n", status));
    }
    for (without, message) in [
        (
            "SYSTEM_OIDCREQUESTURI",
            "the variable SYSTEM_OIDCREQUESTURI is not set; run this in a job of Azure Pipelines"
                .to_owned(),
        ),
        ("SYSTEM_ACCESSTOKEN", format!("the variable SYSTEM_ACCESSTOKEN is not set; {mapping}")),
    ] {
        let mut variables = job("azure-pipelines", "https://tokens.invalid/oidctoken");
        variables.retain(|(name, _)| *name != without);
        let run = world.run_with("azure-pipelines", &variables);
        assert_eq!((run.stderr, run.status), (message + "\n", 4));
    }
}

#[test]
fn refusals_say_what_to_change() {
    let world = World::new();
    let refused = |status: &str, body: &str| response(status, "application/json", body);
    let redirect =
        b"HTTP/1.1 302 Found\r\nLocation: https://app.vssps.invalid/_signin?x=hunter2-bearer\r\n\
                     Content-Length: 0\r\nConnection: close\r\n\r\n"
            .to_vec();
    let mapping = "map it in the step: env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)";
    let sign_in = format!(
        "{{url}}/t wants a sign-in: it does not know the token in SYSTEM_ACCESSTOKEN; {mapping}"
    );
    let connection = "check --service-connection, the resourceId in the address of its page, \
                      and name the connection in a task of this stage";
    let echo = format!(r#"{{"message":"no {} here"}}"#, SECRETS[1]);
    let cases: Vec<(&str, Vec<u8>, i32, String)> = vec![
        (
            "github",
            refused(
                "403 No",
                r#"{"$id":"1","message":"Can't issue ID_TOKEN for job in 'Completed' state."}"#,
            ),
            5,
            "{url}/t answered 403: Can't issue ID_TOKEN for job in 'Completed' state.; \
             ACTIONS_ID_TOKEN_REQUEST_TOKEN works only while its own job runs"
                .to_owned(),
        ),
        (
            "github",
            refused("401 No", &echo),
            5,
            "{url}/t answered 401: no [secret] here; \
             ACTIONS_ID_TOKEN_REQUEST_TOKEN works only while its own job runs"
                .to_owned(),
        ),
        (
            "github",
            json("{}"),
            7,
            "the answer of {url}/t has no value; check ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(),
        ),
        (
            "github",
            json(&format!(r#"{{"value":"{}"}}"#, jwt_until(OVER))),
            8,
            "the token in the value of {url}/t ended at 2026-11-21T16:00:00Z; \
             the clocks of this host and of the CI system may differ"
                .to_owned(),
        ),
        ("azure-pipelines", redirect, 5, sign_in.clone()),
        (
            "azure-pipelines",
            response("203 Non-Authoritative Information", "text/html", "<html>hunter2-bearer"),
            5,
            sign_in.clone(),
        ),
        ("azure-pipelines", response("200 OK", "text/html", "<html>"), 5, sign_in),
        (
            "azure-pipelines",
            refused("401 No", &echo),
            5,
            format!("{{url}}/t answered 401: no [secret] here; {mapping}"),
        ),
        (
            "azure-pipelines --service-connection=x",
            refused("404 No", r#"{"message":"No service connection found with identifier x."}"#),
            3,
            format!(
                "{{url}}/t answered 404: No service connection found with identifier x.; {connection}"
            ),
        ),
        (
            "azure-pipelines",
            refused("404 No", "{}"),
            3,
            "{url}/t answered 404; check the path in SYSTEM_OIDCREQUESTURI".to_owned(),
        ),
        (
            "azure-pipelines --service-connection=x --timeout=1",
            refused("500 No", r#"{"count":9,"value":"There is no explicit reference to x"}"#),
            5,
            format!("{{url}}/t answered 500: There is no explicit reference to x; {connection}"),
        ),
        (
            "azure-pipelines --timeout=1",
            response("503 Busy", "text/html", "<html>busy"),
            6,
            "{url}/t answered 503; try again later".to_owned(),
        ),
        (
            "azure-pipelines",
            json(r#"{"oidcToken":null}"#),
            7,
            "the answer of {url}/t has no oidcToken; check SYSTEM_OIDCREQUESTURI".to_owned(),
        ),
    ];
    for (line, answer, status, message) in cases {
        let server = Server::new(move |_| answer.clone());
        let system = line.split(' ').next().unwrap();
        let url = format!("{}/t", server.url);
        let run = world.run_with(&format!("{line} --log-file={{dir}}/log"), &job(system, &url));
        assert_eq!(run.stderr, message.replace("{url}", &server.url) + "\n");
        assert_eq!(run.status, status);
    }
    holds_no_secret(&world.read("log"));
}

#[test]
fn a_bearer_goes_nowhere_in_the_clear_and_stays_one_header() {
    let world = World::new();
    for (url, message) in [
        (
            "http://tokens.invalid/t",
            "http://tokens.invalid/t would send a credential in the clear; \
             use https in ACTIONS_ID_TOKEN_REQUEST_URL, or add --allow-http=tokens.invalid",
        ),
        (
            "tokens",
            "ACTIONS_ID_TOKEN_REQUEST_URL takes an absolute https:// address; \
             leave ACTIONS_ID_TOKEN_REQUEST_URL as the job got it",
        ),
    ] {
        let run = world.run_with("github", &job("github", url));
        assert_eq!((run.stderr, run.status), (format!("{message}\n"), 3));
    }
    let server = Server::new(|_| json(&jwt(60)));
    let mut variables = job("github", &server.url);
    let evil = format!("{}\r\nX-Evil: 1", SECRETS[1]);
    variables.push(("ACTIONS_ID_TOKEN_REQUEST_TOKEN", &evil));
    let run = world.run_with("github", &variables);
    assert_eq!(run.status, 3, "{}", run.stderr);
    assert_eq!(server.count(), 0);
}

/// A JWT for this audience, given as JSON.
fn jwt_for(audience: &str, exp: i64) -> String {
    let claims = format!(r#"{{"sub":"s","exp":{exp},"aud":{audience}}}"#);
    format!("e30.{}.{}", URL_SAFE_NO_PAD.encode(claims), SECRETS[2])
}

#[test]
fn a_token_that_the_job_was_given_is_taken_from_the_system_s_variable() {
    let world = World::new();
    let good = jwt(300);
    for (mark, options, variable) in [
        ("GITLAB_CI", "", "GITLAB_OIDC_TOKEN"),
        ("GITLAB_CI", "--name=MINE", "MINE"),
        ("", "--system=gitlab", "GITLAB_OIDC_TOKEN"),
        ("BITBUCKET_BUILD_NUMBER", "", "BITBUCKET_STEP_OIDC_TOKEN"),
        ("CIRCLECI", "", "CIRCLE_OIDC_TOKEN_V2"),
        ("TFC_RUN_ID", "", "TFC_WORKLOAD_IDENTITY_TOKEN"),
        ("TFC_RUN_ID", "--name=TFC_WORKLOAD_IDENTITY_TOKEN_A", "TFC_WORKLOAD_IDENTITY_TOKEN_A"),
        ("BUILDKITE", "--system=bitbucket", "BITBUCKET_STEP_OIDC_TOKEN"),
    ] {
        let mark = if mark.is_empty() { "OTHER" } else { mark };
        let audience = format!("--audience={AUDIENCE}");
        let run =
            world.run_with(&format!("ci {audience} {options}"), &[(mark, "1"), (variable, &good)]);
        assert_eq!(run.token(), good, "{mark}");
    }
}

#[test]
fn what_is_absent_or_over_is_told_in_the_words_of_its_system() {
    let world = World::new();
    let over = jwt_until(OVER);
    let marks = "GITHUB_ACTIONS, TF_BUILD, BUILDKITE, CIRCLECI, GITLAB_CI, BITBUCKET_BUILD_NUMBER, \
                 TFC_RUN_ID";
    for (mark, variable, absent, renew) in [
        (
            "GITLAB_CI",
            "GITLAB_OIDC_TOKEN",
            "declare it under id_tokens: in the job, or name yours with --name",
            "GitLab renews none during a job: raise timeout: of the job, with which its tokens end",
        ),
        (
            "BITBUCKET_BUILD_NUMBER",
            "BITBUCKET_STEP_OIDC_TOKEN",
            "put oidc: true into the step",
            "Bitbucket renews none during a step: move what comes this late into a step of its own",
        ),
        (
            "CIRCLECI",
            "CIRCLE_OIDC_TOKEN_V2",
            "for builds of forks turn on \"Pass secrets to builds from forked pull requests\" \
             in the project's settings",
            "let the job find the command circleci, which gets a fresh one, \
             or raise the ttl in the organization's OIDC custom claims",
        ),
        (
            "TFC_RUN_ID",
            "TFC_WORKLOAD_IDENTITY_TOKEN",
            "set the workspace variable TFC_WORKLOAD_IDENTITY_AUDIENCE, \
             or name the token of a tag with --name",
            "HCP Terraform renews none during a run: start the plan or apply again",
        ),
    ] {
        let line = "ci --audience=a --log-file={dir}/log";
        let run = world.run_with(line, &[(mark, "1"), (variable, " ")]);
        assert_eq!(run.stderr, format!("the variable {variable} is not set; {absent}\n"));
        assert_eq!(run.status, 4);
        let run = world.run_with(line, &[(mark, "1"), (variable, &over)]);
        assert_eq!(
            run.stderr,
            format!(
                "the token in the variable {variable} ended at 2026-11-21T16:00:00Z; {renew}\n"
            )
        );
        assert_eq!(run.status, 8);
    }
    let run = world.run_with("ci", &[("GITLAB_CI", "")]);
    assert_eq!(
        run.stderr,
        format!(
            "this is no job of a known CI system: none of {marks} is set; \
             name the system with --system, or its variable with the source env\n"
        )
    );
    assert_eq!(run.status, 4);
    holds_no_secret(&world.read("log"));
}

#[test]
fn another_audience_is_noted_and_no_mistake() {
    let world = World::new();
    let ours = AUDIENCE.to_owned();
    for (audience, noted) in [
        (format!(r#""https:{ours}""#), None),
        (format!(r#""{ours}""#), None),
        (format!(r#"["x","{ours}"]"#), None),
        (r#""org-1""#.to_owned(), Some("org-1")),
        (r#"["org-1","org-2"]"#.to_owned(), Some("org-1 and org-2")),
    ] {
        let token = jwt_for(&audience, now() + 300);
        let variables = [
            ("BITBUCKET_BUILD_NUMBER", "7"),
            ("BITBUCKET_STEP_OIDC_TOKEN", token.as_str()),
            ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", AUDIENCE),
        ];
        assert_eq!(world.run_with("ci --log-file={dir}/log", &variables).token(), token);
        let log = world.read("log");
        let note = log.lines().find_map(|line| line.split_once("the token is for "));
        let note = note.map(|(_, rest)| rest);
        let due =
            noted.map(|noted| format!("{noted}: the pool provider has to allow that audience"));
        assert_eq!(note.map(str::to_owned), due);
        holds_no_secret(&log);
        fs::remove_file(world.path("log")).unwrap();
    }
}

/// Puts a script into the folder `bin`.
fn script(world: &World, name: &str, body: &str) {
    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    let path = world.write(&format!("bin/{name}"), format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn the_system_s_own_command_is_run_with_the_audience() {
    let world = World::new();
    let good = jwt(300);
    let body = format!(
        "for word in \"$@\"; do echo \"$word\"; done >{}; echo {good}; echo x >&2",
        world.path("words").display()
    );
    script(&world, "buildkite-agent", &body);
    script(&world, "circleci", &body);
    let path = world.fill("{dir}/bin:/usr/bin:/bin");
    for (mark, words) in [
        ("BUILDKITE", format!("oidc\nrequest-token\n--audience\nhttps:{AUDIENCE}\n")),
        ("CIRCLECI", format!("run\noidc\nget\n--claims\n{{\"aud\":\"https:{AUDIENCE}\"}}\n")),
    ] {
        let variables = [
            (mark, "true"),
            ("PATH", &path),
            ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", AUDIENCE),
            ("CIRCLE_OIDC_TOKEN_V2", &jwt_until(OVER)),
        ];
        assert_eq!(world.run_with("ci", &variables).token(), good);
        assert_eq!(world.read("words"), words);
    }
}

#[test]
fn a_command_that_is_absent_or_fails_is_told() {
    let world = World::new();
    script(&world, "circleci", "echo hunter2-bearer >&2; exit 3");
    let with_scripts = world.fill("{dir}/bin:/usr/bin:/bin");
    let given = jwt(300);
    for (mark, path, status, message) in [
        (
            "BUILDKITE",
            "/usr/bin:/bin",
            4,
            "cannot run buildkite-agent: No such file or directory (os error 2); \
             put it into PATH: a container has it only where it is mounted",
        ),
        (
            "CIRCLECI",
            &with_scripts,
            6,
            "circleci failed: exit status: 3; run circleci run oidc get by hand to see its own message",
        ),
    ] {
        let variables = [(mark, "true"), ("PATH", path), ("CIRCLE_OIDC_TOKEN_V2", &given)];
        let run = world.run_with("ci --audience=a --log-file={dir}/log", &variables);
        assert_eq!((run.stderr, run.status), (format!("{message}\n"), status));
    }
    // Named, the variable is taken although the command is there.
    let variables =
        [("CIRCLECI", "true"), ("PATH", &with_scripts), ("CIRCLE_OIDC_TOKEN_V2", &given)];
    let line = "ci --audience=a --name=CIRCLE_OIDC_TOKEN_V2";
    assert_eq!(world.run_with(line, &variables).token(), given);
    holds_no_secret(&world.read("log"));
}
