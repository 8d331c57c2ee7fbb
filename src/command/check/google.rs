//! Checks Google's side: the exchange, the service account, its impersonation, and the clock.

use std::borrow::Cow;
use std::time::Duration;

use super::report::{ACCOUNT, Finding, Report};
use super::{Check, OFFLINE, is_offline};
use crate::client;
use crate::client::credentials::Hop;
use crate::configuration::{CredentialConfig, Impersonation};
use crate::context::Context;
use crate::error::Kind;
use crate::google::CLOUD_PLATFORM;
use crate::google::access_token::AccessToken;
use crate::google::gcloud::{grant_role, project};
use crate::google::refusals::{MissingRole, Refusal};
use crate::google::service_account::ServiceAccount;
use crate::google::token_exchange;
use crate::http::{Request, TOLERATED_SKEW, Url, wrong_clock};
use crate::secret::Secret;
use crate::shell::quoted;

/// The timeout of a request whose response is useful but not required.
pub(super) const OPTIONAL_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The path below which Google publishes the certificates of each service account.
const CERTIFICATES: &str = "/service_accounts/v1/metadata/x509/";

pub(super) fn check(token: &Secret, config: &CredentialConfig, check: &Check, report: &mut Report) {
    let cx = check.cx;
    let link = "exchange";
    let exchanged = token_exchange::exchange(config, token, CLOUD_PLATFORM, cx);
    let is_skipped = exchanged.as_ref().is_err_and(|error| is_offline(error, cx));
    let federated = match exchanged {
        Ok(federated) => {
            report.settle();
            let message = format!("{} accepted the subject token", config.token_url.host());
            report.ok(link, message).with_step(cx.route(&config.token_url));
            Some(federated)
        }
        Err(_) if is_skipped => {
            report.skipped(link, OFFLINE);
            None
        }
        Err(error) => {
            report.error(link, &error).with_step(cx.route(&config.token_url));
            None
        }
    };
    let member = report.principal().unwrap_or_else(|| client::member(config, token));
    check_accounts(check, report);
    if check.hops.is_empty() {
        let why = "no service account is configured, so roles must be granted to the principal";
        report.skipped("impersonation", why);
        return;
    }
    let why = if is_skipped { OFFLINE } else { "no federated token is available" };
    impersonate_all(federated.ok_or(why), member, check, report);
}

/// Impersonates each service account with the token of the previous one. `bearer` is the first
/// token, or the reason why there is none, and `member` the name of its owner in an IAM policy.
pub(super) fn impersonate_all(
    bearer: Result<AccessToken, &str>,
    member: String,
    check: &Check,
    report: &mut Report,
) {
    let mut caller = bearer.map(|bearer| (bearer, member));
    for Hop { account, delegates } in check.hops {
        let (bearer, member) = match caller {
            Ok(caller) => caller,
            Err(why) => return report.skipped("impersonation", why),
        };
        let (url, name) = (account.url.clone(), account.account.clone());
        let (account, delegates) = (Cow::Borrowed(account), delegates.clone());
        let cx = check.cx;
        let account = ServiceAccount { account, delegates, bearer, member, cx };
        let (token, finding) = impersonate(&account, report);
        finding.with_step(check.cx.route(&url));
        caller = token
            .map(|token| (token, format!("serviceAccount:{name}")))
            .ok_or("no access token of the previous service account is available");
    }
}

/// Checks whether the service accounts exist.
pub(super) fn check_accounts(check: &Check, report: &mut Report) {
    for hop in check.hops {
        check_account(&hop.account, check.cx, report);
    }
}

fn impersonate<'r>(
    account: &ServiceAccount,
    report: &'r mut Report,
) -> (Option<AccessToken>, &'r mut Finding) {
    let (link, email) = ("impersonation", &account.account.account);
    match access_token(account) {
        Ok(token) => {
            report.settle_account(email);
            (Some(token), report.ok(link, format!("got an access token for {email}")))
        }
        Err(refusal) => {
            let fix = missing_role(account, &refusal);
            let error = match fix {
                Some(fix) => refusal.error.fix(fix),
                None => refusal.error,
            };
            (None, report.error(link, &error))
        }
    }
}

fn access_token(account: &ServiceAccount) -> Result<AccessToken, Refusal> {
    account.access_token(&[CLOUD_PLATFORM.to_owned()], None, "the configuration")
}

