//! Checks the metadata server: the attached service account and its access token.

use super::report::Report;
use super::{Check, OFFLINE, google};
use crate::google::CLOUD_PLATFORM;
use crate::google::metadata_server::MetadataServer;

pub(super) fn check(check: &Check, server: &MetadataServer, report: &mut Report) {
    let link = "metadata server";
    report.ok("configuration", format!("the metadata server at {}", server.origin.as_typed()));
    check.next(link, report);
    let scopes = [CLOUD_PLATFORM.to_owned()];
    let email = server.email(check.cx);
    let token = email.and_then(|email| Ok((server.access_token(&scopes, check.cx)?, email)));
    let (token, member) = match token {
        Ok((token, email)) => {
            report.ok(link, format!("got an access token for {email}"));
            (Ok(token), format!("serviceAccount:{email}"))
        }
        Err(error) if error.is_offline() => {
            report.skipped(link, OFFLINE);
            (Err(OFFLINE), String::new())
        }
        Err(error) => {
            report.error(link, &error);
            (Err("no access token from the metadata server is available"), String::new())
        }
    };
    google::check_accounts(check, report);
    google::impersonate_all(token, member, check, report);
}
