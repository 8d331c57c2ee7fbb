//! Runs every fuzz target with the inputs in `corpus` and with long adversarial inputs.
//!
//! A long input must not take more than [`MEMORY`]. It must not take more than [`TIME`] of CPU
//! time either, unless the time is proportional to the length: a slow machine is not a failure.
//!
//! With arguments, `ENTRY FILE…`, it runs only these inputs. With `--worst`, it prints the slowest
//! and the largest input of each fuzz target.

mod measure;
mod shapes;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use measure::{Cost, measure};
use wif_token::fuzzing;

/// The lengths of adversarial inputs in bytes, and of the short input to compare with. An input
/// that exceeds a limit is refused at once, so a shorter input may take longer.
const LONG: [usize; 2] = [100_000, 50_000];
const SHORT: usize = 8_000;

/// The limits for a long input.
const MEMORY: usize = 64 << 20;
const TIME: Duration = Duration::from_millis(100);
/// The time of a long input may be this many times that of the short input. Linear time is 12 times
/// as long, and quadratic time 150 times.
const GROWTH: u32 = 40;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut run = Run { failures: Vec::new(), inputs: 0, shows_worst: args == ["--worst"] };
    match args.split_first() {
        Some((entry, files)) if !run.shows_worst => {
            files.iter().for_each(|file| run.file(entry, Path::new(file)));
        }
        _ => run.all(),
    }
    run.failures.iter().for_each(|failure| eprintln!("{failure}"));
    println!("{} inputs, {} failed", run.inputs, run.failures.len());
    ExitCode::from(u8::from(!run.failures.is_empty()))
}

struct Run {
    failures: Vec<String>,
    inputs: usize,
    shows_worst: bool,
}

impl Run {
    fn all(&mut self) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for entry in fuzzing::names() {
            let files = files(&corpus.join(entry));
            if files.is_empty() {
                self.failures.push(format!("{entry}: corpus/{entry} has no files"));
            }
            files.iter().for_each(|file| self.file(entry, file));
            self.adversarial(entry);
        }
        self.failures.extend(other_versions());
        for folder in files(&corpus) {
            let name = folder.file_name().unwrap_or_default();
            if !fuzzing::names().any(|entry| name == entry) {
                self.failures.push(format!("{}: there is no such fuzz target", folder.display()));
            }
        }
    }

    fn file(&mut self, entry: &str, file: &Path) {
        match fs::read(file) {
            Ok(input) => drop(self.input(entry, &file.display().to_string(), &input)),
            Err(error) => self.failures.push(format!("{}: {error}", file.display())),
        }
    }

    /// Runs one input; `None` if it failed.
    fn input(&mut self, entry: &str, name: &str, input: &[u8]) -> Option<Cost> {
        self.inputs += 1;
        let what = format!("{entry}: {name}");
        let run = || measure(&what, || fuzzing::run(entry, input));
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok((true, cost)) => return Some(cost),
            Ok((false, _)) => self.failures.push(format!("{entry} is not a fuzz target")),
            Err(_) => self.failures.push(format!("{what}: it panicked, see above")),
        }
        None
    }

    fn adversarial(&mut self, entry: &str) {
        let mut worst = [(Cost::default(), String::new()), (Cost::default(), String::new())];
        for shape in shapes::of(entry) {
            let name = shape.name();
            let Some(short) = self.input(entry, &name, &shape.input(SHORT)) else { continue };
            let costs = LONG.map(|length| self.input(entry, &name, &shape.input(length)));
            let long = costs.into_iter().flatten().fold(short, Cost::max);
            if long.memory > MEMORY || long.time > TIME && long.time > short.time * GROWTH {
                self.failures.push(format!("{entry}: {name}: {long}, 8 kB of it {short}"));
            }
            if long.time > worst[0].0.time {
                worst[0] = (long, name.clone());
            }
            if long.memory > worst[1].0.memory {
                worst[1] = (long, name);
            }
        }
        if self.shows_worst {
            let [(slow, slowest), (large, largest)] = worst;
            println!("{entry}\n  {slow}: {slowest}\n  {large}: {largest}");
        }
    }
}

/// The dependencies whose versions differ from those of the program.
fn other_versions() -> Vec<String> {
    let [program, fuzz] = [include_str!("../../../Cargo.lock"), include_str!("../Cargo.lock")]
        .map(|lock| lock.split("[[package]]\n").skip(1).map(name_and_version).collect::<Vec<_>>());
    let is_other = |package: &&(&str, &str)| {
        !program.contains(package) && program.iter().any(|other| other.0 == package.0)
    };
    let failure = |(name, version): &(&str, &str)| {
        format!(
            "Cargo.lock has {name}{version}, which is not the version of the program; run \
                 cp Cargo.lock tests/fuzz/ and cargo metadata --manifest-path tests/fuzz/Cargo.toml"
        )
    };
    fuzz.iter().filter(is_other).map(failure).collect()
}

fn name_and_version(package: &str) -> (&str, &str) {
    let mut lines = package.lines();
    (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    files
}
