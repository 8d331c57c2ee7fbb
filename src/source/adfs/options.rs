//! What the options say: which protocol, whom to sign on as, and what goes with what.

use std::path::PathBuf;

use super::{Adfs, Auth, Protocol, Signer, ws_trust};
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{SecretRef, Values, missing};
use crate::signing_key::Thumbprint;
use crate::source::Source;
use crate::source::oidc::ClientAuth;

/// A User-Agent that AD FS offers Windows authentication to (`WiaSupportedUserAgents`).
const USER_AGENT: &str = concat!(
    "wif-token/",
    env!("CARGO_PKG_VERSION"),
    " (compatible; MSIE 7.0; MSIE 8.0; MSIE 9.0; MSIE 10.0; Trident/7.0)"
);

/// Where Google takes SAML responses.
const ACS_URL: &str = "https://sts.googleapis.com/v1/token";

choices! {
    /// How to ask for a token.
    enum ProtocolName {
        /// OAuth 2.0 with an access token as the result.
        Oidc = "oidc",
        /// SAML 2.0, HTTP POST binding.
        SamlPost = "saml-post",
        /// WS-Trust 1.3.
        WsTrust = "ws-trust",
    }
}

choices! {
    /// How to sign in.
    enum AuthMethod {
        /// As the account of this process.
        Integrated = "integrated",
        /// As another account.
        Password = "password",
        /// With a client certificate.
        Certificate = "certificate",
        /// As the server application, with its secret.
        ClientSecret = "client-secret",
        /// As the server application, with its key.
        PrivateKeyJwt = "private-key-jwt",
    }
}

