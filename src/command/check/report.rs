//! The findings of `check`, one for each check, as text and as JSON.

use std::ptr;

use serde_json::{Value, json};

use super::status::{COLUMN, Status};
use super::terminal_layout::Layout;
use crate::error::{Error, Kind, is_of_clock, one_line};
use crate::show::scrubbed;

/// The finding of one check.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) link: &'static str,
    pub(super) status: Status,
    kind: Option<Kind>,
    message: String,
    fix: Option<String>,
    /// The steps of the check, such as requests.
    steps: Vec<String>,
    /// Whether a successful exchange proves that the check passes.
    pub(super) settled_by_exchange: bool,
    /// The time in seconds since 1970 that a failure depends on.
    pub(super) limit: Option<i64>,
}

/// All findings, in the order of the checks.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// The names and values of the members of a JWT header.
    pub(super) header: Vec<(String, String)>,
    /// The names and values of the claims. Names have the form of an attribute mapping.
    pub(super) claims: Vec<(String, String)>,
    /// The names of the workload in an IAM policy.
    pub(super) principals: Vec<String>,
    /// How the report looks on a terminal, where each check is shown as soon as it has run.
    layout: Option<Layout>,
    /// How many findings have been shown.
    shown: usize,
}

impl Report {
    /// Creates an empty report. `layout` is how it is shown on a terminal.
    pub(super) fn new(layout: Option<Layout>) -> Report {
        Report { layout, ..Report::default() }
    }

    /// Formats the findings that were not shown yet and will not change; `None` if no terminal is
    /// used.
    pub(super) fn show(&mut self) -> Option<String> {
        let layout = self.layout.as_ref()?;
        let new = self.findings.iter().skip(self.shown);
        let new: Vec<_> = new.take_while(|finding| !finding.may_change()).collect();
        let text =
            new.iter().map(|finding| finding.on_terminal(layout, &self.details(finding))).collect();
        self.shown += new.len();
        Some(text)
    }

    /// The steps of the check, and the claims or principals that a finding lists.
    fn details(&self, finding: &Finding) -> Vec<String> {
        let mut details = finding.steps.clone();
        if finding.link == CLAIMS {
            let members = self.header.iter().chain(&self.claims);
            details.extend(members.map(|(name, value)| format!("{name} = {value}")));
        }
        let last = self.findings.iter().rfind(|finding| finding.link == PRINCIPAL);
        if last.is_some_and(|last| ptr::eq(last, finding)) {
            details.extend(self.principals.iter().cloned());
        }
        details
    }

    fn add(&mut self, link: &'static str, status: Status, message: String) -> &mut Finding {
        self.findings.push_mut(Finding {
            link,
            status,
            kind: None,
            message: one_line(&scrubbed(&message)),
            fix: None,
            steps: Vec::new(),
            settled_by_exchange: false,
            limit: None,
        })
    }

    /// Adds a check that passed.
    pub(super) fn ok(&mut self, link: &'static str, message: impl Into<String>) -> &mut Finding {
        self.add(link, Status::Ok, message.into())
    }

    /// Adds a check that was not run.
    pub(super) fn skipped(&mut self, link: &'static str, why: impl Into<String>) {
        self.add(link, Status::Skipped, why.into());
    }

