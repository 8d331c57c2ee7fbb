//! `exec`: the environment, streams, signals and exit status of the command, and what is left behind.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::google::IMPERSONATED;
use common::metadata::{ACCOUNT, ALLOW, Client, Google, runs_program};
use common::{Run, World};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json as object;

/// The command that runs a shell script under `exec`, with the default handling of signals.
fn exec(world: &World, options: &str, script: &str) -> Command {
    let line = format!("exec --credentials={{dir}}/c.json --log-file={{dir}}/log {options} --");
    let run = world.command(&line, &[]);
    fs::create_dir_all(world.path("tmp")).unwrap();
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(run.get_program()).args(run.get_args());
    command.args(["/bin/sh", "-c", script]).current_dir(world.path("")).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("TMPDIR", world.path("tmp"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(world: &World, options: &str, script: &str) -> Run {
    let run = Run::new(exec(world, options, script).output().unwrap());
    assert!(leaves_nothing(world), "{run:?}");
    run
}

fn leaves_nothing(world: &World) -> bool {
    fs::read_dir(world.path("tmp")).unwrap().count() == 0
}

/// Removed variables, each of which selects other credentials.
const SELECTING: &str = "GCE_METADATA_MTLS_MODE google_application_credentials GOOGLE_CLOUD_CREDENTIALS GCLOUD_KEYFILE_JSON \
     GOOGLE_CREDENTIALS GOOGLE_OAUTH_ACCESS_TOKEN GOOGLE_IMPERSONATE_SERVICE_ACCOUNT \
     GOOGLE_BACKEND_CREDENTIALS CLOUDSDK_AUTH_ACCESS_TOKEN CLOUDSDK_AUTH_ACCESS_TOKEN_FILE \
     CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE CLOUDSDK_AUTH_DISABLE_CREDENTIALS \
     CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT CLOUDSDK_CORE_ACCOUNT CLOUDSDK_CORE_CHECK_GCE_METADATA";

/// Variables that select a project or a region. They are not removed.
const OTHER: [&str; 4] =
    ["CLOUDSDK_CORE_PROJECT", "CLOUDSDK_COMPUTE_REGION", "GOOGLE_CLOUD_PROJECT", "GOOGLE_REGION"];

/// Waits until the file contains a complete line, and returns its content.
fn await_file(path: &Path) -> String {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("no {}", path.display());
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Writes the address of the server to the file `host`, then waits until standard input ends.
const WAITS: &str = "echo $GCE_METADATA_HOST > host.new; mv host.new host; cat > /dev/null";

/// Starts [`WAITS`], and returns the address.
fn waiting(world: &World) -> (Child, String) {
    let child = exec(world, "", WAITS).stdin(Stdio::piped()).spawn().unwrap();
    (child, await_file(&world.path("host")).trim().to_owned())
}

fn get(address: &str, path: &str) -> common::metadata::Response {
    let mut client = Client::connect(address);
    client.send(&format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nMetadata-Flavor: Google\r\n\r\n"
    ));
    client.response(false).unwrap()
}

#[test]
fn clients_of_the_command_get_tokens_while_it_runs() {
    let google = Google::new();
    let world = google.world(true);
    let (mut child, address) = waiting(&world);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_eq!(google.server.count(), 0, "no token is fetched before one is requested");
    let token = get(&address, &format!("{ACCOUNT}token"));
    assert_eq!(token.json()["access_token"], IMPERSONATED);
    let id_token = get(&address, &format!("{ACCOUNT}identity?audience=a"));
    assert_eq!(id_token.status, 200);
    assert_eq!(get(&address, "/subject-token").status, 403);
    drop(child.stdin.take());
    let run = Run::new(child.wait_with_output().unwrap());
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    assert!(TcpStream::connect(&address).is_err(), "the server has ended");
    assert!(leaves_nothing(&world));
    let log = world.read("log");
    common::holds_no_secret(&log);
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn the_environment_selects_only_the_server() {
    let google = Google::new();
    let world = google.world(true);
    let mut command =
        exec(&world, "", "env; ls -A \"$CLOUDSDK_CONFIG\"; stat -c mode=%a \"$CLOUDSDK_CONFIG\"");
    command.envs([
        ("GOOGLE_APPLICATION_CREDENTIALS", "/other"),
        ("NO_GCE_CHECK", "true"),
        ("GCE_METADATA_HOST", "other"),
        ("GCE_METADATA_IP", "other"),
        ("GCE_METADATA_ROOT", "other"),
        ("METADATA_SERVER_DETECTION", "none"),
        ("CLOUDSDK_CONFIG", "/other"),
        ("no_proxy", "a.example, b.example"),
        ("NO_PROXY", "b.example,,c.example"),
        ("http_proxy", "http://proxy.example"),
        ("OTHER", "kept"),
    ]);
    command.envs(SELECTING.split_whitespace().map(|name| (name, "hunter2-other")));
    command.envs(OTHER.map(|name| (name, "kept")));
    let run = Run::new(command.output().unwrap());
    let variables: Vec<(&str, &str)> =
        run.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| variables.iter().find(|(found, _)| *found == name).map(|(_, v)| *v);
    let host = value("GCE_METADATA_HOST").unwrap();
    assert!(host.starts_with("127.0.0.1:"), "{host}");
    assert_eq!(value("GCE_METADATA_IP"), Some(host));
    assert_eq!(value("GCE_METADATA_ROOT"), Some(host));
    assert_eq!(value("METADATA_SERVER_DETECTION"), Some("assume-present"));
    assert_eq!(value("GOOGLE_APPLICATION_CREDENTIALS"), None);
    assert_eq!(value("NO_GCE_CHECK"), None);
    for name in SELECTING.split_whitespace() {
        assert_eq!(value(name), None, "{name}");
    }
    assert_eq!(OTHER.map(value), OTHER.map(|_| Some("kept")));
    let union = Some("a.example,b.example,c.example,127.0.0.1");
    assert_eq!((value("no_proxy"), value("NO_PROXY")), (union, union));
    assert_eq!((value("http_proxy"), value("OTHER")), (Some("http://proxy.example"), Some("kept")));
    assert_eq!(value("mode"), Some("700"));
    let folder = value("CLOUDSDK_CONFIG").unwrap();
    assert!(folder.starts_with(world.path("tmp").to_str().unwrap()), "{folder}");
    assert!(run.stdout.ends_with("mode=700\n"), "it is empty: {}", run.stdout);
    let before = run.stdout.lines().rev().nth(1).unwrap();
    assert!(before.contains('='), "it is empty: {}", run.stdout);
    assert!(!run.stdout.contains("hunter2"));
    assert!(!Path::new(folder).exists());
}

/// If another entry were added, clients such as curl and Python would use the proxy.
#[test]
fn a_no_proxy_list_that_matches_every_host_gets_no_other_entry() {
    let google = Google::new();
    let world = google.world(true);
    for variables in [
        &[("no_proxy", " * ")][..],
        &[("NO_PROXY", "*")],
        &[("no_proxy", "a.example"), ("NO_PROXY", "*")],
    ] {
        let mut command = exec(&world, "", "echo \"$no_proxy $NO_PROXY\"");
        let run = Run::new(command.envs(variables.iter().copied()).output().unwrap());
        assert_eq!(run.stdout, "* *\n", "{variables:?}");
    }
}

#[test]
fn the_reason_that_the_command_does_not_start_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let google = Google::new();
    let world = google.world(true);
    for folder in ["tmp", "folder"] {
        fs::create_dir(world.path(folder)).unwrap();
    }
    let files = [
        ("crlf", "#!/bin/sh\r\n"),
        ("no-interpreter", "#!/nonexistent/sh\n"),
        ("text", "exit 0\n"),
        ("plain", "#!/bin/sh\n"),
    ];
    for (name, content) in files {
        let mode = if name == "plain" { 0o644 } else { 0o755 };
        let path = world.write(name, content);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    for (command, status, reason) in [
        ("./crlf", 126, "it has Windows line endings (CRLF); save"),
        ("./no-interpreter", 126, "does not exist; install the interpreter"),
        ("./text", 126, "it has no #! line; add a first line"),
        ("./plain", 126, "it is not executable; run chmod +x"),
        ("./folder", 126, "it is a directory; add the name of the program"),
        ("folder", 127, "folder was not found; correct the command after --"),
        ("", 2, "exec requires a command; add the command after --"),
    ] {
        let mut exec = world.command("exec --credentials={dir}/c.json --", &[]);
        exec.arg(command).current_dir(world.path("")).env("TMPDIR", world.path("tmp"));
        let run = Run::new(exec.output().unwrap());
        assert_eq!((run.status, run.stdout.as_str()), (status, ""), "{command}: {run:?}");
        assert!(run.stderr.contains(reason) && run.stderr.lines().count() == 1, "{run:?}");
        assert!(leaves_nothing(&world), "{command}");
    }
}

/// The folder is removed even when no file can be opened. With a lower limit, the dynamic loader
/// fails.
#[test]
fn the_limit_that_prevents_the_start_of_the_command_is_named() {
    let google = Google::new();
    let world = google.world(true);
    fs::create_dir(world.path("tmp")).unwrap();
    let exec = world.command("exec --credentials={dir}/c.json -- true", &[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "for limit in $(seq 3 30); do (ulimit -n $limit; \"$@\"); done; :", "sh"]);
    shell.arg(exec.get_program()).args(exec.get_args()).env("TMPDIR", world.path("tmp"));
    let run = Run::new(shell.output().unwrap());
    assert!(run.stderr.contains("cannot run true: Too many open files"), "{run:?}");
    let is_named = |line: &str| line.ends_with("raise the limit on open files (ulimit -n)");
    let mut own = run.stderr.lines().filter(|line| line.starts_with("cannot "));
    assert!(own.all(is_named), "{run:?}");
    assert!(leaves_nothing(&world));
}

#[test]
fn the_exit_status_is_that_of_the_command() {
    let google = Google::new();
    let world = google.world(true);
    for (script, status) in [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 42", 42),
        ("exit 255", 255),
        ("kill -TERM $$", 128 + 15),
        ("kill -KILL $$", 128 + 9),
        ("ulimit -c 0; kill -SEGV $$", 128 + 11),
        // Files that the command writes to its configuration folder are removed with the folder.
        ("mkdir -p $CLOUDSDK_CONFIG/a/b; touch $CLOUDSDK_CONFIG/a/b/c; exit 3", 3),
    ] {
        let run = run(&world, "", script);
        let expected = (status, "", "");
        assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), expected, "{script}");
    }
    world.write("plain", "text");
    for (command, status, message) in [
        ("none-such", 127, "none-such was not found; correct the command after --\n"),
        ("{dir}/none", 127, "none was not found; correct the command after --\n"),
        ("{dir}/plain", 126, "cannot run "),
        ("/", 126, "cannot run "),
        ("", 2, "exec requires a command"),
    ] {
        let line = format!("exec --credentials={{dir}}/c.json -- {command}");
        let run = world.run_with(&line, &[("TMPDIR", "{dir}/tmp")]);
        assert_eq!((run.status, run.stdout.as_str()), (status, ""), "{command}: {run:?}");
        assert!(run.stderr.contains(message), "{run:?}");
        assert_eq!(run.stderr.matches('\n').count(), 1, "{run:?}");
        assert!(leaves_nothing(&world), "{command}");
    }
    let run = world.run("exec --credentials={dir}/c.json ls -l");
    assert_eq!(run.status, 2);
    assert!(
        run.stderr.ends_with("; write -- before the program: wif-token exec -- COMMAND [ARG]...\n")
    );
    assert_eq!(google.server.count(), 0);
}

#[test]
fn the_configuration_is_validated_before_the_command_starts() {
    let google = Google::new();
    let world = google.world(true);
    let script = "touch started";
    world.write("bad.json", "{}");
    for options in
        ["--credentials={dir}/bad.json", "--credentials={dir}/none", "--project=X_", "--unknown=x"]
    {
        let line = format!("exec {options} -- /bin/touch {{dir}}/started");
        let run = world.run(&line);
        assert!(![0, 126, 127].contains(&run.status), "{run:?}");
        assert!(!world.path("started").exists());
    }
    let executable = r#"{"executable":{"command":"/bin/false"}}"#;
    let file = object!({"file": world.fill("{dir}/t")}).to_string();
    world.write("executable.json", world.read("c.json").replace(&file, executable));
    let line = "exec --credentials={dir}/executable.json -- /bin/touch {dir}/started";
    let refused = world.run(line);
    assert_eq!(refused.status, 3, "{refused:?}");
    assert!(refused.stderr.starts_with("executables are not allowed: "), "{refused:?}");
    assert!(!world.path("started").exists());
    google.set(|google| google.failure = Some("403 Forbidden"));
    let failed = run(&world, "--check-first", script);
    assert!(![0, 126, 127].contains(&failed.status), "{failed:?}");
    failed.holds_no_secret();
    assert!(!world.path("started").exists());
    assert_eq!(run(&world, "", script).status, 0);
    assert!(world.path("started").exists());
    google.set(|google| google.failure = None);
    // The refusal is remembered until a file changes.
    world.write("t", world.read("t"));
    assert_eq!(run(&world, "--check-first", "exit 5").status, 5);
    assert_eq!(google.calls("generateAccessToken"), 1);
}

#[test]
fn the_standard_streams_are_those_of_the_command() {
    let google = Google::new();
    let world = google.world(true);
    let mut command = exec(&world, "", "cat; echo error >&2; readlink /proc/self/fd/0 > stdin");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number * 7 % 256) as u8).collect();
    let mut input = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = thread::spawn(move || input.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == bytes && output.stderr == b"error\n");
    assert!(world.read("stdin").starts_with("pipe:"));

    // The command has no open file that it would not have without this program.
    let lists = "ls /proc/$$/fd; true";
    let without = Command::new("/bin/sh").args(["-c", lists]).output().unwrap();
    assert_eq!(run(&world, "", lists).stdout, String::from_utf8(without.stdout).unwrap());

    // Standard output is closed, or nobody reads it.
    let script = exec(&world, "", "exit 7");
    for redirection in [">&-", ">&- 2>&- <&-", "| true", "> /dev/full"] {
        let mut shell = Command::new("bash");
        let line = format!("\"$0\" \"$@\" {redirection}; exit ${{PIPESTATUS[0]}}");
        shell.arg("-c").arg(line).arg(script.get_program()).args(script.get_args()).env_clear();
        shell.envs(script.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let run = Run::new(shell.output().unwrap());
        assert_eq!((run.status, run.stderr.as_str()), (7, ""), "{redirection}");
    }
}

/// Writes the name of each signal to the file `signals`, and ends after SIGTERM with status 9. The
/// process waits in short steps, because the shell handles a signal only after a step.
const NOTES: &str =
    "for name in HUP USR1 USR2 INT QUIT WINCH; do trap \"echo $name >> signals\" $name; done;
    trap 'echo TERM >> signals; exit 9' TERM; echo $$ > pid; while :; do sleep 0.02; done";

#[test]
fn a_signal_is_passed_on_once() {
    let google = Google::new();
    let world = google.world(true);
    let child = exec(&world, "", NOTES).spawn().unwrap();
    await_file(&world.path("pid"));
    let mut expected = String::new();
    for (sent, name) in [
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::WINCH, "WINCH"),
        (Signal::INT, "INT"),
        (Signal::TERM, "TERM"),
    ] {
        signal(&child, sent);
        expected += &format!("{name}\n");
        let start = Instant::now();
        while fs::read_to_string(world.path("signals")).unwrap_or_default() != expected {
            assert!(start.elapsed() < Duration::from_secs(5), "{name}: {}", world.read("signals"));
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(60));
    }
    let run = Run::new(child.wait_with_output().unwrap());
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (9, "", ""));
    assert_eq!(world.read("signals"), expected);
    assert!(leaves_nothing(&world));
}

