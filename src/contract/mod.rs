//! The contract between a Google client and an executable credential source.
//!
//! The client sets `GOOGLE_EXTERNAL_ACCOUNT_*` variables, runs the executable, and reads one
//! version-1 JSON document from its standard output. The client reads the output file instead if
//! the document there has not expired.
//! <https://google.aip.dev/auth/4117>

pub mod destination;
pub mod document;
pub mod existing;
pub mod exit;
mod expiry_margin;
pub mod found;
pub mod judgement;
pub mod request;
