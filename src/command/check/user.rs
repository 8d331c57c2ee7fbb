//! Checks the credentials of a user: the refresh token, its scopes, and the project that is billed.

use super::hosts::{self, Address};
use super::report::Report;
use super::{Check, OFFLINE, configuration, google, strictness};
use crate::client::user_token;
use crate::configuration::user::UserCredentials;
use crate::error::{Error, Kind};
use crate::google::CLOUD_PLATFORM;
use crate::google::access_token::AccessToken;
use crate::google::refresh::sign_in;
use crate::show;

/// The name of the check of the endpoint that receives the refresh token.
const TOKEN_SERVICE: &str = "token service";

pub(super) fn check(check: &Check, user: &UserCredentials, report: &mut Report) {
    configuration::file(&user.path, true, report);
    let universe = hosts::universe(&user.universe, report);
    strictness::file(&user.path, false, universe, report);
    token_service(user, universe, report);
    configuration::impersonations(check.hops, false, universe, report);
    // The requests of a service account are billed to its own project.
    if check.hops.is_empty() {
        quota_project(user, report);
    }
    check.next("refresh token", report);
    let token = refresh(check, user, report);
    google::check_accounts(check, report);
    google::impersonate_all(token, user.member().to_owned(), check, report);
}

/// Uses the refresh token. Returns the access token, or why there is none.
fn refresh(
    check: &Check,
    user: &UserCredentials,
    report: &mut Report,
) -> Result<AccessToken, &'static str> {
    const NONE: &str = "no access token for the user is available";
    if report.has_error(TOKEN_SERVICE) {
        // A refresh token works until it is revoked, so it is not sent to a server that is not
        // Google's.
        report.skipped("refresh token", "the refresh token was not sent to this token service");
        return Err(NONE);
    }
    match user_token::get(user, &[], check.cx) {
        Ok(refreshed) => {
            let message = format!("{} accepted the refresh token", user.token_url.host());
            report.ok("refresh token", message).with_step(check.cx.route(&user.token_url));
            scopes(refreshed.scope.as_deref(), user, report);
            Ok(refreshed.token)
        }
        Err(error) if error.is_offline() => {
            report.skipped("refresh token", OFFLINE);
            Err(OFFLINE)
        }
        Err(error) => {
            report.error("refresh token", &error).with_step(check.cx.route(&user.token_url));
            Err(NONE)
        }
    }
}

/// Checks the token endpoint, which receives the refresh token.
fn token_service(user: &UserCredentials, universe: &str, report: &mut Report) {
    let (link, url, member) = (TOKEN_SERVICE, &user.token_url, user.token_url_member());
    if user.has_old_token_url() {
        report.ok(link, url.to_string());
        return;
    }
    let (service, path) = user.endpoint();
    let (path, mtls) = (path.to_owned(), false);
    let address = Address { link, member, url, service, path, mtls };
    match (address.problem(universe), user.require_google()) {
        (Some((false, ..)), Err(error)) => {
            report.error(link, &error);
        }
        _ => address.check(universe, report),
    }
}

/// Reports whether the user granted access to Google Cloud, if the response lists the scopes.
fn scopes(granted: Option<&str>, user: &UserCredentials, report: &mut Report) {
    let Some(granted) = granted else { return };
    let scopes: Vec<&str> = granted.split(' ').filter(|scope| !scope.is_empty()).collect();
    if scopes.contains(&CLOUD_PLATFORM) {
        report.ok("scopes", "the user granted the scope cloud-platform");
        return;
    }
    let command = sign_in(user, &[CLOUD_PLATFORM.to_owned()]);
    let error = Error::new(Kind::Denied, "the user did not grant the scope cloud-platform")
        .fix(format!("sign in again with this scope: {command}"));
    report.error("scopes", &error);
}

/// Checks the quota project, to which client libraries bill the requests of a user.
fn quota_project(user: &UserCredentials, report: &mut Report) {
    let link = "quota project";
    match &user.quota_project {
        Some(project) => {
            report.ok(link, format!("client libraries bill requests to {}", show::value(project)));
        }
        None => {
            report.warning(
                link,
                "quota_project_id is not set, so some APIs refuse requests from client libraries",
                "run gcloud auth application-default set-quota-project PROJECT",
            );
        }
    }
}
