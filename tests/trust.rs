//! Values that contain the content of a file instead of a path or name, values with line breaks,
//! and files that other users can access.

mod common;

use std::fs;
use std::process::Command;

use common::{Run, World, jwt};

const PROVIDER: &str =
    "--pool-provider=projects/1/locations/global/workloadIdentityPools/p/providers/q";

/// Runs the program with these words, which may contain spaces and line breaks.
fn run(world: &World, words: &[&str], variables: &[(&str, &str)]) -> Run {
    let mut command: Command = world.command("", variables);
    command.current_dir(world.path("")).args(words.iter().map(|word| world.fill(word)));
    Run::new(command.output().unwrap())
}

fn contents() -> Vec<(String, &'static str)> {
    let pem = "-----BEGIN PRIVATE KEY-----\nSECRETMARK\n-----END PRIVATE KEY-----\n";
    let key = serde_json::json!({"type": "service_account", "private_key": pem}).to_string();
    vec![
        (pem.to_owned(), "looks like a PEM key"),
        (key, "looks like JSON"),
        (format!("{}SECRETMARK", jwt(60)), "looks like a JWT"),
        ("https://user:SECRETMARK@host/".to_owned(), "looks like a URL with a user name"),
        ("ID_TOKEN=SECRETMARK".to_owned(), "looks like an assignment"),
        ("a line\nSECRETMARK".to_owned(), "looks like text with line breaks"),
        (format!("SECRETMARK{}", "x".repeat(300)), "looks like a token or a text"),
        ("SECRETMARKq8Zk2Vt/Lm0xWb7RcY3nHs5Jd1PgE9uTfA4oKi6S".to_owned(), "looks like a token"),
        ("s.kQpXz2LmN8vTyRwB4dJcSECRETMARK".to_owned(), "looks like a token"),
        ("xoxp-SECRETMARK".to_owned(), "looks like a token"),
    ]
}

#[test]
fn content_in_place_of_a_path_or_name_is_described_and_not_repeated() {
    let world = World::new();
    let azure = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
    let aws = [("AWS_REGION", "eu-west-1"), ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x")];
    type Case =
        (&'static [&'static str], &'static str, &'static str, Vec<(&'static str, &'static str)>);
    let cases: Vec<Case> = vec![
        (&["access-token"], "GOOGLE_APPLICATION_CREDENTIALS", "", vec![]),
        (&["check", "--offline"], "GOOGLE_APPLICATION_CREDENTIALS", "", vec![]),
        (&["aws", "--audience=a"], "AWS_WEB_IDENTITY_TOKEN_FILE", "", aws.to_vec()),
        (&["azure", "--resource=r"], "AZURE_FEDERATED_TOKEN_FILE", "", azure.to_vec()),
        (&["file"], "", "--path=", vec![]),
        (&["env"], "", "--name=", vec![]),
        (&["access-token"], "", "--credentials=", vec![]),
        (&["google", "--audience=a"], "", "--credentials=", vec![]),
        (
            &["key", "--audience=a", "--issuer=https://a.example", "--subject=s"],
            "",
            "--key=",
            vec![],
        ),
        (&["file", "--path=/t"], "", "--args-file=", vec![]),
        (
            &["oidc", "--issuer=https://a.example", "--client-id=c"],
            "",
            "--client-secret=file:",
            vec![],
        ),
    ];
    for (words, variable, option, others) in cases {
        for (content, described) in contents() {
            let option = (!option.is_empty()).then(|| format!("{option}{content}"));
            let words: Vec<&str> = words.iter().copied().chain(option.as_deref()).collect();
            let mut variables = others.clone();
            if !variable.is_empty() {
                variables.push((variable, &content));
            }
            let run = run(&world, &words, &variables);
            let shown = format!("{}{}", run.stdout, run.stderr);
            assert_ne!(run.status, 0, "{shown}");
            assert!(!shown.contains("SECRETMARK"), "{words:?} {variable}: {shown}");
            let is_reference = words.iter().any(|word| word.starts_with("--client-secret"));
            let named = if variable.is_empty() { "--" } else { variable };
            assert!(shown.contains(named), "{shown}");
            assert!(
                is_reference || shown.contains(described) || shown.contains("control characters"),
                "{words:?} {variable} {described}: {shown}"
            );
        }
    }
}

