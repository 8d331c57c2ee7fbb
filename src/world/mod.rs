//! The only door to the world: environment, clock, deadline and log.
//!
//! What a run reads, waits for and reports comes from here, so that a test can replace the
//! environment or the time.

mod clock;
mod deadline;
mod env;
mod log;

pub use clock::Clock;
pub use deadline::Deadline;
pub use env::Env;
pub use log::Log;

/// The world of one run.
#[derive(Debug, Clone)]
pub struct World {
    /// The environment variables.
    pub env: Env,
    /// The time of day.
    pub clock: Clock,
    /// When every wait must end.
    pub deadline: Deadline,
    /// Where diagnostics go.
    pub log: Log,
}
