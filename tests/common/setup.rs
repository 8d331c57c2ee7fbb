//! The environment of a scenario or transcript: its home folder, its variables, and a run in it.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use super::placeholders::Placeholders;
use super::{Run, World, outcome, terminal};

/// Held while a file is written and while a process starts. For a moment, a new process inherits
/// the open files of all threads, and a script that is open for writing cannot be run: "Text file
/// busy".
static STARTING: Mutex<()> = Mutex::new(());

pub struct Setup {
    pub world: World,
    pub placeholders: Placeholders,
    variables: Vec<(String, String)>,
    /// The name under which the program is started; empty for its own name.
    program: String,
    stdin: String,
}

impl Setup {
    pub fn new(server: &str) -> Setup {
        let world = World::new();
        let home = world.path("").display().to_string();
        let home = home.trim_end_matches(['/', '\\']).to_owned();
        let placeholders = Placeholders::new(home, server.to_owned());
        Setup {
            world,
            placeholders,
            variables: Vec::new(),
            program: String::new(),
            stdin: String::new(),
        }
    }

    /// Adds the `home/`, `env` (one `NAME=value` a line), `program` and `stdin` of a folder, if they
    /// exist.
    pub fn take(&mut self, folder: &Path) {
        let home = folder.join("home");
        for path in files_below(&home) {
            let target = self.world.path("").join(path.strip_prefix(&home).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            let content = match String::from_utf8(fs::read(&path).unwrap()) {
                Ok(text) => self.placeholders.bytes(&text),
                Err(binary) => binary.into_bytes(),
            };
            let _alone = STARTING.lock().unwrap();
            fs::write(&target, content).unwrap();
            set_mode(&path, &target);
        }
        let env = self.placeholders.fill(&read(folder, "env"));
        let variable = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
        self.variables.extend(env.lines().filter_map(variable));
        self.program = read(folder, "program").trim().to_owned();
        self.stdin = self.placeholders.fill(&read(folder, "stdin"));
    }

    /// Runs the program in the home folder, and returns its output. Neither the output nor
    /// `{home}/log` may contain a secret.
    pub fn run<T>(&self, args: &[T], more: &[(String, String)]) -> Result<String, String>
    where
        for<'a> &'a T: Into<OsString>,
    {
        self.judge(&Run::new(output(&mut self.command(args, more), &self.stdin).unwrap()))
    }

    /// Like `run`, on a terminal. Also returns what the terminal showed, which may contain a
    /// secret.
    pub fn run_on_terminal(&self, args: &[String]) -> Result<(String, String), String> {
        let (run, shown) = terminal::run(&self.world, &self.command(args, &[]));
        Ok((self.judge(&run)?, self.placeholders.normalise(&shown)))
    }

    fn command<T>(&self, args: &[T], more: &[(String, String)]) -> Command
    where
        for<'a> &'a T: Into<OsString>,
    {
        let mut command = self.world.command("", &[]);
        command.current_dir(self.world.path("")).args(args.iter().map(Into::into));
        command.envs(self.variables.iter().cloned()).envs(more.iter().cloned());
        #[cfg(unix)]
        if !self.program.is_empty() {
            std::os::unix::process::CommandExt::arg0(&mut command, &self.program);
        }
        command
    }

    fn judge(&self, run: &Run) -> Result<String, String> {
        let log = fs::read_to_string(self.world.path("log")).unwrap_or_default();
        check_no_secret(run, &log)?;
        outcome::show(run, &self.placeholders)
    }
}

/// Runs a command with `stdin` on standard input. The other standard streams are already set.
pub fn output(command: &mut Command, stdin: &str) -> io::Result<Output> {
    let alone = STARTING.lock().unwrap();
    if !stdin.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn()?;
    drop(alone);
    // A run that does not read its input may have ended already.
    child.stdin.take().map(|mut input| input.write_all(stdin.as_bytes()));
    child.wait_with_output()
}

/// Copies the owner's part of the mode. No other user may read or write a file in `home/`, whatever
/// the umask was when the repository was cloned.
fn set_mode(original: &Path, target: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(original).unwrap().permissions().mode();
        fs::set_permissions(target, PermissionsExt::from_mode(mode & 0o700)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = (original, target);
}

/// Secrets of the tests begin with `hunter2`, tokens with `eyJ`. Only a success may print them.
fn check_no_secret(run: &Run, log: &str) -> Result<(), String> {
    let failed = run.status != 0 || run.stdout.contains(r#""success":false"#);
    let stdout = if failed { &run.stdout } else { "" };
    let secret = |text: &&str| text.contains("hunter2") || text.contains("eyJ");
    match [stdout, &run.stderr, log].into_iter().find(secret) {
        Some(text) => Err(format!("a secret in {text}")),
        None => Ok(()),
    }
}

/// The text of a file in a folder; empty if the file does not exist.
pub fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// The files in a folder and in the folders below it.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// The sorted entries of a folder, given by its path in `tests/`.
pub fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
