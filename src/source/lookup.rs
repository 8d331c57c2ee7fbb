//! A search through the places where something may be, one after the other.
//!
//! A place that has nothing says why, and the next one is asked. A place that has something broken
//! ends the search: another identity must never be used silently.

use crate::error::{Error, Kind};
use crate::world::Log;

/// What a place has.
#[derive(Debug)]
pub enum Lookup<T> {
    /// What was searched for.
    Found(T),
    /// Nothing, for this reason.
    Absent(String),
}

impl<T> Lookup<T> {
    /// Nothing, for this reason.
    pub fn absent(why: impl Into<String>) -> Lookup<T> {
        Lookup::Absent(why.into())
    }

    /// What was found, changed by `change`.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Lookup::Found(found) => Lookup::Found(change(found)),
            Lookup::Absent(why) => Lookup::Absent(why),
        }
    }
}

/// What is searched for.
#[derive(Debug)]
pub struct Search {
    /// Its name, as in `no WHAT found`.
    pub what: &'static str,
    /// What to do if no place has it.
    pub fix: &'static str,
}

impl Search {
    /// Asks one place after the other, and gives what the first one has that has something, with the
    /// name of the place.
    ///
    /// # Errors
    /// Those of a place that is broken; `ABSENT` if no place has anything, with the reason of each.
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
                    log.line(format!("{} from: {name}", self.what));
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

    fn search(places: [(&'static str, fn() -> Result<Lookup<u8>, Error>); 2]) -> String {
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
    fn the_first_place_that_has_something_counts() {
        assert_eq!(search([("a", absent), ("b", found)]), "7 from b");
        assert_eq!(search([("a", found), ("b", broken)]), "7 from a");
    }

    #[test]
    fn a_broken_place_ends_the_search() {
        assert_eq!(search([("a", broken), ("b", found)]), "it is broken");
    }

    #[test]
    fn every_place_says_why_it_has_nothing() {
        assert_eq!(
            search([("a", absent), ("b", absent)]),
            "no numbers found: looked in a (it is empty), b (it is empty); write one"
        );
    }
}
