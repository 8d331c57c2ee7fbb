//! The source `kubernetes` against a loopback API server: what it sends, how it reads a kubeconfig,
//! and what it says when something is wrong.

mod common;

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::server::{Server, json, response};
use common::{SECRETS, World, jwt, jwt_until, now};
use serde_json::Value;

const RUN: &str = "kubernetes --account=app --audience={aud} --log-file={dir}/log";

/// An API server that gives this token.
fn giving(token: &str) -> Server {
    let answer = format!(r#"{{"kind":"TokenRequest","status":{{"token":"{token}"}}}}"#);
    Server::new(move |_| response("201 Created", "application/json", &answer))
}

/// A kubeconfig whose user has this and whose cluster has that beside its server.
fn kubeconfig(url: &str, user: &str, cluster: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\n\
         contexts:\n- name: here\n  context: {{cluster: c, user: u, namespace: prod}}\n\
         clusters:\n- name: c\n  cluster:\n    server: {url}\n{cluster}\
         users:\n- name: u\n  user:\n{user}"
    )
}

const TOKEN: &str = "    token: hunter2-bearer\n";

#[test]
fn a_token_request_is_pinned() {
    let world = World::new();
    let token = jwt(3600);
    let server = giving(&token);
    world.write("config", kubeconfig(&format!("{}/k8s/", server.url), TOKEN, ""));
    let line = format!("{RUN} --kubeconfig={{dir}}/config");
    assert_eq!(world.run(&line).token(), token);
    world.run(&format!("{line} --namespace=dev --token-lifetime=600")).document();
    // The variable of a client gets the form that the pool provider shows; an option counts as it is.
    let bare = line.replace(" --audience={aud}", "");
    let variable = [("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", "{aud}")];
    world.run_with(&bare, &variable).document();

    let requests = server.requests();
    let audience = common::AUDIENCE;
    for (request, path, audience, seconds) in [
        (&requests[0], "prod", audience.to_owned(), 3600),
        (&requests[1], "dev", audience.to_owned(), 600),
        (&requests[2], "prod", format!("https:{audience}"), 3600),
    ] {
        let line = format!("POST /k8s/api/v1/namespaces/{path}/serviceaccounts/app/token HTTP/1.1");
        assert_eq!(request.line, line);
        assert_eq!(request.header("authorization"), Some("Bearer hunter2-bearer"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.body,
            format!(
                r#"{{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{{"audiences":["{audience}"],"expirationSeconds":{seconds}}}}}"#
            )
        );
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn the_earlier_end_counts() {
    let world = World::new();
    for (end, life) in [("2026-01-01T00:00:00Z", None), ("2999-01-01T00:00:00Z", Some(3300))] {
        let answer =
            format!(r#"{{"status":{{"token":"{}","expirationTimestamp":"{end}"}}}}"#, jwt(3600));
        let server = Server::new(move |_| json(&answer));
        world.write("config", kubeconfig(&server.url, TOKEN, ""));
        let run = world.run(&format!("{RUN} --kubeconfig={{dir}}/config"));
        match life {
            None => assert_eq!(run.status, 8, "{run:?}"),
            Some(life) => {
                let left = run.document()["expiration_time"].as_i64().unwrap() - now();
                assert!((life - 5..=life).contains(&left), "{left}");
            }
        }
    }
}

#[test]
fn files_are_merged_as_kubectl_does() {
    let world = World::new();
    let (first, second) = (giving(&jwt(3600)), giving(&jwt(3600)));
    world.write("empty", "");
    world.write(
        "one",
        format!(
            "contexts: [{{name: a, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: '{}'}}}}]\nusers: null\n",
            first.url
        ),
    );
    let two =
        kubeconfig(&second.url, TOKEN, "").replace("current-context: here", "current-context: a");
    world.write("two", two);
    world.write("three", "current-context: here");
    let list = [("KUBECONFIG", "{dir}/none:{dir}/empty::{dir}/one:{dir}/two:{dir}/three")];
    world.run_with(RUN, &list).document();
    // The first cluster of its name counts, the user is in the second file, the context in both.
    assert_eq!((first.count(), second.count()), (1, 0));
    assert!(first.requests()[0].line.contains("/namespaces/default/"));
    world.run_with(&format!("{RUN} --context=here"), &list).document();
    assert!(first.requests()[1].line.contains("/namespaces/prod/"));
    world.run_with(&format!("{RUN} --kubeconfig={{dir}}/two --context=here"), &list).document();
    assert_eq!((first.count(), second.count()), (2, 1));
}

#[test]
fn the_kubeconfig_of_the_home_is_the_last_one() {
    let world = World::new();
    let server = giving(&jwt(3600));
    std::fs::create_dir(world.path(".kube")).unwrap();
    // JSON is YAML, and paths are relative to the file.
    world.write("token", "hunter2-bearer\n");
    let config = format!(
        r#"{{"current-context":"x","contexts":[{{"name":"x","context":{{"cluster":"c","user":"u"}}}}],
	"clusters":[{{"name":"c","cluster":{{"server":"{}"}}}}],
	"users":[{{"name":"u","user":{{"token":"stale","tokenFile":"../token"}}}}]}}"#,
        server.url
    );
    world.write(".kube/config", config);
    world.run(RUN).document();
    assert_eq!(server.requests()[0].header("authorization"), Some("Bearer hunter2-bearer"));
}

#[test]
fn a_plugin_is_told_the_cluster_and_gives_a_token() {
    let world = World::new();
    let server = giving(&jwt(3600));
    let script = "#!/bin/sh\nprintf %s \"$KUBERNETES_EXEC_INFO\" >\"$1\"\n\
                  echo noise >&2\n\
                  echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"'$API'\",\
                  \"status\":{\"token\":\"'$TOKEN'\",\"expirationTimestamp\":null}}'\n";
    let path = world.write("plugin", script);
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    world.write("ca.pem", "PEM");
    for version in ["v1", "v1beta1"] {
        let version = format!("client.authentication.k8s.io/{version}");
        let user = format!(
            "    exec:\n      apiVersion: {version}\n      command: ./plugin\n      \
             args: ['{{dir}}/info']\n      interactiveMode: Never\n      provideClusterInfo: true\n      \
             env:\n      - {{name: TOKEN, value: hunter2-bearer}}\n      \
             - {{name: API, value: {version}}}\n"
        );
        let cluster = "    certificate-authority: ca.pem\n    tls-server-name: kubernetes\n    \
                       extensions:\n    - name: client.authentication.k8s.io/exec\n      \
                       extension: {audience: 7, x: [true]}\n";
        world.write("config", world.fill(&kubeconfig(&server.url, &user, cluster)));
        world.run(&format!("{RUN} --kubeconfig={{dir}}/config")).document();
        assert_eq!(
            server.requests().last().unwrap().header("authorization"),
            Some("Bearer hunter2-bearer")
        );
        let info: Value = serde_json::from_str(&world.read("info")).unwrap();
        let expected = serde_json::json!({
            "apiVersion": version,
            "kind": "ExecCredential",
            "spec": {"interactive": false, "cluster": {
                "server": server.url,
                "tls-server-name": "kubernetes",
                "certificate-authority-data": STANDARD.encode("PEM"),
                "config": {"audience": 7, "x": [true]},
            }},
        });
        assert_eq!(info, expected);
    }
    common::holds_no_secret(&world.read("log"));
}

/// What the API server says in a `Status` object.
fn status(line: &str, message: &str) -> Vec<u8> {
    let message = Value::from(message);
    let body = format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":{message}}}"#
    );
    response(line, "application/json", &body)
}

#[test]
fn refusals_name_what_to_change() {
    let world = World::new();
    let forbidden = r#"serviceaccounts "app" is forbidden: User "jane" cannot create resource "serviceaccounts/token" in API group "" in the namespace "prod""#;
    for (answer, exit, message) in [
        (
            status("401 Unauthorized", "Unauthorized"),
            5,
            r#" answered 401: Unauthorized; renew what the user "u" in {dir}/config holds, or take another --context"#,
        ),
        (
            status("403 Forbidden", forbidden),
            5,
            r#" answered 403: serviceaccounts "app" is forbidden: User "jane" cannot create resource "serviceaccounts/token" in API group "" in the namespace "prod"; let an administrator run kubectl -n prod create role wif-token --verb=create --resource=serviceaccounts/token --resource-name=app and kubectl -n prod create rolebinding wif-token --role=wif-token --user=NAME, or mount a projected serviceAccountToken and read it with --path"#,
        ),
        (
            status("404 Not Found", r#"serviceaccounts "app" not found"#),
            3,
            r#" answered 404: serviceaccounts "app" not found; check --account=app and --namespace=prod"#,
        ),
        (
            status("404 Not Found", "the server could not find the requested resource"),
            3,
            " answered 404: the server could not find the requested resource; \
             check --kubeconfig: this is no API server that has TokenRequest",
        ),
        (
            response("404 Not Found", "text/plain", "404 page not found"),
            3,
            " answered 404; check --kubeconfig: this is no API server that has TokenRequest",
        ),
        (
            status(
                "422 Unprocessable Entity",
                "spec.expirationSeconds:\nInvalid value: 9: too short",
            ),
            3,
            " answered 422: spec.expirationSeconds: Invalid value: 9: too short; \
             check --token-lifetime and the audience",
        ),
        (
            status("401 Unauthorized", &format!("no {} {}", SECRETS[1], jwt(60))),
            5,
            r#" answered 401: no [secret] [token]; renew what the user "u" in {dir}/config holds, or take another --context"#,
        ),
        (status("500 Oops", "etcd is away"), 6, " answered 500: etcd is away; try again later"),
    ] {
        let server = Server::new(move |_| answer.clone());
        world.write("config", kubeconfig(&server.url, TOKEN, ""));
        let run = world.run(&format!("{RUN} --kubeconfig={{dir}}/config"));
        let url = format!("{}/api/v1/namespaces/prod/serviceaccounts/app/token", server.url);
        assert_eq!(run.stderr, format!("{url}{}\n", world.fill(message)));
        assert_eq!(run.status, exit);
    }
    let opaque = format!(r#"{{"status":{{"token":"opaque{}"}}}}"#, SECRETS[2]);
    for (answer, words) in [
        (json("{}"), "has no status.token; check --kubeconfig: is it an API server?"),
        (json("<html>"), "answered with HTML; a login page or a proxy may have answered"),
        (json(&opaque), "holds no subject token: it is opaque, not a JWT; check --kubeconfig"),
    ] {
        let server = Server::new(move |_| answer.clone());
        world.write("config", kubeconfig(&server.url, TOKEN, ""));
        let run = world.run(&format!("{RUN} --kubeconfig={{dir}}/config"));
        assert!(run.status == 7 && run.stderr.contains(words), "{}", run.stderr);
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn a_broken_kubeconfig_is_named_with_its_key() {
    let world = World::new();
    let server = giving(&jwt(3600));
    let url = &server.url;
    let with_user = |user: &str| kubeconfig(url, user, "");
    let with_cluster = |cluster: &str| kubeconfig(url, TOKEN, cluster);
    let exec = |more: &str| {
        with_user(&format!(
            "    exec: {{apiVersion: client.authentication.k8s.io/v1, command: {more}}}\n"
        ))
    };
    let user = r#"the user "u" in {dir}/config"#;
    let give = "give it a token, a client certificate or an exec plugin";
    for (config, exit, message) in [
        (
            "users: [hunter2-bearer".to_owned(),
            3,
            "{dir}/config is no kubeconfig: line 2 is no YAML; correct the file, or check --kubeconfig"
                .to_owned(),
        ),
        (
            "- hunter2-bearer".to_owned(),
            3,
            "{dir}/config is no kubeconfig: line 1 begins no mapping; \
             correct the file, or check --kubeconfig"
                .to_owned(),
        ),
        (
            with_user(TOKEN).replace("current-context: here\n", ""),
            3,
            "the kubeconfig has no current-context; name one with --context: here".to_owned(),
        ),
        (
            with_user(TOKEN).replace("current-context: here", "current-context: there"),
            3,
            r#"the kubeconfig has no context "there": it has here; check --context, --kubeconfig and KUBECONFIG"#
                .to_owned(),
        ),
        (
            with_user(TOKEN).replace("cluster: c,", "cluster: d,"),
            3,
            r#"the kubeconfig has no cluster "d": it has c; check --context, --kubeconfig and KUBECONFIG"#
                .to_owned(),
        ),
        (
            with_user(TOKEN).replace(", user: u", ""),
            3,
            r#"the context "here" in {dir}/config has no user; correct the kubeconfig"#.to_owned(),
        ),
        (
            with_user(TOKEN).replace(url, "localhost:8080"),
            3,
            r#"the cluster "c" in {dir}/config has a server that cannot be used: it takes an absolute https:// address; correct the kubeconfig"#
                .to_owned(),
        ),
        (
            with_cluster("    insecure-skip-tls-verify: true\n"),
            3,
            r#"the cluster "c" in {dir}/config has insecure-skip-tls-verify, which is refused; whoever stands between could take its place and keep the credentials: give certificate-authority instead"#
                .to_owned(),
        ),
        (
            with_cluster("    certificate-authority-data: '*'\n"),
            3,
            r#"the cluster "c" in {dir}/config has a certificate-authority-data that is no text in base64; correct the kubeconfig"#
                .to_owned(),
        ),
        (
            with_cluster("    certificate-authority: none.pem\n"),
            3,
            r#"cannot read {dir}/none.pem: it does not exist; check certificate-authority of the cluster "c" in {dir}/config"#
                .to_owned(),
        ),
        (
            with_cluster("    tls-server-name: a b\n"),
            3,
            r#"the cluster "c" in {dir}/config has a tls-server-name that is no name of a host; correct the kubeconfig"#
                .to_owned(),
        ),
        (
            with_cluster("    proxy-url: socks5://proxy:1080\n"),
            3,
            "the proxy of proxy-url is a SOCKS proxy; set proxy-url to http://HOST:PORT".to_owned(),
        ),
        (with_user("    {}\n"), 3, format!("{user} has no credentials; {give}")),
        (
            with_user("    username: jane\n    password: hunter2-client-secret\n"),
            3,
            format!("{user} has a password, which Kubernetes no longer takes (since 1.19); {give}"),
        ),
        (
            with_user("    auth-provider: {name: gcp}\n"),
            3,
            format!(
                "{user} has an auth-provider, which kubectl no longer knows (since 1.26); \
                 give it the exec plugin of that provider"
            ),
        ),
        (
            with_user(&format!("{TOKEN}    as: admin\n")),
            3,
            format!(
                "{user} impersonates another (as), which is not done here; \
                 take the context of a user who may create the token"
            ),
        ),
        (
            with_user("    token: 12345\n"),
            3,
            format!("{user} has a token that is no text; quote it"),
        ),
        (
            with_user("    tokenFile: none\n"),
            3,
            format!("cannot read {{dir}}/none: it does not exist; check tokenFile of {user}"),
        ),
        (
            with_user("    client-certificate-data: eA==\n"),
            3,
            format!("{user} has a client-certificate but no client-key; correct the kubeconfig"),
        ),
        (
            with_user("    client-certificate-data: eA==\n    client-key-data: eA==\n"),
            3,
            format!(
                "the client certificate is not in PEM form; \
                 check client-certificate and client-key of {user}"
            ),
        ),
        (
            exec("x").replace("/v1", "/v1alpha1"),
            3,
            format!(
                "exec of {user} has another apiVersion than client.authentication.k8s.io/v1 or \
                 client.authentication.k8s.io/v1beta1; renew the plugin and its part of the kubeconfig"
            ),
        ),
        (
            exec("x, interactiveMode: Always"),
            3,
            format!(
                "exec of {user} wants a person at a terminal (interactiveMode: Always); \
                 nobody can be asked here: take the context of another user"
            ),
        ),
        (
            exec("no-such-plugin, installHint: apt install it"),
            4,
            "cannot run no-such-plugin: No such file or directory (os error 2); apt install it"
                .to_owned(),
        ),
        (
            exec("'false'"),
            6,
            format!("false failed: exit status: 1; run exec of {user} by hand to see its own message"),
        ),
        (
            exec("echo, args: [hunter2-bearer]"),
            7,
            format!("the output of exec of {user} is no JSON; run the plugin by hand, or renew it"),
        ),
        (
            exec("echo, args: ['{\"kind\":\"ExecCredential\"}']"),
            7,
            format!(
                "the output of exec of {user} is no ExecCredential of \
                 client.authentication.k8s.io/v1; run the plugin by hand, or renew it"
            ),
        ),
        (
            exec(
                "echo, args: ['{\"kind\":\"ExecCredential\",\
                 \"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}']",
            ),
            7,
            format!(
                "the output of exec of {user} has neither a token nor a whole client certificate; \
                 run the plugin by hand, or renew it"
            ),
        ),
        (
            with_user(TOKEN).replace("namespace: prod", "namespace: ../x"),
            3,
            r#""../x" is no name in Kubernetes; check --account and --namespace, or the namespace of the context"#
                .to_owned(),
        ),
        (
            with_user(TOKEN).replace(url, "http://api.example"),
            3,
            "http://api.example/api/v1/namespaces/prod/serviceaccounts/app/token would send a \
             credential in the clear; use https in --kubeconfig, or add --allow-http=api.example"
                .to_owned(),
        ),
    ] {
        world.write("config", config);
        let run = world.run(&format!("{RUN} --kubeconfig={{dir}}/config"));
        assert_eq!(run.stderr, world.fill(&message) + "\n");
        assert_eq!(run.status, exit, "{message}");
    }
    assert_eq!(server.count(), 0);
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn command_lines() {
    let world = World::new();
    world.write("config", kubeconfig("http://127.0.0.1:1", TOKEN, ""));
    for (line, exit, message) in [
        (
            "kubernetes --audience=a --kubeconfig={dir}/config",
            2,
            "a kubeconfig does not say which service account to take; \
             add --account=NAME, and --namespace=NAME where it needs one",
        ),
        (
            "kubernetes --audience=a --kubeconfig={dir}/none",
            4,
            "cannot read {dir}/none: it does not exist; check --kubeconfig",
        ),
        (
            "kubernetes --kubeconfig={dir}/config",
            2,
            "there is no audience; add --audience=… or set GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE",
        ),
        (
            "kubernetes --audience=a",
            4,
            "there is neither a kubeconfig nor a pod: {dir}/.kube/config does not exist or is empty; \
             KUBERNETES_SERVICE_HOST is not set; \
             run it in a pod, or name a kubeconfig with --kubeconfig or KUBECONFIG",
        ),
        (
            "kubernetes --audience=a --context=x",
            4,
            "there is neither a kubeconfig nor a pod: {dir}/.kube/config does not exist or is empty; \
             --context is for a kubeconfig; \
             run it in a pod, or name a kubeconfig with --kubeconfig or KUBECONFIG",
        ),
        (
            "kubernetes --audience=a --token-lifetime=86401",
            2,
            "--token-lifetime takes a whole number of seconds from 600 to 86400; \
             write --token-lifetime=SECONDS",
        ),
        (
            "kubernetes --path=p --namespace=x",
            2,
            "--path reads a token that is there, and --namespace asks for one; leave one of them out",
        ),
        (
            "kubernetes --audience=a --token-type=urn:ietf:params:oauth:token-type:saml2",
            3,
            "Kubernetes gives JWTs alone; expect …:jwt as subject_token_type",
        ),
        (
            "kubernetes --path={dir}/none",
            4,
            "cannot read {dir}/none: it does not exist; check --path, and that the pod has a \
             projected volume with a serviceAccountToken there",
        ),
    ] {
        let run = world.run(line);
        assert_eq!(run.stderr, world.fill(message) + "\n");
        assert_eq!(run.status, exit, "{message}");
    }
}

#[test]
fn a_projected_token_is_read_again_and_a_long_life_is_logged() {
    let world = World::new();
    let line = "kubernetes --path={dir}/token --log-file={dir}/log";
    for token in [jwt(3600), jwt(600)] {
        world.write("token", format!("{token}\n"));
        assert_eq!(world.run(line).token(), token);
    }
    assert!(!world.read("log").contains("warning"));
    let claims = format!(r#"{{"iat":{},"exp":{}}}"#, now(), now() + 86_401);
    let encode = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    world.write("token", format!("e30.{}.{}", encode.encode(claims), SECRETS[2]));
    world.run(line).document();
    assert!(world.read("log").contains("warning: the token lives longer than the 24 h"));
    common::holds_no_secret(&world.read("log"));
    world.write("token", jwt_until(1_795_276_800));
    let run = world.run(line);
    assert_eq!(run.status, 8);
    assert_eq!(
        run.stderr,
        world.fill(
            "the token in the file {dir}/token ended at 2026-11-21T16:00:00Z; \
             the kubelet renews such a file: is it the one that is mounted?\n"
        )
    );
}

/// A proxy that takes CONNECT once; it sends on what it was asked.
fn proxy() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://jane:hunter2-client-secret@{}", listener.local_addr().unwrap());
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        let mut server = TcpStream::connect(head.split(' ').nth(1).unwrap()).unwrap();
        sender.send(head).unwrap();
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let (mut there, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut there, &mut server));
        let _ = io::copy(&mut back, &mut client);
    });
    (url, asked)
}

#[test]
fn a_proxy_of_the_cluster_is_used_for_every_host() {
    let world = World::new();
    let server = giving(&jwt(3600));
    let (url, asked) = proxy();
    let host = server.url.strip_prefix("http://").unwrap();
    world.write("config", kubeconfig(&server.url, TOKEN, &format!("    proxy-url: {url}\n")));
    let line = format!("{RUN} --kubeconfig={{dir}}/config");
    world.run_with(&line, &[("NO_PROXY", "*")]).document();
    let head = asked.recv().unwrap();
    assert!(head.starts_with(&format!("CONNECT {host} HTTP/1.1\r\n")), "{head}");
    assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");

    world.write("config", kubeconfig(&server.url, TOKEN, "    proxy-url: http://127.0.0.1:1\n"));
    let run = world.run(&line);
    assert_eq!(run.status, 6);
    assert_eq!(
        run.stderr,
        "the proxy of proxy-url cannot be reached: io: Connection refused (os error 111); \
         check proxy-url\n"
    );
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn the_pool_provider_trusts_the_issuer_of_the_cluster() {
    let config = "config kubernetes --pool-provider={aud} --out={dir}/c.json";
    let run = World::new().run(&format!("{config} --account=app --namespace=prod"));
    assert!(run.stdout.contains("--issuer-uri=ISSUER"), "{run:?}");
    assert!(run.stdout.contains("/subject/system:serviceaccount:prod:app"), "{run:?}");
}
