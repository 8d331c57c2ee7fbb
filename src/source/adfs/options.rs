//! The options of `adfs`, and which of them can be used together.

use std::path::PathBuf;

use super::ws_trust::{self, EndpointName};
use super::{Adfs, Auth, Protocol, Signer};
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{Issuer, KeyRef, SecretRef, Thumbprint, Values, missing, refuse_pin};
use crate::source::Source;
use crate::source::oidc::ClientAuth;

/// The default User-Agent. AD FS offers Windows Authentication only to a User-Agent that contains
/// one of the strings in its `WiaSupportedUserAgents`, such as `MSIE 9.0`.
const USER_AGENT: &str = concat!(
    "wif-token/",
    env!("CARGO_PKG_VERSION"),
    " (compatible; MSIE 7.0; MSIE 8.0; MSIE 9.0; MSIE 10.0; Trident/7.0)"
);

/// The assertion consumer service of Google.
const ACS_URL: &str = "https://sts.googleapis.com/v1/token";

choices! {
    /// How to request a token.
    enum ProtocolName {
        /// OAuth 2.0; the access token is the subject token.
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
        /// With the account of this process.
        Integrated = "integrated",
        /// With the user name and password of an account.
        Password = "password",
        /// With a client certificate.
        Certificate = "certificate",
        /// As the server application, with its secret.
        ClientSecret = "client-secret",
        /// As the server application, with its key.
        PrivateKeyJwt = "private-key-jwt",
    }
}

options! {
    /// Options of `adfs`.
    pub(super) struct Options {
        /// base URL of AD FS, such as https://adfs.example.com/adfs/
        issuer: Issuer = "--issuer",
        /// identifier of the Web API (oidc) or of the relying party trust, exactly as in AD FS
        relying_party: String = "--relying-party=ID",
        /// protocol to request a token with (default: oidc)
        protocol: Option<ProtocolName> = "--protocol",
        /// client ID of the server application, for --protocol=oidc
        client_id: Option<String> = "--client-id=ID",
        /// how to sign in; certificate requires ws-trust, client-secret and private-key-jwt require
        /// oidc (default: integrated, the account of this process)
        auth: Option<AuthMethod> = "--auth",
        /// account for --auth=password, as user@REALM
        user: Option<String> = "--user=NAME",
        /// password for --auth=password
        password: Option<SecretRef> = "--password",
        /// secret of the server application, for --auth=client-secret
        client_secret: Option<SecretRef> = "--client-secret",
        /// file with the private key for --auth=private-key-jwt or --auth=certificate, or pkcs11: URI
        /// of a key in a token
        client_key: Option<KeyRef> = "--client-key",
        /// file with the certificate for --auth=certificate
        client_cert: Option<PathBuf> = "--client-cert=PEM",
        /// Kerberos keytab to use instead of the ticket cache
        keytab: Option<PathBuf> = "--keytab=PATH",
        /// account in the keytab or ticket cache, as name@REALM
        principal: Option<String> = "--principal=NAME",
        /// service principal name of AD FS (default: HTTP/HOST with the host of --issuer)
        spn: Option<String> = "--spn=SPN",
        /// User-Agent header; must match WiaSupportedUserAgents in AD FS
        user_agent: Option<String> = "--user-agent=TEXT",
        /// endpoint for --protocol=ws-trust (default: the endpoint for --auth)
        ws_trust_endpoint: Option<EndpointName> = "--ws-trust-endpoint",
        /// assertion consumer service for --protocol=saml-post
        /// (default: https://sts.googleapis.com/v1/token)
        acs_url: Option<Url> = "--acs-url",
        /// sign the request of --protocol=saml-post with this RSA key: a file, or the pkcs11: URI of a
        /// key in a token
        signing_key: Option<KeyRef> = "--signing-key",
        /// PIN of the token with --client-key or --signing-key, unless the pkcs11: URI has a
        /// pin-source
        pin: Option<SecretRef> = "--pin",
        /// sign the request of --protocol=saml-post with the key of this certificate in the Windows
        /// certificate store (CurrentUser\My or LocalMachine\My)
        signing_certificate: Option<String> = "--signing-certificate=THUMBPRINT",
    }
}

