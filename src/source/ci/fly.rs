//! Gets the OIDC token of a Fly Machine.
//!
//! In each machine, a service at a Unix socket issues tokens. The POST request contains the audience
//! as JSON, and the response is the token itself. Every process that can connect to the socket gets a token.
//! <https://fly.io/docs/security/openid-connect/>,
//! <https://fly.io/docs/machines/api/tokens-resource/>

use std::path::Path;

use serde_json::json;

use super::Ci;
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::{Error, Kind};
use crate::files;
use crate::http::{Request, Url};
use crate::secret::Secret;
use crate::token::{Origin, SubjectToken};

const SOCKET: &str = "/.fly/api";
/// The host is used only in the header `Host`.
const URL: &str = "http://localhost/v1/tokens/oidc";

pub(super) fn request_token(
    _: &Ci,
    request: &SubjectTokenRequest,
    cx: &Context,
) -> Result<SubjectToken, Error> {
    let body = json!({ "aud": request.audience_for_pool_provider()? }).to_string();
    if !files::exists(Path::new(SOCKET)) {
        return Err(Error::new(Kind::Absent, format!("the socket {SOCKET} does not exist")).fix(
            "run this source in a Fly Machine, and mount the socket if it runs in a container there",
        ));
    }
    let url = Url::parse(URL).map_err(Error::bug)?;
    let post = Request::post(&url, SOCKET)
        .direct()
        .header("Content-Type", "application/json")
        .body(body.as_str());
    let cx = cx.narrowed(|_, http| http.unix_socket = Some(SOCKET.into()));
    let response = cx.send(post)?.require_success()?;
    let what = format!("the response from {SOCKET}");
    let text = response.text().map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| {
        Error::new(Kind::Protocol, format!("{what} is not a token"))
            .fix(format!("check which program listens at {SOCKET}"))
    })?;
    let renew = "check the clocks of this machine and of Fly.io";
    let origin = Origin::new(what, SOCKET, renew);
    SubjectToken::read(&Secret::new(text), request.token_type, cx.clock.now(), &origin)
}
