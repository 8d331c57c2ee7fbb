//! The user's private directory: `$XDG_CACHE_HOME/wif-token`, `~/.cache/wif-token`, or
//! `%LOCALAPPDATA%\wif-token`.
//!
//! There is none if it does not exist and cannot be created, or if another user could replace or
//! remove the files in it. <https://specifications.freedesktop.org/basedir-spec/latest/>

use std::path::PathBuf;

use crate::files;
use crate::show;
use crate::world::{HOME, World};

/// The path of the file with this name. `None` if there is no directory for it.
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

fn directory(world: &World) -> Option<PathBuf> {
    let variable = |name: &str| {
        let value = PathBuf::from(world.env.undeclared().get(name)?);
        value.is_absolute().then_some(value)
    };
    let parent = match cfg!(windows) {
        true => variable("LOCALAPPDATA"),
        false => variable("XDG_CACHE_HOME").or_else(|| Some(variable(HOME)?.join(".cache"))),
    };
    Some(parent?.join("wif-token"))
}