    /// Adds a check that may fail on another host or later.
    pub(super) fn warning(
        &mut self,
        link: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> &mut Finding {
        let finding = self.add(link, Status::Warning, message.into());
        finding.fix = Some(one_line(&scrubbed(&fix.into())));
        finding
    }

    /// Adds a failed check.
    pub(super) fn error(&mut self, link: &'static str, error: &Error) -> &mut Finding {
        let finding = self.add(link, Status::Error, error.what());
        finding.kind = Some(error.kind());
        finding.fix = error.how_to_fix();
        debug_assert!(finding.fix.is_some(), "no fix for: {}", finding.message);
        finding.limit = error.limit();
        finding
    }

    /// Adds a failed check for which there is no [`Error`] yet.
    pub(super) fn broken(
        &mut self,
        link: &'static str,
        kind: Kind,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> &mut Finding {
        self.error(link, &Error::new(kind, message).fix(fix))
    }

    /// Marks the checks that a successful exchange proves as passed.
    pub(super) fn settle(&mut self) {
        for finding in self.findings.iter_mut().filter(|finding| finding.settled_by_exchange) {
            finding.status = Status::Ok;
            finding.kind = None;
            finding.message += ", but Google accepts the token";
            finding.fix = None;
            finding.settled_by_exchange = false;
        }
    }

    /// Whether a failure depends on the time.
    pub(super) fn depends_on_time(&self) -> bool {
        self.findings.iter().any(|finding| finding.limit.is_some())
    }

    /// Sets the fix of the failures that the clock of this host causes. The clock shows `now` and
    /// is `skew` seconds ahead. Returns whether there is such a failure. After this call, findings
    /// no longer change.
    pub(super) fn blame_clock(&mut self, now: i64, skew: i64, fix: &str) -> bool {
        let mut found = false;
        for finding in &mut self.findings {
            let is_of_clock =
                finding.limit.take().is_some_and(|limit| is_of_clock(limit, now, skew));
            if is_of_clock && finding.status != Status::Ok {
                finding.fix = Some(fix.to_owned());
                found = true;
            }
        }
        found
    }

    /// Moves the latest finding before all others that were not shown yet, because it is the cause of
    /// others.
    pub(super) fn move_latest_to_front(&mut self) {
        if let Some(rest) = self.findings.get_mut(self.shown..).filter(|rest| !rest.is_empty()) {
            rest.rotate_right(1);
        }
    }

    /// Marks the check whether a service account exists as passed, because the account was
    /// impersonated.
    pub(super) fn settle_account(&mut self, account: &str) {
        let is_wrong =
            |finding: &&mut Finding| finding.link == ACCOUNT && finding.status == Status::Error;
        for finding in self.findings.iter_mut().filter(is_wrong) {
            finding.status = Status::Ok;
            finding.kind = None;
            finding.fix = None;
            finding.message = format!("{account} exists and was impersonated");
        }
    }

    /// The principal that is the workload itself, if the token shows it.
    pub(super) fn principal(&self) -> Option<String> {
        self.principals.iter().find(|name| name.starts_with("principal:")).cloned()
    }

    /// Whether a check failed.
    pub(super) fn has_error(&self, link: &str) -> bool {
        let mut found = self.findings.iter().filter(|finding| finding.link == link);
        found.any(|finding| finding.status == Status::Error)
    }

    /// Whether a check has an error or a warning.
    pub(super) fn has_problem(&self, link: &str) -> bool {
        let mut found = self.findings.iter().filter(|finding| finding.link == link);
        found.any(|finding| matches!(finding.status, Status::Error | Status::Warning))
    }

    /// 0, or the exit status of the first error.
    pub(super) fn exit_status(&self) -> u8 {
        let first = self.findings.iter().find(|finding| finding.status == Status::Error);
        first.map_or(0, |error| error.kind.unwrap_or(Kind::Internal).exit_status())
    }

    /// The report as text: one line for each check, with its details indented below. On a terminal,
    /// only what was not shown yet, and the summary.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(layout) = &self.layout {
            for finding in self.findings.iter().skip(self.shown) {
                text += &finding.on_terminal(layout, &self.details(finding));
            }
            return text + &self.summary(layout);
        }
        for finding in &self.findings {
            let fix = finding.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
            let (status, link) = (finding.status.word(), finding.link);
            text += &format!("{status:<8} {link:<15} {}{fix}\n", finding.message);
            for detail in self.details(finding) {
                text += &format!("{:COLUMN$}{detail}\n", "");
            }
        }
        text
    }

