//! Reports a token of a type that the configuration does not expect. Only other programs return
//! such a token, because wif-token refuses it.

use super::report::Report;
use crate::error::Kind;
use crate::secret::Secret;
use crate::token::{Origin, TokenType, mismatch};

/// Reports what the token is, or `otherwise`: a cause and the fix.
pub(super) fn report(
    token: &Secret,
    expected: TokenType,
    otherwise: (&str, &str),
    report: &mut Report,
) {
    let place = "the document that executable.command prints";
    let origin = Origin::new(place.to_owned(), "executable.command", "");
    let (why, fix) = mismatch::explain(token.expose(), expected, &origin)
        .unwrap_or_else(|| (otherwise.0.to_owned(), otherwise.1.to_owned()));
    let message = format!("the token is not {}: {why}", mismatch::noun(expected));
    report.broken("subject token", Kind::Protocol, message, fix);
}
