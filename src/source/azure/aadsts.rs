//! What the error codes of Microsoft Entra ID (`AADSTS` and a number) mean, and how to fix the
//! errors.
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>

use crate::error::Kind;

/// Codes, the kind of failure, and the fix.
const REASONS: &[(&[u32], Kind, &str)] = &[
    (
        &[90002, 50059, 900_021, 900_023],
        Kind::Configuration,
        "check --tenant-id or AZURE_TENANT_ID (az account show --query tenantId), and set \
         --authority-host if the tenant is in a national cloud",
    ),
    (
        &[700_016, 70001],
        Kind::Configuration,
        "check --client-id or AZURE_CLIENT_ID, and that the application is in this tenant (az ad app \
         show --id CLIENT_ID)",
    ),
    (
        &[7_000_229],
        Kind::Configuration,
        "create a service principal for the application (az ad sp create --id CLIENT_ID)",
    ),
    (
        &[7_000_112],
        Kind::Denied,
        "enable the application (az ad sp update --id CLIENT_ID --set accountEnabled=true)",
    ),
    (
        &[7_000_215, 7_000_216, 7_000_218],
        Kind::Denied,
        "check --client-secret or AZURE_CLIENT_SECRET, which must be the value of the client \
         secret and not its ID",
    ),
    (
        &[7_000_222],
        Kind::Expired,
        "create a client secret (az ad app credential reset --id CLIENT_ID --append) and set \
         --client-secret or AZURE_CLIENT_SECRET to it",
    ),
    (
        &[700_027, 700_030],
        Kind::Denied,
        "check that the certificate and the key belong together (--client-cert and --client-key, \
         or AZURE_CLIENT_CERTIFICATE_PATH), and add the certificate to the application (az ad app \
         credential reset --id CLIENT_ID --cert @CERT.pem --append)",
    ),
    (
        &[50027],
        Kind::Denied,
        "check that --federated-token-file or AZURE_FEDERATED_TOKEN_FILE contains a JWT, or that \
         --client-cert and --client-key belong together",
    ),
    (
        &[1_000_502],
        Kind::Expired,
        "renew the certificate in --client-cert or AZURE_CLIENT_CERTIFICATE_PATH, and add it to \
         the application (az ad app credential reset --id CLIENT_ID --cert @CERT.pem --append)",
    ),
    (
        &[700_025],
        Kind::Configuration,
        "use a separate application for this workload, or set Authentication > Allow public \
         client flows to No if no other program signs in with this application",
    ),
    (
        &[900_432, 700_023],
        Kind::Configuration,
        "set --authority-host or AZURE_AUTHORITY_HOST to the cloud of the tenant, such as \
         https://login.microsoftonline.us",
    ),
    (
        &[700_024, 500_133],
        Kind::Expired,
        "check the clocks of this host and of Azure, and that the token in --federated-token-file \
         or AZURE_FEDERATED_TOKEN_FILE is renewed",
    ),
    (
        &[70021, 70025, 700_211, 700_212, 700_213],
        Kind::Denied,
        "add a federated credential with this token's issuer, subject and audience (az ad app \
         federated-credential create or az identity federated-credential create), and wait a few \
         minutes",
    ),
    // <https://github.com/Azure/azure-workload-identity/issues/1232>
    (
        &[7_000_272],
        Kind::Denied,
        "check that the issuer of the token in --federated-token-file or AZURE_FEDERATED_TOKEN_FILE \
         publishes the key of the token (kid)",
    ),
    // <https://learn.microsoft.com/entra/workload-id/workload-identity-federation>
    (
        &[700_222],
        Kind::Configuration,
        "set --federated-token-file or AZURE_FEDERATED_TOKEN_FILE to a token of another identity \
         provider, because Microsoft Entra ID does not accept its own tokens there",
    ),
    (
        &[500_011, 500_014, 650_057, 65001, 70011, 1_002_012],
        Kind::Configuration,
        "set --resource to the application ID URI of an application in this tenant (az ad app \
         update --identifier-uris) that has a service principal (az ad sp create)",
    ),
    (
        &[501_051, 50105],
        Kind::Denied,
        "assign this identity to an app role of the application that --resource names, which requires \
         an assignment (Enterprise applications > Users and groups)",
    ),
    (
        &[53003],
        Kind::Denied,
        "ask the administrator of the tenant to exclude this identity from the Conditional Access \
         policy",
    ),
    (
        &[500_021],
        Kind::Denied,
        "ask the administrator of the proxy of this network to add the tenant to its tenant \
         restrictions (header Restrict-Access-To-Tenants)",
    ),
    (&[90033, 90055, 50196], Kind::Unreachable, "try again later"),
];

/// The codes for an assertion that is not valid according to the clock of the server.
const OF_CLOCK: [u32; 2] = [700_024, 500_133];

/// The kind and the fix for an error message of Microsoft Entra ID; `None` if it has no known code.
/// `clock` is the fix for the clock of this host, if the clock is wrong.
pub(super) fn explain(message: &str, clock: Option<String>) -> Option<(Kind, String)> {
    let (_, rest) = message.split_once("AADSTS")?;
    let code: u32 = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    let (_, kind, fix) = REASONS.iter().find(|(codes, ..)| codes.contains(&code))?;
    Some(match clock.filter(|_| OF_CLOCK.contains(&code)) {
        Some(clock) => (Kind::Configuration, clock),
        None => (*kind, (*fix).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits_of_a_code_are_compared() {
        let kind = |message| explain(message, None).map(|(kind, _)| kind);
        assert_eq!(
            kind("invalid_client: AADSTS7000222: The keys are expired."),
            Some(Kind::Expired)
        );
        assert_eq!(kind("AADSTS700021"), None);
        assert_eq!(kind("AADSTS70021: No match"), Some(Kind::Denied));
        assert_eq!(kind("invalid_client"), None);
    }

    #[test]
    fn each_code_occurs_once() {
        let mut codes: Vec<_> = REASONS.iter().flat_map(|(codes, ..)| *codes).collect();
        let all = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }
}