    /// The last line on a terminal.
    fn summary(&self, layout: &Layout) -> String {
        let count =
            |status| self.findings.iter().filter(|finding| finding.status == status).count();
        let (skipped, warnings) = (count(Status::Skipped), count(Status::Warning));
        let checked = self.findings.len() - skipped;
        let mut text = format!("{} of {checked} checks passed", checked - count(Status::Error));
        for (number, what) in [(warnings, "with a warning"), (skipped, "not run")] {
            if number > 0 {
                text += &format!(", {number} {what}");
            }
        }
        let first = [Status::Error, Status::Warning]
            .into_iter()
            .find_map(|status| self.findings.iter().find(|finding| finding.status == status));
        let status = first.map_or(Status::Ok, |finding| finding.status);
        if let Some(Finding { link, fix: Some(fix), .. }) = first {
            text += &format!(". Fix first ({link}): {fix}");
        }
        format!("\n{}\n", layout.colored(status, &layout.lines(&text, 0)))
    }

    /// The report as JSON. The schema is tests/check.schema.json.
    pub(super) fn to_json(&self) -> String {
        let links: Vec<Value> = self.findings.iter().map(Finding::to_json).collect();
        let named = |pairs: &[(String, String)]| -> Value {
            pairs.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
        };
        let value = json!({
            "version": 1,
            "ok": self.exit_status() == 0,
            "links": links,
            "header": named(&self.header),
            "claims": named(&self.claims),
            "principals": self.principals,
        });
        format!("{value:#}\n")
    }
}

/// The name of the check that lists the claims.
pub(super) const CLAIMS: &str = "claims";
/// The name of the check whether the service account exists.
pub(super) const ACCOUNT: &str = "account";
/// The name of the check that lists the principals.
pub(super) const PRINCIPAL: &str = "principal";

impl Finding {
    /// Whether the exchange or the time of a server can change the finding.
    fn may_change(&self) -> bool {
        self.settled_by_exchange || self.limit.is_some()
    }

    /// Sets the steps of the check.
    pub(super) fn with_steps(&mut self, steps: Vec<String>) {
        self.steps = steps;
    }

    /// Adds one step of the check.
    pub(super) fn with_step(&mut self, step: String) {
        self.steps.push(step);
    }

    fn on_terminal(&self, layout: &Layout, details: &[String]) -> String {
        layout.link((self.status, self.link), &self.message, self.fix.as_deref(), details)
    }

    fn to_json(&self) -> Value {
        json!({
            "link": self.link,
            "status": self.status.word(),
            "code": self.kind.map(Kind::code),
            "message": self.message,
            "fix": self.fix,
            "steps": self.steps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_are_pinned() {
        let mut report = Report::default();
        report.ok("configuration", "/c.json").with_steps(vec!["a step".to_owned()]);
        report.warning("token", "odd", "look").settled_by_exchange = true;
        report.broken("exchange", Kind::Denied, "refused", "run this");
        report.header.push(("header.alg".to_owned(), "\"RS256\"".to_owned()));
        report.claims.push(("assertion.sub".to_owned(), "\"s\"".to_owned()));
        report.ok(CLAIMS, "1 claim");
        report.skipped("clock", "no server sent its time");
        assert_eq!(report.exit_status(), 5);
        assert_eq!(
            report.to_text(),
            "ok       configuration   /c.json\n                         a step\n\
             warning  token           odd; look\n\
             error    exchange        refused; run this\n\
             ok       claims          1 claim\n                         header.alg = \"RS256\"\n\
             \x20                        assertion.sub = \"s\"\n\
             skipped  clock           no server sent its time\n"
        );
        let json: Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(
            json["links"][2],
            json!({"link": "exchange", "status": "error", "code": "DENIED", "message": "refused",
                   "fix": "run this", "steps": []})
        );
        assert_eq!(json["claims"][0], json!({"name": "assertion.sub", "value": "\"s\""}));
        assert_eq!(json["header"][0], json!({"name": "header.alg", "value": "\"RS256\""}));
        assert_eq!((&json["version"], &json["ok"]), (&json!(1), &json!(false)));
        report.settle();
        assert!(
            report
                .to_text()
                .contains("ok       token           odd, but Google accepts the token\n")
        );
    }
}
