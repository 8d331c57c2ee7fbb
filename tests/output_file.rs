//! The output file and its lock: sequences of runs, concurrency, limits and file modes. Single runs are
//! in `tests/scenarios/contract`.

mod common;

use std::fs;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::server::{Server, json, response};
use common::{Run, World, jwt};

const FILE: &str = "file --path={dir}/t --audience={aud} --output-file={dir}/out";

const REVOKE: &[(&str, &str)] = &[("GOOGLE_EXTERNAL_ACCOUNT_REVOKE", "1")];

fn world() -> World {
    let world = World::new();
    world.write("t", jwt(3600));
    world
}

#[test]
fn a_valid_cached_token_is_used_without_the_source() {
    let world = world();
    let first = world.run(FILE);
    fs::remove_file(world.path("t")).unwrap();
    assert_eq!(world.run(FILE).document(), first.document());
}

#[test]
fn a_cached_token_is_not_used_for_another_request() {
    let world = world();
    world.run(FILE).document();
    let kept = world.read("out");
    world.write("t2", jwt(1800));
    for other in [
        FILE.replace("{aud}", "//other"),
        FILE.replace("{dir}/t ", "{dir}/t2 "),
        format!("{FILE} --token-type=urn:ietf:params:oauth:token-type:id_token"),
        FILE.replace("file --path={dir}/t", "url --url=http://127.0.0.1:1/"),
    ] {
        let before = world.read("out");
        let run = world.run(&other);
        match run.status {
            0 => assert_ne!(world.read("out"), before, "{other}"),
            _ => assert_eq!(world.read("out"), before, "{other}: a failure loses nothing"),
        }
    }
    assert_ne!(world.read("out"), kept);
}

#[cfg(unix)]
#[test]
fn the_file_is_private_and_replaced_atomically() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let world = world();
    world.run(FILE).document();
    let kept = fs::symlink_metadata(world.path("out")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);

    let inode = kept.ino();
    fs::write(world.path("out"), "{}").unwrap();
    world.run(FILE).document();
    assert_ne!(fs::metadata(world.path("out")).unwrap().ino(), inode, "never written in place");
    let names = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut left: Vec<_> =
        fs::read_dir(world.path("")).unwrap().map(|entry| names(entry.unwrap())).collect();
    left.sort();
    assert_eq!(left, ["out", "out.lock", "t"]);
}

