//! The environment, clock, deadline and log of a run.
//!
//! All other modules read variables and the time through this module, so that a test can replace
//! them.

mod clock;
mod deadline;
pub mod env;
pub mod log;

pub use clock::Clock;
pub use deadline::Deadline;
pub use env::{Declared, Env, HOME, IN_HELPER_AWS, IN_SOURCE_GOOGLE};
pub use log::Log;

/// The environment, clock, deadline and log of one run.
#[derive(Debug, Clone)]
pub struct World {
    /// The environment variables.
    pub env: Env,
    /// The current time.
    pub clock: Clock,
    /// When every wait must end.
    pub deadline: Deadline,
    /// Where diagnostics go.
    pub log: Log,
}
