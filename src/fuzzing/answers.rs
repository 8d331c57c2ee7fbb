//! Whole runs of sources and of a token exchange, with the input as the responses of the servers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::client;
use crate::configuration::CredentialConfig;
use crate::context::Context;
use crate::contract::request::SubjectTokenRequest;
use crate::error::Error;
use crate::google::service_account::ServiceAccount;
use crate::google::token_exchange;
use crate::http::{Settings, fuzzing};
use crate::secret::Secret;
use crate::source::command_line;
use crate::world::{Clock, Deadline, Env, Log, World};

/// Every secret of these runs. No message and no line of the log may contain it.
const SECRET: &str = "fixed-Secret-of-these-runs-0123456789";

/// The command lines, of which the first byte of the input selects one.
const SOURCES: &[&str] = &[
    "url --url=https://a.example/t --header=X-Token:env:SECRET",
    "url --url=https://a.example/t --field=a.b",
    "oidc --issuer=https://a.example --client-id=c --client-secret=env:SECRET",
    "vault --address=https://a.example --role=r --token=env:SECRET",
    "vault --address=https://a.example --role=r --login=approle --role-id=i --secret-id=env:SECRET",
    "aws --mode=jwt --region=eu-west-1",
    "aws --mode=jwt --region=eu-west-1 --role-arn=arn:aws:iam::123456789012:role/r",
    "azure --environment=imds --resource=api://a",
    "github",
    "adfs --issuer=https://a.example/adfs --relying-party=urn:r --protocol=ws-trust --auth=password \
     --user=u --password=env:SECRET --token-type=urn:ietf:params:oauth:token-type:saml2",
];

/// The line between two responses.
const NEXT: &[u8] = b"\n----\n";

/// Runs the command line or the exchange that the first byte selects. The rest of the input
/// contains the responses.
pub(super) fn run(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let mut responses = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(NEXT.len()).position(|window| window == NEXT) {
        responses.push(rest.get(..at).unwrap_or_default());
        rest = rest.get(at + NEXT.len()..).unwrap_or_default();
    }
    fuzzing::respond_with(responses.into_iter().chain([rest]));
    let world = World {
        env: Env::Map(environment()),
        clock: Clock,
        // The pause before each retry is longer, so no request is repeated.
        deadline: Deadline::after(Duration::from_millis(400)),
        log: Log::open(None, Clock).recording(),
    };
    let cx = Context::new(world, Settings::default(), client::ID_TOKENS);
    let index = usize::from(choice.wrapping_sub(b'a'));
    let result = match SOURCES.get(index) {
        Some(line) => subject_token(line, &cx),
        None => exchange(&cx),
    };
    let message = result.err().map(|error| error.to_string());
    for line in cx.log.recorded().into_iter().chain(message) {
        assert!(!line.contains(SECRET), "a secret is shown: {line}");
        assert!(!line.chars().any(char::is_control), "a line is not one line: {line:?}");
    }
}

fn environment() -> BTreeMap<String, OsString> {
    let variables = [
        ("SECRET", SECRET),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        // The secret key is not sent, so no server can repeat it.
        ("AWS_SECRET_ACCESS_KEY", "unsent"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://a.example/token"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", SECRET),
        ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", "//iam.googleapis.com/a"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.into())).into()
}

/// Gets a subject token with this command line.
fn subject_token(line: &str, cx: &Context) -> Result<(), Error> {
    let line = command_line::parse(line.split_whitespace().map(OsString::from).collect())?;
    let request = SubjectTokenRequest::new(&line.common, &cx.env)?;
    let source = (line.info.build)(&line.values)?;
    source.subject_token(&request, cx).map(drop)
}

/// Exchanges a subject token, and impersonates a service account with the result.
fn exchange(cx: &Context) -> Result<(), Error> {
    let configuration = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
        "credential_source": {"file": "/t"},
    });
    let config = CredentialConfig::parse(&configuration, Path::new("/c.json"), String::new())?;
    let bearer = token_exchange::exchange(&config, &Secret::new(SECRET), "scope", cx)?;
    let account = config.impersonation.as_ref().map(Cow::Borrowed);
    let Some(account) = account else { return Ok(()) };
    let (delegates, member) = (Vec::new(), "principal://a".to_owned());
    let account = ServiceAccount { account, delegates, bearer, member, cx };
    account.access_token(&["scope".to_owned()], None, "--scope")?;
    account.id_token("https://b.example", true, "--audience")?;
    account.sign_jwt("{}", "--payload")?;
    account.sign_blob("AA==", "--payload").map(drop)
}