#[test]
fn a_signal_that_ends_the_command_is_its_exit_status() {
    let google = Google::new();
    for (sent, status) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let world = google.world(true);
        let child = exec(&world, "", "echo $$ > pid; exec sleep 60").spawn().unwrap();
        await_file(&world.path("pid"));
        thread::sleep(Duration::from_millis(50));
        signal(&child, sent);
        assert_eq!(Run::new(child.wait_with_output().unwrap()).status, status, "{sent:?}");
        assert!(leaves_nothing(&world));
    }
}

/// Runs a command on a separate terminal. The standard input of the child is the keyboard of the
/// terminal.
fn on_terminal(world: &World, command: &Command) -> Child {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = shlex::try_join(words.map(|word| word.to_str().unwrap())).unwrap();
    let mut terminal = Command::new("script");
    // Without exec, the shell of script(1) would get the signals too.
    terminal.args(["--quiet", "--return", "--command", &format!("exec {line}"), "/dev/null"]);
    terminal.env_clear();
    terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.current_dir(world.path("")).stdin(Stdio::piped()).stdout(Stdio::piped());
    terminal.spawn().expect("script(1) of util-linux")
}

/// The terminal sends SIGINT to `wif-token` and to the command. The command must get it only once,
/// because a second SIGINT makes terraform stop at once. A command in another process group does
/// not get the signal from the terminal.
#[test]
fn the_interrupt_of_a_terminal_reaches_the_command_once() {
    let google = Google::new();
    for (script, is_apart) in [(NOTES, false), ("exec setsid /bin/sh notes", true)] {
        let world = google.world(true);
        world.write("notes", NOTES);
        let command = exec(&world, "", script);
        let mut terminal = on_terminal(&world, &command);
        let pid = await_file(&world.path("pid"));
        let mut keys = terminal.stdin.take().unwrap();
        for count in 1..=2 {
            keys.write_all(b"\x03").unwrap();
            let expected = "INT\n".repeat(count);
            let start = Instant::now();
            while fs::read_to_string(world.path("signals")).unwrap_or_default() != expected {
                assert!(start.elapsed() < Duration::from_secs(5), "{is_apart}");
                thread::sleep(Duration::from_millis(5));
            }
            thread::sleep(Duration::from_millis(200));
            assert_eq!(world.read("signals"), expected, "{is_apart}");
        }
        kill_process(Pid::from_raw(pid.trim().parse().unwrap()).unwrap(), Signal::TERM).unwrap();
        assert_eq!(terminal.wait().unwrap().code(), Some(9), "{is_apart}");
        assert!(leaves_nothing(&world));
    }
}

