//! The only door to the world: environment, clock, deadline, log and HTTP.
//!
//! A source gets all it may touch from here, so that a test can put another environment or another
//! time in its place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Kind};
use crate::http::Http;
use crate::log::Log;

/// What a run may touch.
#[derive(Debug)]
pub struct Context {
    /// The environment variables.
    pub env: Env,
    /// The time of day.
    pub clock: Clock,
    /// When every wait has to end.
    pub deadline: Deadline,
    /// Where diagnostics go.
    pub log: Log,
    /// The one HTTP agent.
    pub http: Http,
}

/// Environment variables: those of the process, or a map in tests.
#[derive(Debug, Clone)]
pub enum Env {
    /// The variables of this process.
    Process,
    /// These variables and no others.
    Map(BTreeMap<String, OsString>),
    /// These variables before those of another environment.
    Over(BTreeMap<String, OsString>, Box<Env>),
}

impl Env {
    /// The variable as bytes of the platform; `None` where it is not set.
    #[allow(clippy::disallowed_methods)] // this is the door
    pub fn get(&self, name: &str) -> Option<OsString> {
        match self {
            // The standard library panics on such names.
            Env::Process if name.is_empty() || name.contains(['=', '\0']) => None,
            Env::Process => std::env::var_os(name),
            Env::Map(map) => map.get(name).cloned(),
            Env::Over(map, other) => map.get(name).cloned().or_else(|| other.get(name)),
        }
    }

    /// The variable as text; `None` where it is not set or empty.
    ///
    /// # Errors
    /// `CONFIGURATION` where it is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = self.get(name).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        value.into_string().map(Some).map_err(|_| {
            Error::new(Kind::Configuration, format!("the variable {name} is not UTF-8 text"))
                .hint(format!("set {name} to UTF-8 text"))
        })
    }

    /// The home of this user; `None` where the environment does not tell.
    ///
    /// # Errors
    /// As [`Env::text`].
    pub fn home(&self) -> Result<Option<PathBuf>, Error> {
        let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        Ok(self.text(variable)?.map(PathBuf::from))
    }
}

/// The time of day, by the clock of the host.
#[derive(Debug, Clone, Copy)]
pub struct Clock;

impl Clock {
    /// Milliseconds since 1970-01-01 UTC.
    #[allow(clippy::disallowed_methods)] // this is the door
    pub fn now_ms(self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(_) => 0, // the clock stands before 1970
        }
    }

    /// Seconds since 1970-01-01 UTC.
    pub fn now(self) -> i64 {
        self.now_ms() / 1000
    }
}

/// How long before the deadline the last wait ends, so that there is time to answer.
const RESERVE: Duration = Duration::from_millis(300);
/// How long before the deadline the watchdog answers, should something hang all the same.
const WATCHDOG: Duration = Duration::from_millis(100);

/// The end of the run. No client passes its own time-out on, so this is ours.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    end: Instant,
    timeout: Duration,
}

impl Deadline {
    /// A deadline so long from now.
    #[allow(clippy::disallowed_methods)] // this is the door
    pub fn after(timeout: Duration) -> Deadline {
        Deadline { end: Instant::now() + timeout, timeout }
    }

    /// How long a wait that starts now may last; zero when the time is up.
    pub fn remaining(&self) -> Duration {
        self.until_end().saturating_sub(RESERVE)
    }

    /// Whether no wait may start any more.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// Runs `at_end` shortly before the deadline, on a thread of its own, should the process still
    /// be there.
    pub fn watch(&self, at_end: impl FnOnce(Error) + Send + 'static) {
        let (error, wait) = (self.error(), self.until_end().saturating_sub(WATCHDOG));
        let watchdog = thread::Builder::new().name("watchdog".into()).stack_size(64 * 1024);
        // Without threads there is no watchdog; every wait still has its own end.
        let _ = watchdog.spawn(move || {
            thread::sleep(wait);
            at_end(error);
        });
    }

    /// The failure of a run whose time is up.
    pub fn error(&self) -> Error {
        let what = format!("no token within the deadline of {} s", self.timeout.as_secs());
        Error::new(Kind::Unreachable, what)
            .hint("try again, or raise --timeout and the executable's timeout_millis")
    }

    #[allow(clippy::disallowed_methods)] // this is the door
    fn until_end(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_variable_names_are_not_set() {
        for name in ["", "A=B", "A\0B"] {
            assert_eq!(Env::Process.get(name), None);
        }
    }

    #[test]
    fn a_wait_ends_before_the_deadline() {
        let deadline = Deadline::after(Duration::from_secs(10));
        assert!(deadline.remaining() <= Duration::from_secs(10) - RESERVE);
        assert!(Deadline::after(RESERVE).is_over());
    }
}