choices! {
    /// The endpoints of WS-Trust, as AD FS names them.
    pub(super) enum EndpointName {
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

options! {
    /// Options of `adfs`.
    pub(super) struct Options {
        /// the address of AD FS, such as https://adfs.example.com/adfs/
        issuer: Url = "--issuer",
        /// the id of the Web API or relying party trust, letter by letter
        relying_party: String = "--relying-party=ID",
        /// how to ask, oidc by default
        protocol: Option<ProtocolName> = "--protocol",
        /// the server application, for oidc
        client_id: Option<String> = "--client-id=ID",
        /// how to sign on: the account of this process (the default), another one, a certificate
        /// (ws-trust), or as the server application (oidc)
        auth: Option<AuthMethod> = "--auth",
        /// the account of --auth=password, user@REALM
        user: Option<String> = "--user=NAME",
        /// its password
        password: Option<SecretRef> = "--password",
        /// the server application's secret
        client_secret: Option<SecretRef> = "--client-secret",
        /// the private key of private-key-jwt or certificate
        client_key: Option<PathBuf> = "--client-key=PEM",
        /// the certificate of --auth=certificate
        client_cert: Option<PathBuf> = "--client-cert=PEM",
        /// sign on with this keytab instead of the ticket cache
        keytab: Option<PathBuf> = "--keytab=PATH",
        /// the account in the keytab or ticket cache, name@REALM
        principal: Option<String> = "--principal=NAME",
        /// the service principal of AD FS, HTTP/host by default
        spn: Option<String> = "--spn=SPN",
        /// another User-Agent; AD FS has to offer it Windows authentication
        user_agent: Option<String> = "--user-agent=TEXT",
        /// the endpoint of ws-trust, by default the one of --auth
        ws_trust_endpoint: Option<EndpointName> = "--ws-trust-endpoint",
        /// the assertion consumer service of saml-post, Google's by default
        acs_url: Option<Url> = "--acs-url",
        /// sign the request of saml-post with this RSA key
        signing_key: Option<PathBuf> = "--signing-key=PEM",
        /// sign it with the key of this certificate in the store of Windows, the user's or the
        /// machine's
        signing_certificate: Option<String> = "--signing-certificate=THUMBPRINT",
    }
}

/// The source that the options describe.
///
/// # Errors
/// `USAGE` if something is missing or does not go together.
pub(super) fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    let auth = auth(&options)?;
    let protocol = protocol(&options, &auth)?;
    match (&protocol, &auth) {
        (Protocol::Oidc { .. }, Auth::Certificate { .. })
        | (Protocol::SamlPost { .. }, Auth::Certificate { .. } | Auth::Client(_))
        | (Protocol::WsTrust { .. }, Auth::Client(_)) => {
            return Err(Error::new(Kind::Usage, "--auth and --protocol do not fit together").fix(
                "certificate goes with ws-trust, client-secret and private-key-jwt with oidc",
            ));
        }
        _ => {}
    }
    Ok(Box::new(Adfs {
        issuer: with_slash(&options.issuer)?,
        relying_party: options.relying_party,
        protocol,
        auth,
        keytab: options.keytab,
        principal: options.principal,
        spn: options.spn,
        user_agent: options.user_agent.unwrap_or_else(|| USER_AGENT.to_owned()),
    }))
}

fn protocol(options: &Options, auth: &Auth) -> Result<Protocol, Error> {
    let protocol = options.protocol.unwrap_or(ProtocolName::Oidc);
    let of_saml_post = [
        ("acs-url", options.acs_url.is_some()),
        ("signing-key", options.signing_key.is_some()),
        ("signing-certificate", options.signing_certificate.is_some()),
    ];
    if let Some((option, _)) = of_saml_post.iter().find(|(_, given)| *given)
        && protocol != ProtocolName::SamlPost
    {
        return Err(Error::new(Kind::Usage, format!("--{option} is for --protocol=saml-post"))
            .fix(format!("remove --{option}, or add --protocol=saml-post")));
    }
    Ok(match protocol {
        ProtocolName::SamlPost => Protocol::SamlPost {
            acs_url: options.acs_url.as_ref().map_or(ACS_URL, Url::as_typed).to_owned(),
            signer: signer(options)?,
        },
        ProtocolName::WsTrust => {
            let endpoint = ws_trust::Endpoint::new(options.ws_trust_endpoint, auth)?;
            Protocol::WsTrust { endpoint }
        }
        ProtocolName::Oidc => Protocol::Oidc {
            client_id: options.client_id.clone().ok_or_else(|| missing("client-id"))?,
        },
    })
}

fn auth(options: &Options) -> Result<Auth, Error> {
    let key = || options.client_key.clone().ok_or_else(|| missing("client-key"));
    Ok(match options.auth.unwrap_or(AuthMethod::Integrated) {
        AuthMethod::Password => Auth::Password {
            user: options.user.clone().ok_or_else(|| missing("user"))?,
            password: options.password.clone().ok_or_else(|| missing("password"))?,
        },
        AuthMethod::Certificate => Auth::Certificate {
            key: key()?,
            certificate: options.client_cert.clone().ok_or_else(|| missing("client-cert"))?,
        },
        AuthMethod::ClientSecret => {
            let secret = options.client_secret.clone().ok_or_else(|| missing("client-secret"))?;
            Auth::Client(ClientAuth::Post(secret))
        }
        AuthMethod::PrivateKeyJwt => {
            Auth::Client(ClientAuth::PrivateKeyJwt { key: key()?, audience: None })
        }
        AuthMethod::Integrated => Auth::Integrated,
    })
}

fn signer(options: &Options) -> Result<Option<Signer>, Error> {
    let key = options.signing_key.clone().map(Signer::Key);
    let Some(text) = &options.signing_certificate else { return Ok(key) };
    if key.is_some() {
        let what = "--signing-key and --signing-certificate exclude each other";
        return Err(Error::new(Kind::Usage, what).fix("remove one of the two"));
    }
    let thumbprint = Thumbprint::parse(text).ok_or_else(|| {
        Error::new(
            Kind::Usage,
            "--signing-certificate requires a thumbprint, 40 hexadecimal digits",
        )
        .fix(r"list thumbprints in PowerShell: dir Cert:\CurrentUser\My, Cert:\LocalMachine\My")
    })?;
    Ok(Some(Signer::Certificate(thumbprint)))
}

fn with_slash(issuer: &Url) -> Result<Url, Error> {
    let text = format!("{}/", issuer.as_typed().trim_end_matches('/'));
    Url::parse(&text).map_err(|why| Error::new(Kind::Usage, format!("--issuer {why}")))
}
