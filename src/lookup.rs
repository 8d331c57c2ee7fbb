//! Searches several places for the same thing, such as credentials, in a fixed order.
//!
//! If a place is empty, the search notes the reason and continues with the next place. If a place
//! is broken, the search fails, because continuing could silently select a different identity.

use crate::error::{Error, Kind};
use crate::world::Log;

/// The result of looking in one place.
#[derive(Debug)]
pub enum Lookup<T> {
    /// What was found in the place.
    Found(T),
    /// Why nothing was found in the place.
    Absent(String),
}

impl<T> Lookup<T> {
    /// Creates [`Lookup::Absent`] with this reason.
    pub fn absent(why: impl Into<String>) -> Lookup<T> {
        Lookup::Absent(why.into())
    }
}

/// What to search for.
#[derive(Debug)]
pub struct Search {
    /// Its name in messages, as in `no WHAT found`.
    pub what: &'static str,
    /// The fix in the error message if nothing was found.
    pub fix: &'static str,
}

impl Search {
    /// Looks in the places in order. Returns the name of the first place in which something was
    /// found, and what was found.
    ///
    /// # Errors
    /// The error of the first broken place; `ABSENT` with the reason of each place if nothing was
    /// found.
    pub fn first<P, T>(
        &self,
        places: impl IntoIterator<Item = (&'static str, P)>,
        ask: impl Fn(P) -> Result<Lookup<T>, Error>,
        log: &Log,
    ) -> Result<(&'static str, T), Error> {
        let mut absent = Vec::new();
        for (name, place) in places {
            match ask(place)? {
                Lookup::Found(found) => {
                    log.line(format!("found {} in {name}", self.what));
                    return Ok((name, found));
                }
                Lookup::Absent(why) => absent.push(format!("{name} ({why})")),
            }
        }
        Err(Error::new(Kind::Absent, format!("no {} found", self.what))
            .cause(format!("looked in {}", absent.join(", ")))
            .fix(self.fix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Clock;

    const SEARCH: Search = Search { what: "numbers", fix: "write one" };

    type Look = fn() -> Result<Lookup<u8>, Error>;

    fn search(places: [(&'static str, Look); 2]) -> String {
        match SEARCH.first(places, |place| place(), &Log::open(None, Clock)) {
            Ok((name, number)) => format!("{number} from {name}"),
            Err(error) => error.to_string(),
        }
    }

    fn found() -> Result<Lookup<u8>, Error> {
        Ok(Lookup::Found(7))
    }

    fn absent() -> Result<Lookup<u8>, Error> {
        Ok(Lookup::absent("it is empty"))
    }

    fn broken() -> Result<Lookup<u8>, Error> {
        Err(Error::new(Kind::Configuration, "it is broken"))
    }

    #[test]
    fn the_first_place_that_is_not_empty_is_used() {
        assert_eq!(search([("a", absent), ("b", found)]), "7 from b");
        assert_eq!(search([("a", found), ("b", broken)]), "7 from a");
    }

    #[test]
    fn a_broken_place_ends_the_search() {
        assert_eq!(search([("a", broken), ("b", found)]), "it is broken");
    }

    #[test]
    fn the_error_names_the_reason_of_each_place() {
        assert_eq!(
            search([("a", absent), ("b", absent)]),
            "no numbers found: looked in a (it is empty), b (it is empty); write one"
        );
    }
}
