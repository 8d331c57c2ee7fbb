//! Requests to the token service of a CI system. One variable of the job contains the URL of the
//! service, another one a bearer token. The response is JSON that contains the ID token.

use serde_json::Value;

use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::http::{self, Response, Url, form};
use crate::secret::Secret;
use crate::source::env;
use crate::token::{self, Origin, SubjectToken};

/// Reads the URL in a variable, and appends these fields to its query. `absent` is the fix in the
/// error message if the variable is not set.
pub(super) fn url(
    variable: &str,
    absent: &str,
    query: &[(&str, &str)],
    cx: &Context,
) -> Result<Url, Error> {
    let text = env::read(variable, absent, cx)?;
    let base = text.expose().trim();
    let mark = if base.contains('?') { '&' } else { '?' };
    let whole = format!("{base}{mark}{}", form::encode(query.iter().copied()));
    Url::parse(&whole).map_err(|why| {
        Error::new(Kind::Configuration, format!("{variable} {why}")).fix(format!(
            "remove {variable} from the job, because the CI system sets this variable"
        ))
    })
}

/// Adds the bearer token in a variable to a request. `absent` is the fix in the error message if
/// the variable is not set, and `wrong` if it does not contain a token.
pub(super) fn authorized<'a>(
    request: http::Request<'a>,
    variable: &str,
    absent: &str,
    wrong: &str,
    cx: &Context,
) -> Result<http::Request<'a>, Error> {
    let bearer = Secret::new(env::read(variable, absent, cx)?.expose().trim());
    if let Some(why) = token::not_a_bearer(bearer.expose()) {
        let what = format!("{variable} does not contain a token");
        return Err(Error::new(Kind::Configuration, what).cause(why).fix(wrong));
    }
    Ok(request.bearer(&bearer))
}

/// Reads the token in a member of the response from `url`. `variable` contains the URL.
pub(super) fn token(
    response: &Response,
    member: &str,
    url: &Url,
    variable: &'static str,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let members = response.json()?;
    let text = members.get(member).and_then(Value::as_str).map(Secret::new).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("the response from {url} has no {member}"))
            .fix(format!("check {variable}"))
    })?;
    let origin = Origin::new(
        format!("the response from {url}"),
        variable,
        "check the clocks of this host and of the CI system",
    );
    SubjectToken::read(&text, request.token_type, cx.clock.now(), &origin)
}
