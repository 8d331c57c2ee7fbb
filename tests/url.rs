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
