//! The WS-Trust endpoints of AD FS, one for each way to sign in.

use crate::error::{Error, Kind};
use crate::source::adfs::Auth;

choices! {
    /// The WS-Trust endpoints, with the names that AD FS uses.
    pub(in crate::source::adfs) enum EndpointName {
        /// HTTP Negotiate.
        WindowsTransport = "windowstransport",
        /// A user name and password in the message.
        UsernameMixed = "usernamemixed",
        /// A client certificate.
        CertificateMixed = "certificatemixed",
        /// SPNEGO inside the messages, which is not supported.
        WindowsMixed = "windowsmixed",
    }
}

/// An endpoint below `services/trust/13/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source::adfs) enum Endpoint {
    /// HTTP Negotiate.
    WindowsTransport,
    /// A user name and password in the message.
    UsernameMixed,
    /// A signature in the message.
    CertificateMixed,
}

impl Endpoint {
    /// Selects the endpoint of `--ws-trust-endpoint`; by default, the endpoint for `--auth`.
    ///
    /// # Errors
    /// `USAGE` if the endpoint does not support `--auth`, or if it is `windowsmixed`.
    pub(in crate::source::adfs) fn new(
        chosen: Option<EndpointName>,
        auth: &Auth,
    ) -> Result<Endpoint, Error> {
        let default = match auth {
            Auth::Password { .. } => Endpoint::UsernameMixed,
            Auth::Certificate { .. } => Endpoint::CertificateMixed,
            Auth::Integrated | Auth::Client(_) => Endpoint::WindowsTransport,
        };
        match (chosen, auth) {
            (None, _) => Ok(default),
            (Some(EndpointName::WindowsMixed), _) => Err(windows_mixed()),
            (Some(EndpointName::WindowsTransport), Auth::Password { .. }) => {
                Ok(Endpoint::WindowsTransport)
            }
            (Some(name), _) if name.word() == default.name() => Ok(default),
            (Some(name), _) => Err(unsuitable(name)),
        }
    }

    /// The last part of its path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Endpoint::WindowsTransport => "windowstransport",
            Endpoint::UsernameMixed => "usernamemixed",
            Endpoint::CertificateMixed => "certificatemixed",
        }
    }
}

fn windows_mixed() -> Error {
    Error::new(Kind::Usage, "--ws-trust-endpoint=windowsmixed is not supported")
        .cause("it negotiates inside SOAP messages, which only WCF clients implement")
        .fix(
            "use --ws-trust-endpoint=windowstransport (enable it with Enable-AdfsEndpoint \
             -TargetAddressPath /adfs/services/trust/13/windowstransport) or --protocol=saml-post",
        )
}

fn unsuitable(name: EndpointName) -> Error {
    let auth = match name {
        EndpointName::UsernameMixed => "--auth=password",
        EndpointName::CertificateMixed => "--auth=certificate",
        EndpointName::WindowsTransport | EndpointName::WindowsMixed => {
            "--auth=integrated or --auth=password"
        }
    };
    Error::new(Kind::Usage, format!("--ws-trust-endpoint={} requires {auth}", name.word()))
        .fix(format!("use {auth}, or remove --ws-trust-endpoint"))
}