#[test]
fn the_command_has_the_terminal() {
    let google = Google::new();
    let world = google.world(true);
    let command = exec(&world, "", "test -t 0 && stty size && read line && echo \"<$line>\"");
    let mut terminal = on_terminal(&world, &command);
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(b"typed\n").unwrap();
    let mut shown = String::new();
    terminal.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    assert_eq!(terminal.wait().unwrap().code(), Some(0), "{shown}");
    assert!(shown.contains("<typed>"), "{shown}");
}

#[test]
fn after_a_kill_the_command_continues_without_the_server() {
    let google = Google::new();
    let world = google.world(true);
    let script = "trap 'echo TERM > signals' TERM; echo $GCE_METADATA_HOST > host; echo $$ > pid; \
                  while :; do sleep 0.02; done";
    let mut child = exec(&world, "", script).spawn().unwrap();
    let pid = await_file(&world.path("pid"));
    let address = await_file(&world.path("host")).trim().to_owned();
    assert_eq!(get(&address, "/").status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
    thread::sleep(Duration::from_millis(200));
    let command = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    assert!(test_kill_process(command).is_ok(), "the command runs");
    // For a moment, the server of another test can have the same port.
    let refused = (0..50).any(|_| {
        let refused = TcpStream::connect(&address).is_err();
        thread::sleep(Duration::from_millis(if refused { 0 } else { 100 }));
        refused
    });
    assert!(refused, "the server has ended");
    kill_process(command, Signal::KILL).unwrap();
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let google = Google::new();
    let world = google.world(true);
    let command = exec(&world, "", "echo $$ > pid; exec sleep 60");
    let mut shell = Command::new("/bin/sh");
    let words: Vec<_> = command.get_args().skip(1).collect();
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).args(words).env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = shell.current_dir(world.path("")).spawn().unwrap();
    let pid = await_file(&world.path("pid")).trim().to_owned();
    thread::sleep(Duration::from_millis(50));
    signal(&child, Signal::HUP);
    kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap(), Signal::HUP).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "both still run");
    signal(&child, Signal::TERM);
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn the_command_gets_no_files_of_the_server() {
    let google = Google::new();
    let world = google.world(true);
    let script = "ls /proc/$$/fd";
    let alone = Run::new(Command::new("/bin/sh").args(["-c", script]).output().unwrap());
    assert_eq!(run(&world, "", script).stdout, alone.stdout);
}

