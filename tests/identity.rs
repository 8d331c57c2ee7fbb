//! A cached token is only reused for the identity that it was obtained for. The identity depends on
//! options, variables and files; each test changes one of them between two runs with one output file.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use common::google::{configure, method};
use common::server::{Server, json};
use common::{World, jwt};

/// Runs a command line with each of these environments and one output file, and returns the tokens.
fn tokens(world: &World, line: &str, environments: [&[(&str, &str)]; 2]) -> [String; 2] {
    let line = format!("{line} --audience={{aud}} --output-file={{dir}}/out");
    environments.map(|variables| {
        let first = world.run_with(&line, variables).document().to_string();
        let again = world.run_with(&line, variables).document().to_string();
        assert_eq!(first, again, "the token is cached");
        first
    })
}

#[track_caller]
fn differ([first, second]: [String; 2]) {
    assert_ne!(first, second, "the token of another identity");
}

#[test]
fn the_variable_with_the_token() {
    let (alice, bob) = (jwt(3000), jwt(3600));
    differ(tokens(&World::new(), "env --name=TOK", [&[("TOK", &alice)], &[("TOK", &bob)]]));
}

#[test]
fn the_variable_of_the_ci_job() {
    let environment = |token| vec![("GITLAB_CI", "true"), ("MY_TOKEN", token)];
    let (first, second) = (jwt(3000), jwt(3600));
    let environments = [&environment(first.as_str())[..], &environment(second.as_str())];
    differ(tokens(&World::new(), "ci --name=MY_TOKEN", environments));
}

#[cfg(unix)]
#[test]
fn the_program_that_is_found_in_path() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    for (folder, life) in [("one", 3000), ("two", 3600)] {
        std::fs::create_dir(world.path(folder)).unwrap();
        let script = format!("#!/bin/sh\necho {}\n", jwt(life));
        let program = world.write(&format!("{folder}/issue-token"), script);
        std::fs::set_permissions(program, PermissionsExt::from_mode(0o700)).unwrap();
    }
    let line = "command --audience={aud} --output-file={dir}/out -- issue-token";
    let run = |path: &str| world.run_with(line, &[("PATH", path)]).document().to_string();
    let one = run("/usr/bin:/bin:{dir}/one");
    assert_eq!(run("{dir}/one:/usr/bin:/bin"), one, "the token is cached");
    differ([one, run("/usr/bin:/bin:{dir}/two")]);
}