/// Builds the source.
///
/// # Errors
/// `USAGE` if a required option is missing or if options cannot be used together.
pub(super) fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let options = Options::read(values)?;
    if options.client_key.is_none() && options.signing_key.is_none() {
        refuse_pin(options.pin.as_ref(), "--client-key or --signing-key")?;
    }
    let auth = auth(&options)?;
    let protocol = protocol(&options, &auth)?;
    check_auth(options.auth, protocol_name(&options))?;
    Ok(Box::new(Adfs {
        issuer: with_slash(&options.issuer.0)?,
        relying_party: options.relying_party,
        protocol,
        auth,
        keytab: options.keytab,
        principal: options.principal,
        spn: options.spn,
        user_agent: options.user_agent.unwrap_or_else(|| USER_AGENT.to_owned()),
    }))
}

fn protocol_name(options: &Options) -> ProtocolName {
    options.protocol.unwrap_or(ProtocolName::Oidc)
}

/// Refuses a method that the protocol does not support.
fn check_auth(method: Option<AuthMethod>, protocol: ProtocolName) -> Result<(), Error> {
    let Some(method) = method else { return Ok(()) };
    let required = match method {
        AuthMethod::Certificate => ProtocolName::WsTrust,
        AuthMethod::ClientSecret | AuthMethod::PrivateKeyJwt => ProtocolName::Oidc,
        AuthMethod::Integrated | AuthMethod::Password => return Ok(()),
    };
    if protocol == required {
        return Ok(());
    }
    let (method, protocol) = (method.word(), required.word());
    Err(Error::new(Kind::Usage, format!("--auth={method} requires --protocol={protocol}"))
        .fix(format!("use --protocol={protocol}, or remove --auth={method}")))
}

fn protocol(options: &Options, auth: &Auth) -> Result<Protocol, Error> {
    let protocol = protocol_name(options);
    let saml_post_options = [
        ("acs-url", options.acs_url.is_some()),
        ("signing-key", options.signing_key.is_some()),
        ("signing-certificate", options.signing_certificate.is_some()),
    ];
    if let Some((option, _)) = saml_post_options.iter().find(|(_, is_set)| *is_set)
        && protocol != ProtocolName::SamlPost
    {
        return Err(Error::new(Kind::Usage, format!("--{option} requires --protocol=saml-post"))
            .fix(format!("use --protocol=saml-post, or remove --{option}")));
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
            client_id: options
                .client_id
                .clone()
                .ok_or_else(|| missing(Options::TABLE, "client-id"))?,
        },
    })
}

fn auth(options: &Options) -> Result<Auth, Error> {
    let key = || {
        let key = options.client_key.clone();
        let key = key.ok_or_else(|| missing(Options::TABLE, "client-key"))?;
        key.with_pin(options.pin.clone(), "--client-key")
    };
    Ok(match options.auth.unwrap_or(AuthMethod::Integrated) {
        AuthMethod::Password => Auth::Password {
            user: options.user.clone().ok_or_else(|| missing(Options::TABLE, "user"))?,
            password: options
                .password
                .clone()
                .ok_or_else(|| missing(Options::TABLE, "password"))?,
        },
        AuthMethod::Certificate => Auth::Certificate {
            key: key()?,
            certificate: options
                .client_cert
                .clone()
                .ok_or_else(|| missing(Options::TABLE, "client-cert"))?,
        },
        AuthMethod::ClientSecret => {
            let secret = options
                .client_secret
                .clone()
                .ok_or_else(|| missing(Options::TABLE, "client-secret"))?;
            Auth::Client(ClientAuth::Post(secret))
        }
        AuthMethod::PrivateKeyJwt => {
            Auth::Client(ClientAuth::PrivateKeyJwt { key: key()?, audience: None })
        }
        AuthMethod::Integrated => Auth::Integrated,
    })
}

fn signer(options: &Options) -> Result<Option<Signer>, Error> {
    let key = options.signing_key.clone();
    let key = key.map(|key| key.with_pin(options.pin.clone(), "--signing-key")).transpose()?;
    let key = key.map(Signer::Key);
    let Some(text) = &options.signing_certificate else { return Ok(key) };
    if key.is_some() {
        let what = "--signing-key and --signing-certificate cannot be used together";
        return Err(
            Error::new(Kind::Usage, what).fix("remove --signing-key or --signing-certificate")
        );
    }
    let thumbprint = Thumbprint::parse(text).ok_or_else(|| {
        Error::new(
            Kind::Usage,
            "--signing-certificate is not a thumbprint of 40 hexadecimal digits",
        )
        .fix(Thumbprint::FIX)
    })?;
    Ok(Some(Signer::Certificate(thumbprint)))
}

fn with_slash(issuer: &Url) -> Result<Url, Error> {
    let text = format!("{}/", issuer.as_typed().trim_end_matches('/'));
    Url::parse(&text)
        .map_err(|why| Error::new(Kind::Usage, format!("--issuer {why}")).fix("correct --issuer"))
}