#[test]
fn an_output_file_with_an_invalid_document_is_replaced() {
    let world = world();
    let good = {
        world.run(FILE).document();
        world.read("out")
    };
    for poison in [
        String::new(),
        "{}".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace(r#""version":1"#, r#""version":2"#),
        good.replace(r#""success":true"#, r#""success":false"#),
        good.replace("expiration_time", "other"),
        format!("\u{feff}{good}"),
        format!("{}\0\0\0", &good[..good.len() / 2]),
        " \r\n".to_owned(),
        "\0".repeat(4096),
    ] {
        world.write("out", poison);
        world.run(FILE).document();
        assert_eq!(world.read("out").len(), good.len());
    }
}

/// Runs `line` and checks that the token is printed, and that the log names the file `name`, whose
/// content is still `content`.
fn is_left_alone(world: &World, name: &str, content: &[u8]) {
    world.run(&format!("{FILE} --log-file={{dir}}/log")).document();
    assert_eq!(fs::read(world.path(name)).unwrap(), content, "{name}");
    let log = world.read("log");
    assert!(log.contains(&world.path(name).display().to_string()), "{log}");
    let words = ["token not cached", "cannot share", "cannot lock"];
    assert!(words.iter().any(|word| log.contains(word)), "{log}");
}

#[test]
fn a_file_with_another_content_is_left_alone() {
    let world = world();
    for content in [
        r#"{"type":"external_account","audience":"a"}"#,
        r#"{"name":"x","version":"1.0.0"}"#,
        "-----BEGIN PRIVATE KEY-----\n",
        "x = 1\n",
        &"x".repeat(5 * 1024 * 1024),
        &jwt(60),
    ] {
        world.write("out", content);
        is_left_alone(&world, "out", content.as_bytes());
        let revoked = world.run_with(FILE, REVOKE);
        assert_eq!(revoked.status, 3, "{}", revoked.stdout);
        assert_eq!(world.read("out"), content);
    }
}

#[cfg(unix)]
#[test]
fn links_pipes_sockets_and_devices_are_left_alone() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::os::unix::net::UnixListener;
    let world = world();
    let kind = || fs::symlink_metadata(world.path("out")).unwrap().file_type();
    let clear = || {
        assert!(
            !world.path("out.lock").exists(),
            "without a file for the cache, there is no lock file"
        );
        fs::remove_file(world.path("out")).unwrap();
    };

    world.write("target", "{}");
    symlink(world.path("target"), world.path("out")).unwrap();
    world.run(FILE).document();
    assert!(kind().is_symlink());
    assert_eq!(world.read("target"), "{}");
    clear();
    let _socket = UnixListener::bind(world.path("out")).unwrap();
    world.run(FILE).document();
    assert!(kind().is_socket());
    clear();
    for (args, is_kept) in [
        (&["p"][..], FileTypeExt::is_fifo as fn(&_) -> _),
        (&["c", "1", "3"], FileTypeExt::is_char_device),
    ] {
        let mut mknod = std::process::Command::new("mknod");
        // Only the system administrator can create a device.
        if !mknod.arg(world.path("out")).args(args).status().unwrap().success() {
            continue;
        }
        world.run(FILE).document();
        world.run(&format!("{FILE} --format=text"));
        world.run_with(FILE, REVOKE);
        assert!(is_kept(&kind()), "{args:?}");
        clear();
    }
}

#[cfg(unix)]
#[test]
fn a_cached_file_or_lock_that_others_can_write_to_is_ignored() {
    use std::os::unix::fs::PermissionsExt;
    let world = world();
    let first = world.run(FILE).document();
    let open = |name| fs::set_permissions(world.path(name), PermissionsExt::from_mode(0o666));
    world.write("t", jwt(1800));
    assert_eq!(world.run(FILE).document(), first);
    open("out").unwrap();
    assert_ne!(world.run(FILE).document(), first, "the token of the file is not trusted");

    open("out.lock").unwrap();
    let lock = fs::File::open(world.path("out.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    fs::remove_file(world.path("out")).unwrap();
    world.run(&format!("{FILE} --timeout=2")).document();
}

/// Only root can give a file to another user, so the test does nothing for other users.
#[cfg(unix)]
#[test]
fn a_cached_file_or_lock_of_another_user_is_ignored() {
    use std::os::unix::fs::chown;
    let world = world();
    let first = world.run(FILE).document();
    world.write("t", jwt(1800));
    if chown(world.path("out"), Some(65_534), None).is_err() {
        return;
    }
    assert_ne!(world.run(FILE).document(), first, "the token of the file is not trusted");
    chown(world.path("out.lock"), Some(65_534), None).unwrap();
    let lock = fs::File::open(world.path("out.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    fs::remove_file(world.path("out")).unwrap();
    let run = world.run(&format!("{FILE} --timeout=2 --log-file={{dir}}/log"));
    run.document();
    assert!(world.read("log").contains("out.lock: it belongs to another user"));
}

#[test]
fn a_lock_with_another_content_is_not_truncated() {
    let world = world();
    world.write("out.lock", "[[package]]\n");
    fs::remove_file(world.path("t")).unwrap();
    let run = world.run(&format!("{FILE} --log-file={{dir}}/log"));
    assert_eq!(run.status, 4);
    assert_eq!(world.read("out.lock"), "[[package]]\n");
    assert!(world.read("log").contains("data from another program"));
}

#[test]
fn a_bare_token_is_replaced_by_the_next_one_of_the_same_workload() {
    let world = world();
    let line = format!("{FILE} --format=text");
    for life in [3600, 1800] {
        world.write("t", jwt(life));
        assert_eq!(world.run(&line).status, 0);
        assert_eq!(world.read("out"), world.read("t"));
    }
}

#[test]
fn a_source_file_that_is_empty_for_a_moment_is_read_again() {
    let world = world();
    let token = world.read("t");
    world.write("t", "");
    let mut command = world.command(&format!("{FILE} --format=text"), &[]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    thread::sleep(Duration::from_millis(150));
    world.write("t", &token);
    assert_eq!(Run::new(run.wait_with_output().unwrap()).status, 0);
    assert_eq!(world.read("out"), token);
}

#[cfg(unix)]
#[test]
fn a_bare_token_that_others_can_read_is_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world();
    let line = format!("{FILE} --format=text");
    assert_eq!(world.run(&line).status, 0);
    let old = world.read("out");
    fs::set_permissions(world.path("out"), fs::Permissions::from_mode(0o640)).unwrap();
    world.write("t", jwt(1800));
    let (run, path) = (world.run(&line), world.path("out").display().to_string());
    let message = format!(
        "cannot write {path}: other users can access it, so it is left unchanged; remove {path} \
         (the next run creates it for this user)\n"
    );
    assert_eq!((run.status, run.stderr), (3, message));
    assert_eq!(world.read("out"), old);
}

#[cfg(unix)]
#[test]
fn a_token_is_printed_despite_a_file_size_limit() {
    let world = world();
    // The log cannot be written either.
    let run = world.command(&format!("{FILE} --log-file={{dir}}/log"), &[]);
    let words: Vec<_> = std::iter::once(run.get_program()).chain(run.get_args()).collect();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "ulimit -f 0; exec \"$@\"", "sh"]).args(words).env_clear();
    Run::new(shell.output().unwrap()).document();
    assert!(!world.path("out").exists());
}

/// Another user owns the parent directory, and exchanges the directory during the run.
#[cfg(target_os = "linux")]
#[test]
fn a_file_in_a_directory_that_takes_the_place_of_another_is_not_replaced() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;

    use rustix::fs::{CWD, RenameFlags, renameat_with};
    let world = world();
    let (one, two, done) = (world.path("one"), world.path("two"), AtomicBool::new(false));
    [&one, &two].iter().for_each(|path| fs::create_dir(path).unwrap());
    let opened = [&one, &two].map(|path| fs::File::open(path).unwrap());
    let outputs = opened.each_ref().map(|file| format!("/proc/self/fd/{}/out", file.as_raw_fd()));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                renameat_with(CWD, &one, CWD, &two, RenameFlags::EXCHANGE).unwrap();
                thread::sleep(Duration::from_micros(100));
            }
        });
        let kept = (0..60).all(|_| {
            outputs.iter().for_each(|path| drop(fs::remove_file(path)));
            let mut mine = fs::File::create(&outputs[1]).unwrap();
            mine.write_all(b"mine").unwrap();
            let line = "file --path={dir}/t --audience={aud} --output-file={dir}/one/out";
            world.run(line).status == 0 && mine.metadata().unwrap().nlink() == 1
        });
        done.store(true, Ordering::SeqCst);
        assert!(kept);
    });
}

