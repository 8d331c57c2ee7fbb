//! What the options say: which protocol, whom to sign on as, and what goes with what.

use std::path::PathBuf;

use super::{Adfs, Auth, Protocol, Signer, ws_trust};
use crate::error::{Error, Kind};
use crate::http::Url;
use crate::options::{OptionInfo, Takes, Values, missing};
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

/// All of them.
pub(super) const TABLE: &[OptionInfo] = &[
    OptionInfo::new(
        "issuer",
        Takes::Url,
        "the address of AD FS, such as https://adfs.example.com/adfs/",
    )
    .required(),
    OptionInfo::new(
        "relying-party",
        Takes::Text("ID"),
        "the id of the Web API or relying party trust, letter by letter",
    )
    .required(),
    OptionInfo::new(
        "protocol",
        Takes::Choice(&["oidc", "saml-post", "ws-trust"]),
        "how to ask, oidc by default",
    ),
    OptionInfo::new("client-id", Takes::Text("ID"), "the server application, for oidc"),
    OptionInfo::new(
        "auth",
        Takes::Choice(&[
            "integrated",
            "password",
            "certificate",
            "client-secret",
            "private-key-jwt",
        ]),
        "how to sign on: the account of this process (the default), another one, a certificate \
         (ws-trust), or as the server application (oidc)",
    ),
    OptionInfo::new("user", Takes::Text("NAME"), "the account of --auth=password, user@REALM"),
    OptionInfo::new("password", Takes::Secret, "its password"),
    OptionInfo::new("client-secret", Takes::Secret, "the server application's secret"),
    OptionInfo::new(
        "client-key",
        Takes::Path("PEM"),
        "the private key of private-key-jwt or certificate",
    ),
    OptionInfo::new("client-cert", Takes::Path("PEM"), "the certificate of --auth=certificate"),
    OptionInfo::new(
        "keytab",
        Takes::Path("PATH"),
        "sign on with this keytab instead of the ticket cache",
    ),
    OptionInfo::new(
        "principal",
        Takes::Text("NAME"),
        "the account in the keytab or ticket cache, name@REALM",
    ),
    OptionInfo::new(
        "spn",
        Takes::Text("SPN"),
        "the service principal of AD FS, HTTP/host by default",
    ),
    OptionInfo::new(
        "user-agent",
        Takes::Text("TEXT"),
        "another User-Agent; AD FS has to offer it Windows authentication",
    ),
    OptionInfo::new(
        "ws-trust-endpoint",
        Takes::Choice(&["windowstransport", "usernamemixed", "certificatemixed", "windowsmixed"]),
        "the endpoint of ws-trust, by default the one of --auth",
    ),
    OptionInfo::new(
        "acs-url",
        Takes::Url,
        "the assertion consumer service of saml-post, Google's by default",
    ),
    OptionInfo::new(
        "signing-key",
        Takes::Path("PEM"),
        "sign the request of saml-post with this RSA key",
    ),
    OptionInfo::new(
        "signing-certificate",
        Takes::Text("THUMBPRINT"),
        "sign it with the key of this certificate in the store of Windows, the user's or the \
         machine's",
    ),
];

/// The source that they describe.
///
/// # Errors
/// `USAGE` for what is missing or does not go together.
pub(super) fn build(values: &Values) -> Result<Box<dyn Source>, Error> {
    let text = |name: &'static str| values.text(name).map(str::to_owned);
    let path = |name: &'static str| values.path(name).map(PathBuf::from);
    let auth = auth(values)?;
    let of_saml_post = ["acs-url", "signing-key", "signing-certificate"];
    if let Some(option) = of_saml_post.iter().find(|option| values.flag(option))
        && values.text("protocol") != Some("saml-post")
    {
        return Err(Error::new(Kind::Usage, format!("--{option} is for --protocol=saml-post"))
            .fix("leave it out, or add --protocol=saml-post"));
    }
    let protocol = match values.text("protocol") {
        Some("saml-post") => Protocol::SamlPost {
            acs_url: values.url("acs-url").map_or(ACS_URL, Url::as_typed).to_owned(),
            signer: signer(values)?,
        },
        Some("ws-trust") => Protocol::WsTrust { endpoint: ws_trust::Endpoint::new(values, &auth)? },
        _ => Protocol::Oidc { client_id: text("client-id").ok_or_else(|| missing("client-id"))? },
    };
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
    let issuer = values.url("issuer").ok_or_else(|| missing("issuer"))?;
    Ok(Box::new(Adfs {
        issuer: with_slash(issuer)?,
        relying_party: text("relying-party").ok_or_else(|| missing("relying-party"))?,
        protocol,
        auth,
        keytab: path("keytab"),
        principal: text("principal"),
        spn: text("spn"),
        user_agent: text("user-agent").unwrap_or_else(|| USER_AGENT.to_owned()),
    }))
}

fn auth(values: &Values) -> Result<Auth, Error> {
    let text =
        |name: &'static str| values.text(name).map(str::to_owned).ok_or_else(|| missing(name));
    let secret = |name: &'static str| values.secret(name).cloned().ok_or_else(|| missing(name));
    let path =
        |name: &'static str| values.path(name).map(PathBuf::from).ok_or_else(|| missing(name));
    Ok(match values.text("auth") {
        Some("password") => Auth::Password { user: text("user")?, password: secret("password")? },
        Some("certificate") => {
            Auth::Certificate { key: path("client-key")?, certificate: path("client-cert")? }
        }
        Some("client-secret") => Auth::Client(ClientAuth::Post(secret("client-secret")?)),
        Some("private-key-jwt") => {
            Auth::Client(ClientAuth::PrivateKeyJwt { key: path("client-key")?, audience: None })
        }
        _ => Auth::Integrated,
    })
}

fn signer(values: &Values) -> Result<Option<Signer>, Error> {
    let key = values.path("signing-key").map(|path| Signer::Key(path.to_owned()));
    let Some(text) = values.text("signing-certificate") else { return Ok(key) };
    if key.is_some() {
        let what = "--signing-key and --signing-certificate are two keys";
        return Err(Error::new(Kind::Usage, what).fix("give one of them"));
    }
    let thumbprint = Thumbprint::parse(text).ok_or_else(|| {
        Error::new(Kind::Usage, "--signing-certificate takes a thumbprint, 40 hexadecimal digits")
            .fix(r"dir Cert:\CurrentUser\My, Cert:\LocalMachine\My in PowerShell shows them")
    })?;
    Ok(Some(Signer::Certificate(thumbprint)))
}

fn with_slash(issuer: &Url) -> Result<Url, Error> {
    let text = format!("{}/", issuer.as_typed().trim_end_matches('/'));
    Url::parse(&text).map_err(|why| Error::new(Kind::Usage, format!("--issuer {why}")))
}
