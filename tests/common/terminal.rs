//! A run on its own terminal, which script(1) of util-linux creates.

use std::iter;
use std::process::{Command, Stdio};

use super::setup::output;
use super::{Run, World};

/// Runs a command with files as its standard output and error. Returns the run, and what its
/// terminal showed.
pub fn run(world: &World, command: &Command) -> (Run, String) {
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| world.path(name));
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words = shlex::try_join(words.map(|word| word.to_str().unwrap())).unwrap();
    let line = format!("{words} >{} 2>{}", stdout.display(), stderr.display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    script.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.current_dir(world.path(""));
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut output = output(&mut script, "").expect("script(1) of util-linux");
    let shown = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    output.stdout = world.read("stdout").into_bytes();
    output.stderr = world.read("stderr").into_bytes();
    (Run::new(output), shown)
}
