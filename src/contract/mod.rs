//! The executable-sourced contract: what a Google client asks, and what it reads.
//!
//! The client sets `GOOGLE_EXTERNAL_ACCOUNT_*`, runs the executable, and takes one version-1 JSON
//! document from standard output, or from the output file while the document in it is fresh.
//! <https://google.aip.dev/auth/4117>

pub mod destination;
pub mod document;
pub mod exit;
mod expiry_margin;
pub mod request;