/// A program that ran for the first token must not leave a handler that ends this process.
#[test]
fn a_signal_after_a_check_reaches_the_command() {
    let google = Google::new();
    let world = google.world(true);
    runs_program(&world, "cat t");
    let wait = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5 & wait; done";
    let script = format!("trap 'exit 9' TERM; echo $$ > pid; {wait}");
    let child = exec(&world, "--check-first", &script).env(ALLOW, "1").spawn().unwrap();
    await_file(&world.path("pid"));
    signal(&child, Signal::TERM);
    assert_eq!(Run::new(child.wait_with_output().unwrap()).status, 9);
    assert!(leaves_nothing(&world));
}

/// If SIGCHLD is ignored, the kernel keeps no exit status.
#[test]
fn the_exit_status_is_known_if_the_parent_ignores_sigchld() {
    let google = Google::new();
    let world = google.world(true);
    let command = exec(&world, "", "exit 42");
    let mut ignoring = Command::new("env");
    ignoring.arg("--ignore-signal=CHLD").args(command.get_args().skip(1)).env_clear();
    ignoring.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let run = Run::new(ignoring.output().unwrap());
    assert_eq!((run.status, run.stderr.as_str()), (42, ""));
}

/// A signal may arrive before, during or after the start of the command.
#[test]
fn a_signal_at_any_moment_ends_the_command() {
    let google = Google::new();
    for delay in 0..40 {
        let world = google.world(true);
        let child = exec(&world, "", "echo $$ > pid; exec sleep 60").spawn().unwrap();
        thread::sleep(Duration::from_micros(delay * 400));
        signal(&child, Signal::TERM);
        let start = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "after {delay}");
        assert!(!output.status.success(), "after {delay}");
        assert!(leaves_nothing(&world), "after {delay}");
    }
}

