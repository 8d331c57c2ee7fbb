//! The output file of the executable: which file is used, and which is refused.

use std::path::Path;

use super::executable_command::ExecutableCommand;
use super::host;
use crate::cache::private;
use crate::command::Invocation;
use crate::configuration::pool_provider::PoolProvider;
use crate::context::Context;
use crate::contract::request;
use crate::error::{Error, Kind};
use crate::files::{self, absolute};
use crate::show;
use crate::source::SourceInfo;

/// Selects an output file for this request in a directory that only this user can access, and
/// creates the directory. `None` without a home directory.
pub(super) fn of_user(
    command: &ExecutableCommand,
    provider: &PoolProvider,
    cx: &Context,
) -> Result<Option<String>, Error> {
    let Some(directory) = private::directory(cx) else { return Ok(None) };
    files::private_directory(&directory).map_err(|error| {
        Error::new(Kind::Configuration, format!("cannot write {}", show::path(&directory)))
            .cause(error)
            .fix("set --out or --output-file to a path in a writable directory")
    })?;
    let name = provider.name();
    let words = command.arguments().chain([name.as_str()]).map(str::as_bytes);
    let digest = request::digest(words);
    let digest = digest.get(..16).unwrap_or_default();
    let path = directory.join(format!("{}-{digest}.json", command.source));
    host::path(&path, "--output-file", None).map(Some)
}

/// Refuses an output file that is also the configuration or a file that the source reads.
pub(super) fn refuse_shared(
    invocation: &Invocation,
    info: &SourceInfo,
    output_file: Option<&str>,
    out: Option<&Path>,
) -> Result<(), Error> {
    let Some(output_file) = output_file.map(Path::new) else { return Ok(()) };
    let shared = |option: &str| {
        let what = format!("--output-file and {option} name the same file");
        Error::new(Kind::Usage, what).fix("set --output-file to a file that nothing else uses")
    };
    if out.is_some_and(|out| absolute(out) == output_file) {
        return Err(shared("--out"));
    }
    for option in info.options() {
        let names_it = |path: &Path| match absolute(path) == output_file {
            true => Err(shared(&format!("--{}", option.name))),
            false => Ok(String::new()),
        };
        invocation.values.as_arguments(option, names_it)?;
    }
    Ok(())
}
