//! The ARN of an IAM role, `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>

use super::endpoint;
use crate::error::{Error, Kind};

/// The parts of the ARN of a role.
#[derive(Debug, Clone, Copy)]
pub struct RoleArn<'a> {
    /// The partition, such as `aws`.
    pub partition: &'a str,
    /// The number of the AWS account, 12 digits.
    pub account: &'a str,
    /// The name of the role, without its path.
    pub name: &'a str,
}

impl<'a> RoleArn<'a> {
    /// The parts of an ARN; `None` if it is not that of a role.
    pub fn parse(arn: &'a str) -> Option<RoleArn<'a>> {
        let [_, partition, _, _, account, resource] = arn.split(':').collect::<Vec<_>>()[..] else {
            return None;
        };
        let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
        let is_role = arn.starts_with(&format!("arn:{partition}:iam::{account}:role/"))
            && endpoint::is_partition(partition)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && resource.bytes().all(|byte| byte.is_ascii_graphic())
            && arn.len() <= 2048
            && (1..=64).contains(&name.len())
            && name.chars().all(is_of_name);
        is_role.then_some(RoleArn { partition, account, name })
    }

    /// The parts of an ARN that `setting` contains.
    ///
    /// # Errors
    /// An error of this kind if it is not the ARN of a role.
    pub(super) fn require(arn: &'a str, setting: &str, kind: Kind) -> Result<RoleArn<'a>, Error> {
        RoleArn::parse(arn).ok_or_else(|| {
            Error::new(kind, format!("{setting} is not the ARN of an IAM role")).fix(format!(
                "set {setting} to a value such as arn:aws:iam::123456789012:role/NAME"
            ))
        })
    }
}

/// Whether the name of a role or of a session can contain this character.
pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arns_of_roles_are_accepted() {
        let account = "123456789012";
        for (arn, partition) in [
            ("arn:aws:iam::123456789012:role/deploy", "aws"),
            ("arn:aws-cn:iam::123456789012:role/a/b-1/deploy+=,.@_x", "aws-cn"),
            ("arn:aws-us-gov:iam::123456789012:role/deploy", "aws-us-gov"),
        ] {
            let found = RoleArn::parse(arn).unwrap();
            assert_eq!((found.partition, found.account), (partition, account), "{arn}");
            assert!(found.name.starts_with("deploy"), "{arn}");
        }
        for arn in [
            "",
            "deploy",
            "arn:aws:iam::123456789012:user/deploy",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\n",
            "arn:aws:iam::123456789012:role/\u{e9}",
            "arn:aws:iam::12345678901:role/a",
            "arn:aws:iam::12345678901a:role/a",
            "arn:aws:iam:eu-west-1:123456789012:role/a",
            "arn:aws:sts::123456789012:role/a",
            "arn:moon:iam::123456789012:role/a",
            "ARN:aws:iam::123456789012:role/a",
            "arn:aws:iam::123456789012:role/a:b",
            &format!("arn:aws:iam::123456789012:role/{}", "a".repeat(65)),
        ] {
            assert!(RoleArn::parse(arn).is_none(), "{arn}");
        }
    }
}
