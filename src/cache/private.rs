//! The user's private directory: `$XDG_CACHE_HOME/wif-token`, `~/.cache/wif-token`, or
//! `%LOCALAPPDATA%\wif-token`.
//!
//! The directory is not used if it cannot be created, or if another user could replace or remove
//! the files in it. <https://specifications.freedesktop.org/basedir-spec/latest/>

use std::path::PathBuf;

use crate::files;
use crate::show;
use crate::world::{HOME, World};

/// The variable that selects the directory. Messages refer to the directory by this name.
pub const VARIABLE: &str = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_CACHE_HOME" };

/// The path of the file with this name; `None` if the directory cannot be used.
pub fn path(name: &str, world: &World) -> Option<PathBuf> {
    let directory = directory(world)?;
    let none = |why: &str| {
        world.log.line(format!("cannot use the cache in {}: {why}", show::path(&directory)));
        None
    };
    if !directory.is_dir()
        && let Err(error) = files::private_directory(&directory)
    {
        return none(&error.to_string());
    }
    match files::is_own_directory(&directory) {
        true => Some(directory.join(name)),
        false => none("the directory belongs to another user, or other users can write to it"),
    }
}

/// The path of the directory, which may not exist.
pub fn directory(world: &World) -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = PathBuf::from(world.env.undeclared().get(name)?);
        value.is_absolute().then_some(value)
    };
    let in_home = || Some(variable(HOME)?.join(".cache"));
    let parent = variable(VARIABLE).or_else(|| if cfg!(windows) { None } else { in_home() });
    Some(parent?.join("wif-token"))
}
