//! What Microsoft Entra ID means by its error codes, and what to change.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use crate::error::Kind;

/// Codes, the kind of failure and what to do about it.
const REASONS: &[(&[u32], Kind, &str)] = &[
    (
        &[90002, 900_021, 900_023],
        Kind::Configuration,
        "check --tenant-id or AZURE_TENANT_ID (az account show --query tenantId); a tenant of \
         another cloud needs --authority-host",
    ),
    (
        &[700_016],
        Kind::Configuration,
        "check --client-id or AZURE_CLIENT_ID (az ad app list --query [].appId), and that its \
         application is in this tenant",
    ),
    (
        &[7_000_229],
        Kind::Configuration,
        "give the application a service principal: az ad sp create --id CLIENT_ID",
    ),
    (
        &[7_000_112],
        Kind::Denied,
        "enable the application: az ad sp update --id CLIENT_ID --set accountEnabled=true",
    ),
    (
        &[7_000_215, 7_000_216, 7_000_218],
        Kind::Denied,
        "check --client-secret or AZURE_CLIENT_SECRET: the value of the secret, not its id",
    ),
    (
        &[7_000_222],
        Kind::Expired,
        "make a new secret: az ad app credential reset --id CLIENT_ID --append",
    ),
    (
        &[700_027, 700_030, 50027],
        Kind::Denied,
        "check that --client-cert and --client-key belong together, and give the certificate to \
         the application: az ad app credential reset --id CLIENT_ID --cert @CERT.pem --append",
    ),
    (
        &[1_000_502],
        Kind::Expired,
        "renew --client-cert, and give it to the application: az ad app credential reset --id \
         CLIENT_ID --cert @CERT.pem --append",
    ),
    (
        &[700_024],
        Kind::Expired,
        "set this host's clock, or let whatever writes --federated-token-file renew it",
    ),
    (
        &[70021, 70025, 700_211, 700_212, 700_213],
        Kind::Denied,
        "trust this token's issuer, subject and audience: az ad app federated-credential create, \
         or az identity federated-credential create; a new one counts after some minutes",
    ),
    (
        &[500_011, 500_014, 650_057, 65001, 70011, 1_002_012],
        Kind::Configuration,
        "check --resource: it is the application ID URI of an application in this tenant (az ad \
         app update --identifier-uris) that has a service principal (az ad sp create)",
    ),
    (
        &[501_051],
        Kind::Denied,
        "assign this identity to the application of --resource, or let that do without \
         (az ad sp update --id APP_ID_URI --set appRoleAssignmentRequired=false)",
    ),
    (
        &[53003],
        Kind::Denied,
        "a Conditional Access policy blocks this identity: ask the tenant's administrator",
    ),
];

/// The kind of a refusal and what to do, where its words hold a code that is known here.
pub(super) fn explain(words: &str) -> Option<(Kind, &'static str)> {
    let (_, rest) = words.split_once("AADSTS")?;
    let code: u32 = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let reason = REASONS.iter().find(|(codes, ..)| codes.contains(&code));
    reason.map(|(_, kind, fix)| (*kind, *fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_whole() {
        let kind = |words| explain(words).map(|(kind, _)| kind);
        assert_eq!(
            kind("invalid_client: AADSTS7000222: The keys are expired."),
            Some(Kind::Expired)
        );
        assert_eq!(kind("AADSTS700021"), None);
        assert_eq!(kind("AADSTS70021: No match"), Some(Kind::Denied));
        assert_eq!(kind("invalid_client"), None);
    }

    #[test]
    fn each_code_has_one_reason() {
        let mut codes: Vec<_> = REASONS.iter().flat_map(|(codes, ..)| *codes).collect();
        let all = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