#[test]
fn names_from_variables_and_files_are_not_repeated_if_they_are_content() {
    let world = World::new();
    let mut leaks = Vec::new();
    for (content, _) in contents() {
        for (words, name) in [
            (&["aws", "--audience=a"][..], "AWS_PROFILE"),
            (&["aws", "--audience=a"], "AWS_REGION"),
            (&["aws", "--audience=a"], "AWS_CONFIG_FILE"),
            (&["aws", "--audience=a"], "AWS_SHARED_CREDENTIALS_FILE"),
            (&["aws", "--audience=a"], "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            (&["kubernetes", "--audience=a"], "KUBECONFIG"),
            (&["kubernetes", "--audience=a"], "KUBERNETES_SERVICE_HOST"),
            (&["azure", "--resource=r"], "AZURE_TENANT_ID"),
            (&["azure", "--resource=r"], "AZURE_AUTHORITY_HOST"),
            (&["url", "--url=https://127.0.0.1:1/"], "HTTPS_PROXY"),
            (&["url", "--url=https://127.0.0.1:1/"], "SSL_CERT_FILE"),
            (&["google", "--audience=a"], "GCE_METADATA_HOST"),
            (&["vault", "--role=r"], "VAULT_CACERT"),
            (&["vault", "--role=r"], "VAULT_NAMESPACE"),
            (&["vault", "--role=r"], "VAULT_ADDR"),
            (&["file", "--path=/none"], "GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE"),
            (&["file", "--path=/none"], "GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE"),
        ] {
            let words: Vec<&str> =
                words.iter().copied().chain(["--timeout=2", "--log-file={dir}/log"]).collect();
            let off = ("AWS_EC2_METADATA_DISABLED", "true");
            let run = run(&world, &words, &[(name, &content), off]);
            let log = fs::read_to_string(world.path("log")).unwrap_or_default();
            let shown = format!("{}{}{log}", run.stdout, run.stderr);
            if shown.contains("SECRETMARK") {
                leaks.push(format!("{name}: {shown}"));
            }
            let _ = fs::remove_file(world.path("log"));
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn a_line_break_never_reaches_a_configuration_or_a_command() {
    let world = World::new();
    let config = ["config", "command", PROVIDER, "--out={dir}/c.json"];
    for word in ["a\n--b", "a\r\nb", "\n", " a", "#a", ""] {
        let words: Vec<&str> = config.into_iter().chain(["--", "/bin/x", "a b", word]).collect();
        let run = run(&world, &words, &[]);
        assert_eq!(run.status, 2, "{word:?}: {}", run.stdout);
        assert!(!world.path("c.args").exists() && !world.path("c.json").exists());
    }
    for option in [
        "--out={dir}/c.json\nrm x",
        "--program=/bin/x\ny",
        "--output-file=/x\ny",
        "--service-account=a@b.c\nrm",
        "--service-account=a@b.iam.gserviceaccount.com;rm",
        "--service-account=serviceAccount:a@b.iam.gserviceaccount.com",
        "--universe-domain=example.com/x",
        "--universe-domain=Example",
        "--workforce-pool-user-project=1 2",
        "--pool-provider=projects/1/locations/global/workloadIdentityPools/P_x/providers/q",
    ] {
        let run = run(&world, &["config", "file", "--path=/t", PROVIDER, option], &[]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{option}");
        assert!(run.stderr.contains("; "), "{}", run.stderr);
    }
    assert!(
        fs::read_dir(world.path(""))
            .unwrap()
            .next()
            .is_none_or(|entry| { entry.unwrap().file_name() == ".cache" })
    );
}

#[test]
fn config_replaces_only_what_it_wrote() {
    let world = World::new();
    let words = ["config", "file", "--path=/run/a token", PROVIDER, "--out={dir}/c.json"];
    for content in ["{\"type\":\"service_account\"}", "a key", "[package]\n"] {
        world.write("c.json", content);
        let run = run(&world, &words, &[]);
        assert_eq!(run.status, 3, "{}", run.stdout);
        assert_eq!(world.read("c.json"), content);
    }
    fs::remove_file(world.path("c.json")).unwrap();
    world.write("c.args", "my arguments\n");
    assert_eq!(run(&world, &words, &[]).status, 3);
    assert_eq!(world.read("c.args"), "my arguments\n");
    fs::remove_file(world.path("c.args")).unwrap();
    for _ in 0..2 {
        let run = run(&world, &words, &[]);
        assert_eq!(run.status, 0, "{}", run.stderr);
    }
    for out in ["--out=-", "--out=/dev/stdout"] {
        let run = run(&world, &["config", "file", "--path=/t", PROVIDER, out], &[]);
        assert!(run.stdout.starts_with("{\n"), "{}", run.stderr);
    }
}

#[cfg(unix)]
#[test]
fn check_warns_about_files_that_others_can_access() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mode = |name: &str, mode| {
        fs::set_permissions(world.path(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    let key = "key --key={dir}/k.pem --issuer=https://a.example --subject=s";
    world.run(&format!("{key} --audience=a --generate")).document();
    world.write("args", world.fill(&key.replace(' ', "\n")));
    let config = serde_json::json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "client_id": "c",
        "client_secret": "hunter2",
        "credential_source": {"executable": {
            "command": format!("{} --args-file={}", env!("CARGO_BIN_EXE_wif-token"), world.path("args").display()),
        }},
    });
    world.write("c.json", config.to_string());
    for name in ["c.json", "args", "k.pem"] {
        mode(name, 0o600);
    }
    let check = || {
        let opt_in = [("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")];
        run(&world, &["check", "--offline", "--credentials={dir}/c.json"], &opt_in).stdout
    };
    let good = check();
    assert!(!good.contains("chmod"), "{good}");
    for (name, bits, command) in [
        ("k.pem", 0o640, "chmod 600 {dir}/k.pem"),
        ("k.pem", 0o602, "chmod 600 {dir}/k.pem"),
        ("c.json", 0o644, "chmod 600 {dir}/c.json"),
        ("c.json", 0o602, "chmod go-w {dir}/c.json"),
        ("args", 0o602, "chmod go-w {dir}/args"),
    ] {
        mode(name, bits);
        let report = check();
        assert!(report.contains(&world.fill(command)), "{name} {bits:o}: {report}");
        mode(name, 0o600);
    }
    // Only root can give a file to another user.
    for name in ["k.pem", "c.json", "args"] {
        let give = |user| std::os::unix::fs::chown(world.path(name), Some(user), None);
        if give(65534).is_err() {
            return;
        }
        let report = check();
        assert!(report.contains(&world.fill(&format!("chown 0 {{dir}}/{name}"))), "{report}");
        give(0).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn check_warns_about_a_secret_that_it_does_not_send_offline() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.write("secret", "hunter2");
    fs::set_permissions(world.path("secret"), PermissionsExt::from_mode(0o644)).unwrap();
    let oidc = "oidc --issuer=https://a.example --client-id=c --client-secret=file:{dir}/secret";
    let program = env!("CARGO_BIN_EXE_wif-token");
    let config = serde_json::json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"executable": {"command": format!("{program} {}", world.fill(oidc))}},
    });
    world.write("c.json", config.to_string());
    let opt_in = [("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1")];
    let report = run(&world, &["check", "--offline", "--credentials={dir}/c.json"], &opt_in).stdout;
    assert!(report.contains(&world.fill("chmod 600 {dir}/secret")), "{report}");
}
