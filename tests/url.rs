//! The source `url`: cases that depend on the time of a run or the mode of a file. Its messages are in
//! `tests/scenarios/url`.

mod common;

use std::net::TcpListener;
use std::time::Instant;

use common::World;

#[test]
fn a_silent_server_fails_before_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let began = Instant::now();
    let line = format!("url --url=http://{}/t --timeout=1", silent.local_addr().unwrap());
    let run = World::new().run(&line);
    assert_eq!(run.status, 6, "{run:?}");
    assert!(began.elapsed().as_millis() < 1000, "it ends before its deadline");
}

#[cfg(unix)]
#[test]
fn the_log_warns_about_secrets_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;

    use common::server::{Server, json};
    use common::{SECRETS, jwt};
    let world = World::new();
    let server = Server::new(|_| json(&jwt(60)));
    let path = world.write("secret", SECRETS[1]);
    let shown = path.display();
    let line = format!(
        "url --url={}/ --header=X-Token:file:{{dir}}/secret --log-file={{dir}}/log",
        server.url
    );
    for (mode, warned) in [(0o644, true), (0o600, false)] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        world.run(&line).document();
        let warning = format!("chmod 600 {shown}");
        assert_eq!(world.read("log").contains(&warning), warned, "{mode:o}");
        std::fs::remove_file(world.path("log")).unwrap();
    }
}

/// The limit does not apply to root. If root runs the test, the program runs as another user.
#[cfg(target_os = "linux")]
#[test]
fn a_system_that_refuses_threads_does_not_end_the_run() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::{env, fs};

    use common::server::{Server, json};
    use common::{AUDIENCE, Run, jwt};
    let server = Server::new(|_| json(&jwt(60)));
    let program = env::temp_dir().join(format!("wif-token-without-threads-{}", std::process::id()));
    fs::copy(env!("CARGO_BIN_EXE_wif-token"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut shell = Command::new("/bin/sh");
    shell
        .args([
            "-c",
            "if (ulimit -p 1) 2>/dev/null; then ulimit -p 1; else ulimit -u 1; fi; exec \"$@\"",
            "sh",
        ])
        .arg(&program)
        .env_clear();
    shell.args(["url", &format!("--url={}/", server.url), &format!("--audience={AUDIENCE}")]);
    if rustix::process::geteuid().is_root() {
        shell.uid(65534).gid(65534);
    }
    let output = shell.current_dir("/").output();
    fs::remove_file(&program).unwrap();
    Run::new(output.unwrap()).token();
}