#[test]
fn a_directory_that_the_command_has_closed_is_removed() {
    let google = Google::new();
    let world = google.world(true);
    let script = "mkdir -p $CLOUDSDK_CONFIG/a/b && touch $CLOUDSDK_CONFIG/a/b/c && \
                  chmod 500 $CLOUDSDK_CONFIG/a/b $CLOUDSDK_CONFIG/a $CLOUDSDK_CONFIG";
    let mut command = exec(&world, "", script);
    // Root needs no permissions.
    if rustix::process::geteuid().is_root() {
        for name in ["", "c.json", "t", "tmp"] {
            std::os::unix::fs::chown(world.path(name), Some(65534), Some(65534)).unwrap();
        }
        command.uid(65534).gid(65534);
    }
    let run = Run::new(command.output().unwrap());
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(leaves_nothing(&world), "{run:?}");
}

#[test]
fn runs_leave_nothing_behind() {
    let google = Google::new();
    let world = google.world(true);
    for _ in 0..100 {
        assert_eq!(run(&world, "", "exit 0").status, 0);
    }
    let mut names: Vec<_> = fs::read_dir(world.path("")).unwrap().collect();
    names.retain(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        !["t", "c.json", "log", "tmp", ".cache"].contains(&name.as_str())
    });
    assert!(names.is_empty(), "{names:?}");
}
