//! Google's side: exchange, service account, impersonation, and what the way there is like.

use super::is_offline;
use super::report::Report;
use crate::cli::Values;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::google::CLOUD_PLATFORM;
use crate::google::credential_config::CredentialConfig;
use crate::google::iam_credentials::ServiceAccount;
use crate::google::{sts, subject};
use crate::http::{Request, Url, wrong_clock};
use crate::secret::Secret;

/// Seconds by which a clock may be wrong without a warning.
const TOLERATED_SKEW: i64 = 30;

/// Where Google publishes the certificates of a service account, to everybody.
const CERTIFICATES: &str = "/service_accounts/v1/metadata/x509/";

pub(super) fn check(
    token: &Secret,
    values: &Values,
    config: &CredentialConfig,
    cx: &Context,
    report: &mut Report,
) {
    let link = "exchange";
    let federated = match sts::exchange(config, token, CLOUD_PLATFORM, cx) {
        Ok(federated) => {
            report.settle();
            report.ok(link, format!("{} took the subject token", config.token_url.host()));
            Some(federated)
        }
        Err(error) if is_offline(&error) => {
            report.skipped(link, error.what());
            None
        }
        Err(error) => {
            report.error(link, &error);
            None
        }
    };
    check_account(config, cx, report);
    let link = "impersonation";
    let Some(impersonation) = &config.impersonation else {
        report.skipped(link, "no service account: roles are granted to the principal itself");
        return;
    };
    let Some(federated) = federated else {
        report.skipped(link, "there is no federated token");
        return;
    };
    let delegates = values.texts("delegate").map(str::to_owned).collect();
    let member = subject::member(config, token);
    let token = ServiceAccount::new(config, delegates, || Ok((federated, member)))
        .and_then(|account| account.access_token(&[CLOUD_PLATFORM.to_owned()], None, cx));
    match token {
        Ok(_) => {
            report.ok(link, format!("{} gave an access token", impersonation.account));
        }
        Err(error) => {
            report.error(link, &error);
        }
    }
}

/// Whether the service account exists: its certificates are public, while the refusal of an
/// impersonation is the same for a missing account and a missing role.
pub(super) fn check_account(config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let link = "account";
    let Some(impersonation) = &config.impersonation else { return };
    let url = &impersonation.url;
    let origin = match url.host() {
        "iamcredentials.googleapis.com" => "https://www.googleapis.com".to_owned(),
        _ if url.is_local() => url.origin(),
        _ => return,
    };
    let account = &impersonation.account;
    let Ok(address) = Url::parse(&format!("{origin}{CERTIFICATES}{account}")) else { return };
    match cx.http.send(Request::get(&address, "service_account_impersonation_url"), &cx.log) {
        Ok(response) if response.status == 200 => {
            report.ok(link, format!("{account} exists"));
        }
        Ok(response) if response.status == 404 => {
            let error = Error::new(Kind::Configuration, format!("there is no {account}"));
            let list =
                "list those of its project: gcloud iam service-accounts list --project=PROJECT";
            report.error(link, &error.hint(list));
        }
        Ok(response) => {
            report.skipped(link, format!("{} answered {}", address.host(), response.status));
        }
        Err(error) => report.skipped(link, error.what()),
    }
}

pub(super) fn check_clock(cx: &Context, report: &mut Report) {
    let link = "clock";
    match cx.http.skew() {
        None => report.skipped(link, "no server told its time"),
        Some(skew) if skew.abs() > TOLERATED_SKEW => {
            report.warning(link, format!("it differs by {} s", skew.abs()), wrong_clock(skew));
        }
        Some(skew) => {
            report.ok(link, format!("it differs by {} s", skew.abs()));
        }
    }
}

pub(super) fn check_network(config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let account = config.impersonation.as_ref().map(|account| &account.url);
    for url in [Some(&config.token_url), account].into_iter().flatten() {
        report.ok("network", cx.http.route(url));
    }
}
