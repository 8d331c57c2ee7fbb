//! The recipes on the pages of the sources `command`, `file` and `env` and in the guides: each runs
//! exactly as on the page, with a script in place of the tool that requires the words of the recipe
//! and prints the documented output of the tool, or with a file as the tool is documented to write
//! it.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{World, jwt};

/// The exit statuses of failures.
const ABSENT: i32 = 4;
const EXPIRED: i32 = 8;

/// A page, such as `sources/file`.
fn page(name: &str) -> String {
    let path = format!("{}/docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Writes a script that prints this text if it is run with these words, and fails otherwise.
fn tool(world: &World, name: &str, words: &str, output: &str) {
    world.write("output", output);
    world.write("words", words);
    let dir = world.fill("{dir}");
    let script = format!("#!/bin/sh\n[ \"$*\" = \"$(cat {dir}/words)\" ] && cat {dir}/output\n");
    let path = world.write(name, script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// <https://github.com/spiffe/spire/blob/main/cmd/spire-agent/cli/api/api_test.go>: the SVIDs, then the
/// key sets of the trust domains in base64.
fn spire(token: &str) -> String {
    format!(
        r#"[
  {{
    "svids": [
      {{
        "hint": "",
        "spiffe_id": "spiffe://example.org/app",
        "svid": "{token}"
      }}
    ]
  }},
  {{
    "bundles": {{
      "spiffe://example.org": "eyJrZXlzIjpbXX0="
    }}
  }}
]"#
    )
}

#[test]
fn recipes_with_programs_of_other_projects() {
    let world = World::new();
    let page = page("sources/command");
    let token = jwt(3600);
    let line = format!("{token}\n");
    for (options, folder, name, words, output) in [
        (
            "--field=0.svids.0.svid ",
            "/opt/spire/bin/",
            "spire-agent",
            "api fetch jwt -audience AUDIENCE -output json",
            spire(&token),
        ),
        // https://buildkite.com/docs/agent/v3/cli-oidc
        (
            "",
            "/usr/bin/",
            "buildkite-agent",
            "oidc request-token --audience AUDIENCE",
            line.clone(),
        ),
        // https://namespace.so/docs/federation/openid
        ("", "/usr/local/bin/", "nsc", "auth issue-id-token --audience AUDIENCE", line.clone()),
        // https://manpages.debian.org/bookworm/oidc-agent-cli/oidc-token.1.en.html
        ("", "/usr/bin/", "oidc-token", "--aud=AUDIENCE --time=300 ACCOUNT", line.clone()),
        // https://github.com/warpdotdev/warp/blob/master/app/src/ai/agent_sdk/federate.rs
        (
            "--field=token ",
            "/usr/bin/",
            "oz",
            "--output-format json federate issue-token --run-id RUN --audience AUDIENCE",
            format!(
                r#"{{"expires_at":"2026-11-30T08:00:00Z","issuer":"https://app.warp.dev","token":"{token}"}}"#
            ),
        ),
        // https://developer.1password.com/docs/cli/reference/commands/read
        ("", "/usr/bin/", "op", "read op://VAULT/ITEM/FIELD", line.clone()),
    ] {
        let recipe = format!("command {options}-- {folder}{name} {words}");
        assert!(page.contains(&format!("`{recipe}`")), "{recipe}");
        tool(&world, name, words, &output);
        let run = world.run(&recipe.replace(folder, "{dir}/"));
        assert_eq!(run.token(), token, "{recipe}");
    }
}

/// The recipe for the SPIRE agent in its guide is the recipe on the page of the source.
#[test]
fn the_guide_has_the_recipe_of_the_page() {
    let recipe = "`command --field=0.svids.0.svid -- /opt/spire/bin/spire-agent api fetch jwt -audience \
                  AUDIENCE -output json`";
    assert!(page("guides/spiffe").contains(recipe) && page("sources/command").contains(recipe));
}

/// The files that programs write, and the text that follows the token in each:
///
/// - Nomad: <https://developer.hashicorp.com/nomad/docs/job-specification/identity>
/// - spiffe-helper: <https://github.com/spiffe/spiffe-helper/blob/main/pkg/disk/json.go>
/// - tbot: <https://goteleport.com/docs/reference/machine-workload-identity/configuration/>
/// - Vault Agent: <https://developer.hashicorp.com/vault/docs/agent-and-proxy/agent/template>
/// - htgettoken: <https://github.com/fermitools/htgettoken/blob/master/htgettoken.1>
/// - systemd: <https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Credentials>
#[test]
fn recipes_with_files_of_other_projects() {
    let world = World::new();
    for (pages, path, end) in [
        (&["sources/file", "guides/nomad"][..], "/secrets/nomad_google.jwt", ""),
        (&["sources/file", "guides/spiffe"], "/run/my-app/jwt_svid.token", ""),
        (&["sources/file", "guides/spiffe"], "/run/my-app/jwt_svid", ""),
        (&["sources/file", "sources/vault"], "/run/my-app/token", ""),
        (&["sources/file"], "/run/user/1000/bt_u1000", "\n"),
        (&["sources/file"], "/run/credentials/my-app.service/token", "\n"),
    ] {
        let recipe = format!("file --path={path}");
        for name in pages {
            let is_there = ["`", " "].map(|end| page(name).contains(&format!("{recipe}{end}")));
            assert!(is_there.contains(&true), "{recipe} is not in {name}");
        }
        let line = recipe.replace("--path=/", "--path={dir}/");
        let file = path.trim_start_matches('/');
        fs::create_dir_all(world.path(file).parent().unwrap()).unwrap();
        assert_eq!(world.run(&line).status, ABSENT, "{recipe}");
        for life in [3600, 7200] {
            let token = jwt(life);
            world.write(file, format!("{token}{end}"));
            assert_eq!(world.run(&line).token(), token, "{recipe}");
        }
        world.write(file, jwt(-60));
        let run = world.run(&line);
        let fix = format!("check the program or timer that renews {}", world.path(file).display());
        assert!(run.status == EXPIRED && run.stderr.contains(&fix), "{run:?}");
    }
}

#[test]
fn an_arguments_file_can_contain_quotes_inside_an_argument() {
    let world = World::new();
    let token = jwt(3600);
    let page = page("sources/command");
    let blocks = page.split("```args\n").filter_map(|rest| rest.split("```").next());
    let args = blocks.filter(|block| block.contains("\n--claims\n")).collect::<Vec<_>>();
    let [args] = args[..] else { panic!("{args:?}") };
    tool(&world, "my-token-tool", r#"--claims {"aud":"my audience"}"#, &format!("{token}\n"));
    world.write("args", world.fill(&args.replace("/usr/local/bin/", "{dir}/")));
    assert_eq!(world.run("--args-file={dir}/args").token(), token);
}

/// Jenkins: a credential of the kind "OpenID Connect id token" is secret text, which the credentials
/// binding puts into a variable. <https://plugins.jenkins.io/oidc-provider/>
///
/// Nomad: the variable of a named identity.
/// <https://developer.hashicorp.com/nomad/docs/job-specification/identity>
#[test]
fn recipes_with_variables_of_other_projects() {
    for (page, names, variable) in [
        (page("sources/env"), "variable: 'MY_TOKEN'", "MY_TOKEN"),
        (page("guides/nomad"), "name = \"google\"", "NOMAD_TOKEN_google"),
    ] {
        let recipe = format!("env --name={variable}");
        assert!(page.contains(names) && page.contains(&format!("wif-token {recipe}")), "{recipe}");
        let token = jwt(3600);
        assert_eq!(World::new().run_with(&recipe, &[(variable, &token)]).token(), token);
        let run = World::new().run_with(&recipe, &[(variable, &jwt(-60))]);
        assert!(run.status == EXPIRED && run.stderr.contains("; restart the job"), "{run:?}");
    }
}