/// Finds the role that is missing in a chain of delegates, and the command that grants it. Google
/// states only whether the role on the account or on some delegate is missing. To find the
/// delegate, each one is impersonated in turn.
fn missing_role(account: &ServiceAccount, refusal: &Refusal) -> Option<String> {
    let last = account.delegates.len().checked_sub(1)?;
    let is_on_delegate = |refusal: &Refusal| refusal.missing_role == Some(MissingRole::OnDelegate);
    let missing = match refusal.missing_role? {
        MissingRole::OnDelegate => (1..=last)
            .find_map(|index| {
                let refusal = access_token(&account.up_to(index)?).err()?;
                Some(index - usize::from(is_on_delegate(&refusal)))
            })
            .unwrap_or(last),
        MissingRole::OnAccount => last + 1,
    };
    let before = missing.checked_sub(1).and_then(|index| account.delegates.get(index));
    let from = before.map_or(account.member.clone(), |email| format!("serviceAccount:{email}"));
    let on = account.delegates.get(missing).unwrap_or(&account.account.account);
    Some(format!(
        "check that {on} exists, and allow {from} to create tokens for it (the change takes effect \
         within about 5 minutes): {}",
        grant_role(on, "serviceAccountTokenCreator", &from)
    ))
}

/// Checks whether the service account exists. Google refuses the impersonation of a missing account
/// and a missing role with the same message, but the certificates of an account are public.
fn check_account(
    Impersonation { url, account, .. }: &Impersonation,
    cx: &Context,
    report: &mut Report,
) {
    let link = ACCOUNT;
    let origin = match url.host() {
        "iamcredentials.googleapis.com" | "iamcredentials.mtls.googleapis.com" => {
            "https://www.googleapis.com".to_owned()
        }
        _ if url.is_local() => url.origin(),
        host => {
            report.skipped(link, format!("cannot check at {host} whether {account} exists"));
            return;
        }
    };
    let Ok(address) = Url::parse(&format!("{origin}{CERTIFICATES}{account}")) else { return };
    let request = Request::get(&address, "service_account_impersonation_url");
    match cx.send(request.once().limit(OPTIONAL_REQUEST_TIMEOUT)) {
        Ok(response) if response.status == 200 => {
            report.ok(link, format!("{account} exists")).with_step(cx.route(&address));
        }
        Ok(response) if response.status == 404 && account.contains('@') => {
            let project = project(account).unwrap_or_else(|| "PROJECT".to_owned());
            let list = format!(
                "list the service accounts of the project: gcloud iam service-accounts list --project={}",
                quoted(&project)
            );
            report.broken(link, Kind::Configuration, format!("{account} does not exist"), list);
        }
        Ok(response) => {
            report.skipped(
                link,
                format!("{} responded with status {}", address.host(), response.status),
            );
        }
        Err(error) => report.skipped(link, error.what()),
    }
}

/// Asks the Security Token Service for the time if no server has sent it. The response to this
/// request does not matter.
pub(super) fn ask_time(config: &CredentialConfig, cx: &Context) {
    if cx.skew().is_none() {
        let request = Request::get(&config.token_url, "token_url");
        let _ = cx.send(request.once().limit(OPTIONAL_REQUEST_TIMEOUT));
    }
}

/// Reports the clock. A wrong clock is reported before everything else.
pub(super) fn check_clock(is_offline: bool, cx: &Context, report: &mut Report) {
    let (link, skew) = ("clock", cx.skew());
    let wrong = skew.filter(|skew| skew.abs() > TOLERATED_SKEW);
    let fix = wrong_clock(wrong.unwrap_or(0));
    let is_cause = report.blame_clock(cx.clock.now(), wrong.unwrap_or(0), &fix);
    match (skew, wrong) {
        (None, _) if is_offline => report.skipped(link, OFFLINE),
        (None, _) => report.skipped(link, "no server sent its time"),
        (_, Some(_)) => {
            let message = "this host's clock differs from the server's";
            match is_cause {
                true => report.broken(link, Kind::Configuration, message, fix),
                false => report.warning(link, message, fix),
            };
            report.move_latest_to_front();
        }
        (Some(skew), None) => {
            report.ok(link, format!("this host's clock differs by {} s", skew.abs()));
            for (server, skew) in cx.clocks() {
                check_other_clock(&server, skew, report);
            }
        }
    }
}

/// Reports the clock of another server, if this host's clock is right and that one is not.
fn check_other_clock(server: &str, skew: i64, report: &mut Report) {
    if skew.abs() <= TOLERATED_SKEW {
        return;
    }
    let side = if skew > 0 { "behind" } else { "ahead" };
    let fix = format!(
        "ask the operator of {server} to correct its clock, which is {} s {side}",
        skew.abs()
    );
    report.warning("clock", format!("the clock of {server} differs from this host's"), fix);
}
