//! What the hermetic tests share: a folder with an empty home, runs of the real binary in a clean
//! environment, a loopback server, and tokens.

#![allow(dead_code, unreachable_pub)] // each test file uses only a part

pub mod google;
#[cfg(unix)]
pub mod metadata;
pub mod outcome;
pub mod placeholders;
pub mod scenario;
pub mod server;
pub mod setup;
pub mod snapshot;
pub mod terminal;
pub mod tokens;
pub mod traffic;
pub mod transcript;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q";

/// Secrets of the tests, which must never appear in a failure or a log.
pub const SECRETS: [&str; 3] = ["hunter2-client-secret", "hunter2-bearer", "hunter2-token-part"];

/// A folder that only this test uses.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        // A name that looks like a token would be mistaken for a token in an output.
        let mut folders = std::iter::repeat_with(|| tempfile::tempdir().unwrap());
        World {
            dir: folders.find(|dir| !dir.path().display().to_string().contains("eyJ")).unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the binary. The line is split at spaces, and `{dir}` stands for this folder.
    pub fn run(&self, line: &str) -> Run {
        self.run_with(line, &[])
    }

    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Run {
        let output = self.command(line, variables).output().unwrap();
        let run = Run::new(output);
        if run.status != 0 {
            run.holds_no_secret();
        }
        run
    }

    pub fn command(&self, line: &str, variables: &[(&str, &str)]) -> Command {
        let line = self.fill(line);
        let mut command = Command::new(env!("CARGO_BIN_EXE_wif-token"));
        command.args(line.split(' ').filter(|word| !word.is_empty()));
        command.env_clear().env("HOME", self.dir.path()).env("PATH", "/usr/bin:/bin");
        command.envs(variables.iter().map(|(name, value)| (name, self.fill(value))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn fill(&self, text: &str) -> String {
        text.replace("{dir}", &self.dir.path().display().to_string()).replace("{aud}", AUDIENCE)
    }
}

/// The results of a run.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn new(output: Output) -> Run {
        Run {
            status: output.status.code().expect("not ended by a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The document of a success, which must be one line. Standard error must be empty.
    pub fn document(&self) -> serde_json::Value {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{self:?}");
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    pub fn token(&self) -> String {
        self.document()["id_token"].as_str().unwrap().to_owned()
    }

    pub fn holds_no_secret(&self) {
        holds_no_secret(&self.stdout);
        holds_no_secret(&self.stderr);
    }
}

pub fn holds_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(!text.contains("eyJ"), "a token in {text}");
}

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// An unsigned JWT that expires this many seconds from now; its signature is one of the secrets.
pub fn jwt(life: i64) -> String {
    jwt_until(now() + life)
}

/// An unsigned JWT for the pool provider [`AUDIENCE`], issued at the time `iat`.
pub fn token_from(iat: i64) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let (exp, aud) = (iat + 3600, format!("https:{AUDIENCE}"));
    let claims = format!(
        r#"{{"iss":"https://idp.example","sub":"s","aud":"{aud}","iat":{iat},"exp":{exp}}}"#
    );
    format!("{}.{}.{}", encode(r#"{"alg":"RS256"}"#), encode(&claims), SECRETS[2])
}

pub fn jwt_until(exp: i64) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = format!(r#"{{"iss":"https://idp.example","sub":"s","exp":{exp}}}"#);
    format!("{}.{}.{}", encode(r#"{"alg":"RS256"}"#), encode(&claims), SECRETS[2])
}
