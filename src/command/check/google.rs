//! Google's side: exchange, service account, impersonation, and what the way there is like.

use std::time::Duration;

use super::OFFLINE;
use super::report::Report;
use crate::client;
use crate::configuration::{CredentialConfig, Impersonation};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::google::CLOUD_PLATFORM;
use crate::google::iam_credentials::{ServiceAccount, binding, project};
use crate::google::token_exchange;
use crate::http::{Request, Url, wrong_clock};
use crate::secret::Secret;
use crate::shell::quoted;

/// Seconds by which a clock may be wrong without a warning.
const TOLERATED_SKEW: i64 = 30;

/// How long what can be done without may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Where Google publishes the certificates of a service account, to everybody.
const CERTIFICATES: &str = "/service_accounts/v1/metadata/x509/";

pub(super) fn check(
    token: &Secret,
    delegates: Vec<String>,
    config: &CredentialConfig,
    cx: &Context,
    report: &mut Report,
) {
    let link = "exchange";
    let exchanged = token_exchange::exchange(config, token, CLOUD_PLATFORM, cx);
    let federated = match exchanged {
        Ok(federated) => {
            report.settle();
            let message = format!("{} took the subject token", config.token_url.host());
            report.ok(link, message).on_the_way(cx.route(&config.token_url));
            Some(federated)
        }
        Err(error) if error.is_offline() => {
            report.skipped(link, OFFLINE);
            None
        }
        Err(error) => {
            report.error(link, &error).on_the_way(cx.route(&config.token_url));
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
    let principal = report.principals.iter().find(|name| name.starts_with("principal:")).cloned();
    let member = principal.unwrap_or_else(|| client::member(config, token));
    let account = match ServiceAccount::new(config, delegates, || Ok((federated, member))) {
        Ok(account) => account,
        Err(error) => {
            report.error(link, &error);
            return;
        }
    };
    match access_token(&account, cx) {
        Ok(()) => report.ok(link, format!("{} gave an access token", impersonation.account)),
        Err(error) => {
            let error = match missing_right(&account, &error, cx) {
                Some(fix) => error.fix(fix),
                None => error,
            };
            report.error(link, &error)
        }
    }
    .on_the_way(cx.route(&impersonation.url));
}

fn access_token(account: &ServiceAccount, cx: &Context) -> Result<(), Error> {
    account.access_token(&[CLOUD_PLATFORM.to_owned()], None, cx).map(|_| ())
}

/// Which right of a chain of delegates is missing, as the command that grants it. Google says whether
/// it is that on the account or on some delegate; which one is found by going there step by step.
fn missing_right(account: &ServiceAccount, refusal: &Error, cx: &Context) -> Option<String> {
    let last = account.delegates.len().checked_sub(1)?;
    let about_delegate = |error: &Error| error.what().contains("implicitDelegation");
    let missing = match refusal.kind() {
        Kind::Denied if about_delegate(refusal) => (1..=last)
            .find_map(|index| {
                let refusal = access_token(&account.up_to(index)?, cx).err()?;
                Some(index - usize::from(about_delegate(&refusal)))
            })
            .unwrap_or(last),
        Kind::Denied => last + 1,
        _ => return None,
    };
    let before = missing.checked_sub(1).and_then(|index| account.delegates.get(index));
    let from = before.map_or(account.member.clone(), |email| format!("serviceAccount:{email}"));
    let on = account.delegates.get(missing).unwrap_or(&account.account.account);
    Some(format!(
        "{from} may not create tokens of {on}, or that does not exist: {}; a change takes up to 5 \
         minutes",
        binding(on, "serviceAccountTokenCreator", &from)
    ))
}

/// Whether the service account exists: its certificates are public, while the refusal of an
/// impersonation is the same for a missing account and a missing role.
pub(super) fn check_account(config: &CredentialConfig, cx: &Context, report: &mut Report) {
    let link = "account";
    let Some(Impersonation { url, account, .. }) = &config.impersonation else { return };
    let origin = match url.host() {
        "iamcredentials.googleapis.com" => "https://www.googleapis.com".to_owned(),
        _ if url.is_local() => url.origin(),
        host => {
            report.skipped(link, format!("{host} does not tell whether {account} exists"));
            return;
        }
    };
    let Ok(address) = Url::parse(&format!("{origin}{CERTIFICATES}{account}")) else { return };
    let request = Request::get(&address, "service_account_impersonation_url");
    match cx.send(request.once().limit(PATIENCE)) {
        Ok(response) if response.status == 200 => {
            report.ok(link, format!("{account} exists")).on_the_way(cx.route(&address));
        }
        Ok(response) if response.status == 404 && account.contains('@') => {
            let project = project(account).unwrap_or_else(|| "PROJECT".to_owned());
            let list = format!(
                "list those of its project: gcloud iam service-accounts list --project={}",
                quoted(&project)
            );
            report.wrong(link, Kind::Configuration, format!("there is no {account}"), list);
        }
        Ok(response) => {
            report.skipped(link, format!("{} answered {}", address.host(), response.status));
        }
        Err(error) => report.skipped(link, error.what()),
    }
}

pub(super) fn check_clock(cx: &Context, report: &mut Report) {
    let link = "clock";
    match cx.skew() {
        None => report.skipped(link, "no server told its time"),
        Some(skew) if skew.abs() > TOLERATED_SKEW => {
            report.warning(link, format!("it differs by {} s", skew.abs()), wrong_clock(skew));
        }
        Some(skew) => {
            report.ok(link, format!("it differs by {} s", skew.abs()));
        }
    }
}