#[test]
fn a_run_waits_half_of_its_time_for_a_lock() {
    let world = world();
    let lock = fs::File::create(world.path("out.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    world.run(&format!("{FILE} --timeout=1 --log-file={{dir}}/log")).document();
    let path = world.path("out.lock").display().to_string();
    let line = format!("fetching without the lock: another run holds the lock {path}");
    assert!(world.read("log").contains(&line), "{}", world.read("log"));
}

fn wait(children: Vec<Child>) -> Vec<Run> {
    children.into_iter().map(|child| Run::new(child.wait_with_output().unwrap())).collect()
}

#[test]
fn concurrent_runs_fetch_once() {
    let world = World::new();
    let answer = json(&format!(r#"{{"t":"{}"}}"#, jwt(3600)));
    let server = Server::new(move |_| {
        thread::sleep(Duration::from_millis(300));
        answer.clone()
    });
    let line = format!("url --url={}/ --field=t --output-file={{dir}}/out", server.url);
    let start = |_| world.command(&line, &[]).spawn().unwrap();
    let runs = wait((0..20).map(start).collect());
    let documents: Vec<_> = runs.iter().map(Run::document).collect();
    assert!(documents.iter().all(|document| *document == documents[0]));
    assert_eq!(server.count(), 1);
}

#[test]
fn a_waiting_run_reports_the_failure_of_the_run_it_waited_for() {
    let world = World::new();
    let all_wait = Arc::new(AtomicBool::new(false));
    let until = all_wait.clone();
    let server = Server::new(move |_| {
        while !until.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(5));
        }
        response("403 No", "text/plain", "")
    });
    let line = format!("url --url={}/ --output-file={{dir}}/out", server.url);
    let start =
        |run| world.command(&format!("{line} --log-file={{dir}}/{run}"), &[]).spawn().unwrap();
    let mut children = vec![start(0)];
    while server.count() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    children.extend((1..=10).map(start));
    let waits = |run: i32| {
        let log = fs::read_to_string(world.path(&run.to_string()));
        log.is_ok_and(|log| log.contains("waiting: another run holds "))
    };
    while !(1..=10).all(waits) {
        thread::sleep(Duration::from_millis(5));
    }
    all_wait.store(true, Ordering::SeqCst);
    let runs = wait(children);
    for run in &runs {
        assert_eq!((run.status, &run.stdout, &run.stderr), (5, &runs[0].stdout, &runs[0].stderr));
    }
    assert_eq!(server.count(), 1);
    assert!(!world.path("out").exists(), "a failure is not cached");

    let later = world.run(&line);
    assert_eq!((later.status, server.count()), (5, 1), "a refusal is remembered for ten seconds");

    let lock = world.read("out.lock");
    let at = lock.split_once("\"failed_at_ms\":").unwrap().1.split_once(',').unwrap().0;
    let earlier = at.parse::<u64>().unwrap() - 10_000;
    world.write("out.lock", lock.replace(at, &earlier.to_string()));
    let later = world.run(&line);
    assert_eq!((later.status, server.count()), (5, 2), "and the next run sends a new request");
}

#[cfg(unix)]
#[test]
fn pipes_in_place_of_files_do_not_hang_a_run() {
    let world = world();
    for name in ["out", "out.lock"] {
        let _ = fs::remove_file(world.path(name));
        let made = std::process::Command::new("mkfifo").arg(world.path(name)).status().unwrap();
        assert!(made.success());
        world.run(FILE).document();
        fs::remove_file(world.path(name)).unwrap();
    }
}

#[test]
fn a_log_contains_each_step_and_no_token() {
    let world = world();
    fs::write(world.path("log"), "2026-01-31T12:00:00Z [7] kept\n").unwrap();
    for _ in 0..2 {
        world.run(&format!("{FILE} --log-file={{dir}}/log")).document();
    }
    let log = world.read("log");
    common::holds_no_secret(&log);
    let words = ["kept", "no cached token", "token cached in", "using the cached token"];
    for word in words {
        assert!(log.contains(word), "{log}");
    }
}

/// A caller that chooses the log file must not be able to write to `authorized_keys`.
#[test]
fn a_log_is_not_appended_to_another_file() {
    let world = world();
    let others = ["ssh-ed25519 AAAA robot\n", "{}", "\n", "2026-01-31 [7] kept\n", "\u{0}"];
    for other in others {
        fs::write(world.path("log"), other).unwrap();
        world.run(&format!("{FILE} --log-file={{dir}}/log")).document();
        assert_eq!(world.read("log"), other);
    }
}
