//! A separate root for each page. The commands of the page run there, with fixtures for the files
//! that they read.
//!
//! Absolute paths below `/etc`, `/run` and so on are moved into the root. No server can be reached: a
//! command that needs one must get as far as the request.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::fixtures;
use super::output;
use super::pages::root as repository;
use super::shell::{REAL, STUBS};

pub(crate) const AUDIENCE: &str = "//iam.googleapis.com/projects/123456789012/locations/global/\
    workloadIdentityPools/my-pool/providers/my-provider";

/// The top folders whose paths are moved.
const TOP: [&str; 15] = [
    "etc", "var", "run", "tmp", "home", "opt", "usr", "srv", "mnt", "lib", "root", "C", "D",
    "builds", "secrets",
];

/// Where the program may be installed.
const PROGRAMS: [&str; 4] =
    ["bin/wif-token", "usr/local/bin/wif-token", "usr/bin/wif-token", "C/wif-token/wif-token.exe"];

/// Variables of the environment that a page may rely on.
const VARIABLES: [(&str, &str); 14] = [
    ("HOME", "{root}/home"),
    ("PATH", "{root}/bin"),
    ("USER", "me"),
    ("RUNNER_TEMP", "{root}/tmp"),
    ("CI_PROJECT_DIR", "{root}/work"),
    ("ProgramData", "{root}/C/ProgramData"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("http_proxy", "http://127.0.0.1:9"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_REGION", "eu-west-1"),
    ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9"),
    ("GOOGLE_APPLICATION_CREDENTIALS", "{root}/work/credentials.json"),
    ("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1"),
    ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", AUDIENCE),
];

pub(crate) struct Sandbox {
    /// Removed when the page is done.
    _folder: tempfile::TempDir,
    /// The path of the folder without symbolic links, so that no path in an output differs.
    root: String,
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().display().to_string();
        let sandbox = Sandbox { _folder: folder, root };
        for folder in ["home", "work", "bin", "tmp"] {
            fs::create_dir(sandbox.path(folder)).unwrap();
        }
        sandbox.tools();
        let state =
            VARIABLES.map(|(name, value)| format!("export {name}='{}'\n", sandbox.fill(value)));
        fs::write(sandbox.path("state"), state.concat() + "cd \"${HOME%/home}/work\"\n").unwrap();
        let config = sandbox.fill(fixtures::CONFIGURATION);
        fs::write(sandbox.path("work/credentials.json"), config).unwrap();
        sandbox.need(&sandbox.fill("{root}/etc/token"));
        sandbox
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(&self.root).join(name)
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{root}", &self.root)
    }

    fn tools(&self) {
        for name in REAL.split_whitespace() {
            let folders = ["/bin", "/usr/bin"].map(|folder| PathBuf::from(folder).join(name));
            let tool = folders.into_iter().find(|tool| tool.exists()).unwrap();
            symlink(tool, self.path("bin").join(name)).unwrap();
        }
        for name in STUBS.split_whitespace() {
            self.script(&format!("bin/{name}"), "[ -p /dev/stdin ] && cat >/dev/null; exit 0");
        }
        self.script("bin/cargo", "while [ $# -gt 1 ] && [ \"$1\" != -- ]; do shift; done; shift; [ $# = 0 ] || wif-token \"$@\"");
        self.script("bin/sudo", "while [ \"${1#-}\" != \"$1\" ]; do shift; done; \"$@\"");
        self.script("bin/my-token-tool", &format!("printf %s {}", fixtures::token()));
        let program =
            include_str!("program.sh").replace("{program}", env!("CARGO_BIN_EXE_wif-token"));
        for name in PROGRAMS {
            self.script(name, &self.fill(&program));
        }
    }

    /// Creates a shell script.
    pub(crate) fn script(&self, name: &str, lines: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{lines}\n")).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Runs a code block in the shell session of the blocks before it.
    pub(crate) fn session(&mut self, text: &str) -> Result<(), String> {
        let text = self.relocate(text);
        self.scripts_of_the_repository(&text);
        fixtures::prepare(self, &text);
        if text.contains("--out=credentials.json") {
            // The command does not replace the configuration of the fixtures.
            fs::remove_file(self.path("work/credentials.json")).ok();
        }
        self.bash(&text, "").map(drop)
    }

    /// Runs the commands of a block and compares what they print.
    pub(crate) fn console(&mut self, text: &str) -> Result<(), String> {
        for part in format!("\n{text}").split("\n$ ").skip(1) {
            let (command, expected) = part.split_once('\n').unwrap_or((part, ""));
            let command = self.relocate(command);
            fixtures::prepare(self, &command);
            let shown = self.bash(&format!("{{ {command}; }} 2>&1 || true"), "1")?;
            let shown = shown.replace(&self.root, "");
            if !output::is_same(expected, &shown) {
                return Err(format!("{command} prints this:\n{shown}"));
            }
        }
        Ok(())
    }

    /// Runs the program with an arguments file. The path of the file is in its first comment, if
    /// there is one.
    pub(crate) fn arguments(&mut self, text: &str) -> Result<(), String> {
        let text = self.relocate(text);
        fixtures::prepare(self, &text);
        let named = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# "))
            .filter(|name| name.starts_with('/'));
        let path = named.map_or(self.path("work/arguments"), PathBuf::from);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.bash(&format!("wif-token --args-file={}", path.display()), "").map(drop)
    }

    /// Checks a credential configuration, and stores it for the blocks that follow.
    pub(crate) fn configuration(&mut self, text: &str) -> Result<(), String> {
        let text = self.relocate(text);
        fixtures::prepare(self, &text);
        fs::write(self.path("work/credentials.json"), text).unwrap();
        let check =
            format!("wif-token check --offline --credentials={}/work/credentials.json", self.root);
        self.bash(&check, "").map(drop)
    }

    /// Creates a file that a command reads.
    pub(crate) fn need(&self, path: &str) {
        fixtures::make(self, path, "");
    }

    fn bash(&self, text: &str, shown: &str) -> Result<String, String> {
        let root = &self.root;
        let script = format!(
            "set -euo pipefail\n. {root}/state\nexport SHOWN={shown}\nset -a\n{text}\nset +a\n\
            {{ export -p; printf 'cd %q\\n' \"$PWD\"; }} >{root}/state\n"
        );
        let mut bash = Command::new("/bin/bash");
        bash.args(["-c", &script]).env_clear().stdin(Stdio::null());
        let done = bash.output().unwrap();
        let wrong = fs::read_to_string(self.path("wrong")).unwrap_or_default();
        let _ = fs::remove_file(self.path("wrong"));
        if !wrong.is_empty() {
            return Err(wrong.replace(root, "").trim().to_owned());
        }
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).replace(root, "");
            return Err(format!("bash ends with {}: {said}", done.status));
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }

    /// Replaces the scripts of this repository with stubs, because they are not run.
    fn scripts_of_the_repository(&self, text: &str) {
        let words = text.split([' ', '\n', '(', ')', '"']);
        for word in
            words.filter(|word| ["tests/", "packaging/"].iter().any(|it| word.starts_with(it)))
        {
            if repository().join(word).is_file() {
                self.script(&format!("work/{word}"), "exit 0");
            }
        }
    }

    /// Moves absolute paths below the root.
    pub(crate) fn relocate(&self, text: &str) -> String {
        let mut moved = String::new();
        for (at, c) in text.char_indices() {
            let before = text[..at].chars().next_back().unwrap_or('\n');
            let top = text[at + c.len_utf8()..]
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or("");
            if c == '/' && TOP.contains(&top) && " \n=:\"'>(@,{".contains(before) {
                moved += &self.root;
            }
            moved.push(c);
        }
        moved
    }

    /// The root of absolute paths.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }
}
