//! The recipes on the pages of the sources `command` and `env`: each runs exactly as the page gives it,
//! with a script in the tool's place that requires those words and prints what the tool is documented to
//! print.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{World, jwt};

/// The page of a source.
fn page(source: &str) -> String {
    let path = format!("{}/docs/sources/{source}.md", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Puts a script there that prints this when it is run with these words, and fails otherwise.
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
fn programs_of_others() {
    let world = World::new();
    let page = page("command");
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

#[test]
fn an_arguments_file_holds_quotes() {
    let world = World::new();
    let token = jwt(3600);
    let page = page("command");
    let blocks = page.split("```args\n").filter_map(|rest| rest.split("```").next());
    let args = blocks.filter(|block| block.contains("\n--claims\n")).collect::<Vec<_>>();
    let [args] = args[..] else { panic!("{args:?}") };
    tool(&world, "my-token-tool", r#"--claims {"aud":"my audience"}"#, &format!("{token}\n"));
    world.write("args", world.fill(&args.replace("/usr/local/bin/", "{dir}/")));
    assert_eq!(world.run("--args-file={dir}/args").token(), token);
}

/// <https://plugins.jenkins.io/oidc-provider/>: a credential of the kind "OpenID Connect id token" is
/// secret text, which the credentials binding puts into a variable.
#[test]
fn a_variable_of_jenkins() {
    let (page, recipe) = (page("env"), "env --name=MY_TOKEN");
    assert!(page.contains("variable: 'MY_TOKEN'") && page.contains(&format!("wif-token {recipe}")));
    let token = jwt(3600);
    assert_eq!(World::new().run_with(recipe, &[("MY_TOKEN", &token)]).token(), token);
}
