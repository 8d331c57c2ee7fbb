//! The options of `azure`, and which of them cannot be used together.

use std::path::PathBuf;

use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{KeyRef, SecretRef, refuse_pin};

choices! {
    /// The environments, in the order of the search.
    pub(super) enum EnvironmentName {
        /// A service principal with a client secret or a certificate.
        ServicePrincipal = "service-principal",
        /// A workload identity of AKS.
        WorkloadIdentity = "workload-identity",
        /// The managed identity of a Service Fabric application.
        ServiceFabric = "service-fabric",
        /// The managed identity of App Service, Functions or Container Apps.
        AppService = "app-service",
        /// The managed identity of a compute in Azure Machine Learning.
        MachineLearning = "machine-learning",
        /// The user of an Azure Cloud Shell.
        CloudShell = "cloud-shell",
        /// The managed identity of a server with Azure Arc.
        Arc = "arc",
        /// The managed identity of a virtual machine.
        Imds = "imds",
    }
}

options! {
    /// Options of `azure`.
    pub(super) struct Options {
        /// application ID URI of the application that the token is for
        pub(super) resource: String = "--resource=APP_ID_URI",
        /// environment to get the token from (default: the first one that is configured)
        pub(super) environment: Option<EnvironmentName> = "--environment",
        /// tenant of a service principal or workload identity; overrides AZURE_TENANT_ID
        pub(super) tenant_id: Option<String> = "--tenant-id=ID",
        /// client ID of the application, or of a user-assigned managed identity; overrides
        /// AZURE_CLIENT_ID
        pub(super) client_id: Option<String> = "--client-id=ID",
        /// object ID of a user-assigned managed identity
        pub(super) object_id: Option<String> = "--object-id=ID",
        /// Azure resource ID of a user-assigned managed identity
        pub(super) identity_resource_id: Option<String> = "--identity-resource-id=ID",
        /// client secret of a service principal; overrides AZURE_CLIENT_SECRET
        pub(super) client_secret: Option<SecretRef> = "--client-secret",
        /// file with the certificate of a service principal; overrides AZURE_CLIENT_CERTIFICATE_PATH
        pub(super) client_cert: Option<PathBuf> = "--client-cert=PEM",
        /// file with the RSA private key of the certificate, or pkcs11: URI of a key in a token
        /// (default: the file of --client-cert)
        pub(super) client_key: Option<KeyRef> = "--client-key",
        /// PIN of the token with the key, unless the pkcs11: URI has a pin-source
        pub(super) pin: Option<SecretRef> = "--pin",
        /// file with the token of a workload identity; overrides AZURE_FEDERATED_TOKEN_FILE
        pub(super) federated_token_file: Option<PathBuf> = "--federated-token-file=FILE",
        /// Microsoft Entra ID of a national cloud; overrides AZURE_AUTHORITY_HOST
        pub(super) authority_host: Option<Url> = "--authority-host",
    }
}

impl Options {
    /// Refuses options that cannot be used together, and a scope in place of a resource.
    ///
    /// # Errors
    /// `USAGE` with the options to change.
    pub(super) fn refuse_contradictions(&self) -> Result<(), Error> {
        refuse_two(&[
            ("--client-secret", self.client_secret.is_some()),
            ("--client-cert", self.client_cert.is_some()),
        ])?;
        refuse_two(&[
            ("--client-id", self.client_id.is_some()),
            ("--object-id", self.object_id.is_some()),
            ("--identity-resource-id", self.identity_resource_id.is_some()),
        ])?;
        if self.resource.ends_with("/.default") {
            return Err(Error::new(Kind::Usage, "--resource is a scope")
                .cause("it ends with /.default")
                .fix("remove /.default from --resource"));
        }
        if self.client_key.is_none() {
            refuse_pin(self.pin.as_ref(), "--client-key")?;
        }
        match self.client_key.is_some() && self.client_cert.is_none() {
            true => Err(Error::new(Kind::Usage, "--client-key requires --client-cert")
                .fix("add --client-cert=PEM")),
            false => Ok(()),
        }
    }
}

/// Refuses more than one of these options; `true` means that the option is set.
fn refuse_two(options: &[(&str, bool)]) -> Result<(), Error> {
    let set: Vec<&str> = options.iter().filter(|row| row.1).map(|row| row.0).collect();
    let [first, second, ..] = set[..] else { return Ok(()) };
    Err(Error::new(Kind::Usage, format!("{first} and {second} cannot be used together"))
        .fix(format!("remove {first} or {second}")))
}
