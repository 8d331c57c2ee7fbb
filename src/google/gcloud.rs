//! `gcloud` commands about service accounts, for messages.
//!
//! Every word is quoted for a POSIX shell, so that a command can be pasted.
//! <https://cloud.google.com/sdk/gcloud/reference/iam/service-accounts>

use crate::shell::quoted;

/// Without this option, gcloud prompts for a condition if the policy has conditional bindings.
pub const UNCONDITIONAL: &str = "--condition=None";

/// The end of the address of a service account that a user has created.
const OF_USERS: &str = ".iam.gserviceaccount.com";

/// The command that grants `member` the role `roles/iam.ROLE` on a service account.
pub fn grant_role(account: &str, role: &str, member: &str) -> String {
    let member = format!("--member={member}");
    let (project, account, member) = (in_project(account), quoted(account), quoted(&member));
    format!(
        "gcloud iam service-accounts add-iam-policy-binding {account} --role=roles/iam.{role} \
         {member}{project}"
    )
}

/// The command that grants `member` the role `roles/ROLE` on a project, which is quoted already.
pub fn grant_project_role(project: &str, role: &str, member: &str) -> String {
    let member = format!("--member={member}");
    let member = quoted(&member);
    format!(
        "gcloud projects add-iam-policy-binding {project} --role=roles/{role} {member} {UNCONDITIONAL}"
    )
}

/// The command that creates a service account; `None` for one that Google creates, such as the
/// default account of Compute Engine.
pub fn create(account: &str) -> Option<String> {
    let (name, _) = account.strip_suffix(OF_USERS)?.split_once('@')?;
    let project = project(account)?;
    Some(format!(
        "gcloud iam service-accounts create {} --project={}",
        quoted(name),
        quoted(&project)
    ))
}

/// The command that enables a service account.
pub(in crate::google) fn enable(account: &str) -> String {
    format!("gcloud iam service-accounts enable {}{}", quoted(account), in_project(account))
}

/// The command that shows a service account.
pub(in crate::google) fn describe(account: &str) -> String {
    format!("gcloud iam service-accounts describe {}{}", quoted(account), in_project(account))
}

/// The `--project` option for a service account. gcloud looks in its default project without it.
fn in_project(account: &str) -> String {
    project(account).map_or_else(String::new, |project| format!(" --project={}", quoted(&project)))
}

/// The project of a service account, from its email address: `PROJECT` for
/// `NAME@PROJECT.iam.gserviceaccount.com` and for `PROJECT@appspot.gserviceaccount.com`, and
/// `DOMAIN:PROJECT` for a domain-scoped project, `NAME@PROJECT.DOMAIN.iam.gserviceaccount.com`.
pub fn project(account: &str) -> Option<String> {
    let (name, host) = account.split_once('@')?;
    let project = match host {
        "appspot.gserviceaccount.com" => name,
        host => host.strip_suffix(OF_USERS)?,
    };
    Some(match project.split_once('.') {
        Some((project, domain)) => format!("{domain}:{project}"),
        None => project.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_read_from_the_email_address() {
        for (account, expected) in [
            ("app@my-project.iam.gserviceaccount.com", Some("my-project")),
            ("app@my-project.example.com.iam.gserviceaccount.com", Some("example.com:my-project")),
            ("my-project@appspot.gserviceaccount.com", Some("my-project")),
            ("1-compute@developer.gserviceaccount.com", None),
            ("123456789012345678901", None),
        ] {
            assert_eq!(project(account).as_deref(), expected, "{account}");
            let is_created = expected.is_some() && account.contains(".iam.");
            assert_eq!(create(account).is_some(), is_created, "{account}");
        }
    }
}
