//! The executable-sourced contract: what a Google client asks, and what it reads.
//!
//! The client sets `GOOGLE_EXTERNAL_ACCOUNT_*`, runs the executable, and takes one version-1 JSON
//! document from standard output, or from the output file while that is fresh.
//! <https://google.aip.dev/auth/4117>

pub mod answer;
pub mod delivery;
pub mod output_file;
pub mod request;
pub mod response;