#[test]
fn the_aws_profile_and_the_aws_files() {
    let world = World::new();
    let keys = |name: &str| {
        format!(
            "[dev]\naws_access_key_id={name}\naws_secret_access_key=s\n[prod]\naws_access_key_id=P{name}\naws_secret_access_key=s\n"
        )
    };
    world.write("one", keys("AKIAONE"));
    world.write("two", keys("AKIATWO"));
    let line = "aws --region=eu-west-1 --mode=caller-identity";
    let file = ("AWS_SHARED_CREDENTIALS_FILE", "{dir}/one");
    differ(tokens(
        &world,
        line,
        [&[file, ("AWS_PROFILE", "dev")], &[file, ("AWS_PROFILE", "prod")]],
    ));
    let other = ("AWS_SHARED_CREDENTIALS_FILE", "{dir}/two");
    let profile = ("AWS_PROFILE", "dev");
    differ(tokens(&world, line, [&[file, profile], &[other, profile]]));
    let key = |id| [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", "s")];
    differ(tokens(&world, line, [&key("AKIAA"), &key("AKIAB")]));
}

#[test]
fn the_address_and_the_token_of_vault() {
    let world = World::new();
    let server = |life| {
        let answer = json(&format!(r#"{{"data":{{"token":"{}"}}}}"#, jwt(life)));
        Server::new(move |_| answer.clone())
    };
    let (one, two) = (server(3000), server(3600));
    let token = ("VAULT_TOKEN", "t");
    let at = |url| [token, ("VAULT_ADDR", url)];
    differ(tokens(&world, "vault --role=r", [&at(&one.url), &at(&two.url)]));
    let before = one.count();
    let address = ("VAULT_ADDR", one.url.as_str());
    tokens(&world, "vault --role=r", [&[address, token], &[address, ("VAULT_TOKEN", "u")]]);
    assert_eq!(one.count(), before + 2, "another Vault token is another identity");
}

#[test]
fn the_azure_client() {
    let world = World::new();
    let answer = json(&format!(r#"{{"access_token":"{}"}}"#, jwt(3600)));
    let server = Server::new(move |_| answer.clone());
    let host = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", server.url.as_str());
    let line = "azure --environment=imds --resource=api://app";
    tokens(&world, line, [&[host, ("AZURE_CLIENT_ID", "a")], &[host, ("AZURE_CLIENT_ID", "b")]]);
    assert_eq!(server.count(), 4, "two probes and two requests");
}

#[test]
fn the_kubeconfig() {
    let world = World::new();
    let answer = json(&format!(r#"{{"status":{{"token":"{}"}}}}"#, jwt(3600)));
    let server = Server::new(move |_| answer.clone());
    for name in ["one", "two"] {
        world.write(
            name,
            format!(
                "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
                 clusters: [{{name: c, cluster: {{server: \"{}\"}}}}]\n\
                 users: [{{name: u, user: {{token: t}}}}]\n",
                server.url
            ),
        );
    }
    let environments: [&[(&str, &str)]; 2] =
        [&[("KUBECONFIG", "{dir}/one")], &[("KUBECONFIG", "{dir}/two")]];
    tokens(&world, "kubernetes --account=a", environments);
    assert_eq!(server.count(), 2);

    for directory in ["first", "second"] {
        std::fs::create_dir(world.path(directory)).unwrap();
        let user = format!("users: [{{name: u, user: {{token: {directory}}}}}]\n");
        world.write(&format!("{directory}/user"), user);
    }
    world.write("one", world.read("one").replace("users:", "others:"));
    let line = "kubernetes --account=a --audience={aud} --output-file={dir}/out";
    let list = if cfg!(windows) { "{dir}/one;user" } else { "{dir}/one:user" };
    for directory in ["first", "first", "second"] {
        let mut command = world.command(line, &[("KUBECONFIG", list)]);
        assert!(command.current_dir(world.path(directory)).output().unwrap().status.success());
    }
    assert_eq!(server.count(), 4, "the second path of the list is another file");
}

#[test]
fn the_metadata_server_of_google() {
    let world = World::new();
    let server = |life| {
        let body = jwt(life);
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: {length}");
        let answer = format!("{head}\r\nConnection: close\r\n\r\n{body}").into_bytes();
        Server::new(move |_| answer.clone())
    };
    let (one, two) = (server(3000), server(3600));
    let hosts = [&one, &two].map(|server| server.url.trim_start_matches("http://").to_owned());
    let [first, second] = hosts.each_ref().map(|host| [("GCE_METADATA_HOST", host.as_str())]);
    differ(tokens(&world, "google", [&first, &second]));
}

/// The source of the credential file may read any variable, such as one that its own options name.
#[test]
fn the_credential_file_of_google_and_its_source() {
    let (world, calls) = (World::new(), AtomicUsize::new(0));
    let google = Server::new(move |request| match method(request) {
        "token" => json(r#"{"access_token":"a","expires_in":3599}"#),
        _ => {
            let life = 3600 + calls.fetch_add(1, Ordering::SeqCst) as i64;
            json(&format!(r#"{{"token":"{}"}}"#, jwt(life)))
        }
    });
    let runs = format!("{} env --name=TOK", env!("CARGO_BIN_EXE_wif-token"));
    let write = |name: &str, account: &str| {
        configure(&world, &google, |config| {
            config["credential_source"] = serde_json::json!({"executable": {"command": runs}});
            let url = config["service_account_impersonation_url"].as_str().unwrap();
            config["service_account_impersonation_url"] = url.replace("/app@", account).into();
        });
        std::fs::rename(world.path("c.json"), world.path(name)).unwrap();
    };
    write("one", "/app@");
    write("two", "/other@");
    let (alice, bob) = (jwt(3000), jwt(3600));
    let allow = ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    let environments: [&[(&str, &str)]; 2] =
        [&[allow, ("TOK", alice.as_str())], &[allow, ("TOK", bob.as_str())]];
    differ(tokens(&world, "google --credentials={dir}/one", environments));

    let same = [environments[0], environments[0]];
    let [first, _] = tokens(&world, "google --credentials={dir}/one", same);
    let [second, _] = tokens(&world, "google --credentials={dir}/two", same);
    assert_ne!(first, second);
    write("one", "/third@");
    let [third, _] = tokens(&world, "google --credentials={dir}/one", same);
    assert_ne!(first, third, "the file now selects another account");
}

#[test]
fn a_relative_path_in_another_directory() {
    let world = World::new();
    std::fs::create_dir(world.path("one")).unwrap();
    std::fs::create_dir(world.path("two")).unwrap();
    let read = |line: &str, directory: &str, life| {
        world.write(&format!("{directory}/t"), jwt(life));
        let mut command = world.command(line, &[]);
        String::from_utf8(command.current_dir(world.path(directory)).output().unwrap().stdout)
    };
    for line in [
        "file --path=t --output-file={dir}/out",
        "command --audience={aud} --output-file={dir}/printed -- cat t",
    ] {
        assert_ne!(read(line, "one", 3000), read(line, "two", 3600), "{line}");
    }

    let answer = json(&format!(r#"{{"data":{{"token":"{}"}}}}"#, jwt(3600)));
    let server = Server::new(move |_| answer.clone());
    let line = format!(
        "url --url={}/ --field=data.token --header=Authorization:file:t --output-file={{dir}}/out",
        server.url
    );
    for directory in ["one", "one", "two"] {
        let mut command = world.command(&line, &[]);
        assert!(command.current_dir(world.path(directory)).output().unwrap().status.success());
    }
    assert_eq!(server.count(), 2);
}

const OPT_IN: (&str, &str) = ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");

#[test]
fn the_access_token_of_another_identity() {
    let world = World::new();
    let server = Server::new(|_| json(r#"{"access_token":"ya29.a","expires_in":3600}"#));
    let config = |source: &str| {
        format!(
            r#"{{"type":"external_account","audience":"{}","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"{}/v1/token","credential_source":{source}}}"#,
            common::AUDIENCE,
            server.url
        )
    };
    let command = format!("{} env --name=TOK", env!("CARGO_BIN_EXE_wif-token"));
    world.write("c.json", config(&format!(r#"{{"executable":{{"command":"{command}"}}}}"#)));
    let line = "access-token --credentials={dir}/c.json --cache-file={dir}/cache";
    let (alice, bob) = (jwt(3000), jwt(3600));
    let run =
        |token: &str| assert_eq!(world.run_with(line, &[("TOK", token), OPT_IN]).stdout, "ya29.a");
    run(&alice);
    run(&alice);
    assert_eq!(server.count(), 1, "the access token is cached");
    run(&bob);
    assert_eq!(server.count(), 2, "bob's token is exchanged");

    world.write("t", &alice);
    world.write("c.json", config(r#"{"file":"t"}"#));
    let run = |directory: &str| {
        let status = world.command(line, &[]).current_dir(world.path(directory)).status();
        assert!(status.unwrap().success());
    };
    std::fs::create_dir(world.path("other")).unwrap();
    world.write("other/t", &bob);
    run("");
    run("other");
    assert_eq!(server.count(), 4, "a relative path is another file in another directory");
}
