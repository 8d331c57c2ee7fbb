//! A server that repeats a secret, in any encoding, cannot make the program print the secret: not
//! in the document, on standard error, in the log, or in the failure that the lock file records.
//! Every source that sends a secret is tested with every encoding.

mod common;

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use common::World;
use common::server::{Server, json, response};

/// A command line that sends the secret in `SECRET` or in one of these variables to the server.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("basic", "oidc --issuer={url} --client-id=c --client-secret=env:SECRET", &[]),
    ("post", "oidc --issuer={url} --client-id=c --auth=post --client-secret=env:SECRET", &[]),
    ("parameter", "oidc --issuer={url} --client-id=c --param=x=env:SECRET", &[]),
    ("header", "url --url={url}/t --header=X-Api-Key:env:SECRET", &[]),
    ("vault token", "vault --address={url} --role=r --token=env:SECRET", &[]),
    (
        "approle",
        "vault --address={url} --role=r --login=approle --role-id=r --secret-id=env:SECRET",
        &[],
    ),
    (
        "userpass",
        "vault --address={url} --role=r --login=userpass --user=u --password=env:SECRET",
        &[],
    ),
    (
        "entra",
        "azure --resource=api://r --tenant-id=t --client-id=c --client-secret=env:SECRET",
        &[("AZURE_AUTHORITY_HOST", "{url}")],
    ),
    (
        "app service",
        "azure --resource=api://r",
        &[("IDENTITY_ENDPOINT", "{url}/msi"), ("IDENTITY_HEADER", "{secret}")],
    ),
    (
        "github",
        "github",
        &[
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "{url}/t?x=1"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "{secret}"),
        ],
    ),
    (
        "pipeline",
        "azure-pipelines",
        &[("SYSTEM_OIDCREQUESTURI", "{url}/t"), ("SYSTEM_ACCESSTOKEN", "{secret}")],
    ),
    (
        "aws session",
        "aws --region=eu-west-1",
        &[
            ("AWS_ACCESS_KEY_ID", "AKIDENV"),
            ("AWS_SECRET_ACCESS_KEY", "other"),
            ("AWS_SESSION_TOKEN", "{secret}"),
            ("AWS_ENDPOINT_URL_STS", "{url}"),
        ],
    ),
    (
        "aws container",
        "aws --region=eu-west-1",
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "{url}/c"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "{secret}"),
        ],
    ),
    ("kubeconfig", "kubernetes --account=a --namespace=n --kubeconfig={dir}/kubeconfig", &[]),
    (
        "adfs",
        "adfs --issuer={url}/adfs --relying-party=r --client-id=c --auth=client-secret \
         --client-secret=env:SECRET",
        &[],
    ),
];

/// Cases whose secret is a JWT.
const ASSERTIONS: &[Case] = &[
    ("vault jwt", "vault --address={url} --role=r --login=jwt --jwt=env:SECRET", &[]),
    (
        "web identity",
        "aws --region=eu-west-1",
        &[
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "{dir}/secret"),
            ("AWS_ENDPOINT_URL_STS", "{url}"),
        ],
    ),
    (
        "workload identity",
        "azure --resource=api://r --tenant-id=t --client-id=c",
        &[("AZURE_FEDERATED_TOKEN_FILE", "{dir}/secret"), ("AZURE_AUTHORITY_HOST", "{url}")],
    ),
];

const KUBECONFIG: &str = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
    contexts: [{name: c, context: {cluster: k, user: u}}]\n\
    clusters: [{name: k, cluster: {server: '{url}'}}]\n\
    users: [{name: u, user: {token: '{secret}'}}]\n";

/// The encodings in which a server may repeat a secret.
fn encodings(secret: &str) -> Vec<String> {
    let each = |form: fn(char) -> String| secret.chars().map(form).collect::<String>();
    let percent = each(|c| format!("%{:02X}", u32::from(c)));
    let lines = |text: &str| {
        let chunks: Vec<_> = text.as_bytes().chunks(12).map(String::from_utf8_lossy).collect();
        chunks.join("\\r\\n")
    };
    let escaped = serde_json::to_string(secret).unwrap().trim_matches('"').to_owned();
    let basic = STANDARD.encode(format!("c:{secret}"));
    let base64 = STANDARD.encode(secret);
    let hex = each(|c| format!("{:02x}", u32::from(c)));
    // A server that truncates what it repeats.
    let (beginning, end) = (&secret[..secret.len() / 2], &secret[secret.len() / 2..]);
    vec![
        beginning.to_owned(),
        end.to_owned(),
        STANDARD.encode(beginning),
        form_of(end),
        base32(secret.as_bytes()),
        secret.chars().rev().collect(),
        secret.to_owned(),
        secret.to_ascii_uppercase(),
        percent.to_ascii_lowercase(),
        percent.replace('%', "%25"),
        form_of(secret),
        each(|c| format!("\\u{:04x}", u32::from(c))),
        escaped.replace('/', "\\/"),
        escaped,
        each(|c| format!("&#{};", u32::from(c))),
        each(|c| format!("&#x{:x};", u32::from(c))),
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
        URL_SAFE_NO_PAD.encode(secret),
        lines(&base64),
        STANDARD.encode(&base64),
        base64,
        basic,
        each(|c| format!("\\{:03o}", u32::from(c))),
        each(|c| format!("%u{:04X}", u32::from(c))),
        each(|c| format!("={:02X}", u32::from(c))),
        each(|c| format!("{c} ")),
        each(|c| format!("{c}\u{200b}")),
        STANDARD.encode(each(|c| format!("{c}\0"))),
        hex.to_ascii_uppercase(),
        lines(&hex),
        hex,
        percent,
    ]
}

fn form_of(secret: &str) -> String {
    let encoded = |c: char| match c {
        ' ' => "+".to_owned(),
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("%{:02x}", u32::from(c)),
    };
    secret.chars().map(encoded).collect()
}

/// Base32 with padding (RFC 4648, section 6).
fn base32(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |bits: &[u8]| {
        let bits = format!("{:0<5}", std::str::from_utf8(bits).unwrap());
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from_str_radix(&bits, 2).unwrap()])
    };
    let digits: String = bits.as_bytes().chunks(5).map(digit).collect();
    format!("{digits}{}", "=".repeat((8 - digits.len() % 8) % 8))
}

/// The number of characters of a secret that may remain. Shorter parts say little about the secret.
const REMAINS: usize = 6;

/// Removes SHA-256 digests. The lock file identifies a request by its digest, which can contain any
/// six characters by chance.
fn without_digests(text: &str) -> String {
    let is_hex = |part: &&str| part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit());
    text.split('"').filter(|part| !is_hex(part)).collect::<Vec<_>>().join("\"")
}

fn assert_hidden(text: &str, shown: &str, what: &str) {
    let text = without_digests(text);
    let known = ["error", "description"];
    let bytes: Vec<char> = shown.chars().collect();
    for part in bytes.windows(REMAINS) {
        let part: String = part.iter().collect();
        let is_known = known.iter().any(|word| word.contains(&part));
        assert!(is_known || !text.contains(&part), "{what}: {part:?} of {shown:?} in {text}");
    }
}

/// The metadata of an issuer, if the request is for it.
fn discovery(request: &common::server::Request) -> Option<Vec<u8>> {
    let (issuer, _) = request.line.split_once("/.well-known/")?;
    let (host, (_, path)) = (request.header("host")?, issuer.split_once(' ')?);
    let (issuer, endpoint) = (format!("http://{host}{path}"), format!("http://{host}/token"));
    Some(json(&format!(r#"{{"issuer":"{issuer}","token_endpoint":"{endpoint}"}}"#)))
}

fn try_all(case: &Case, secret: &str) {
    let (name, line, variables) = *case;
    let answer = Arc::new(Mutex::new(String::new()));
    let told = answer.clone();
    let server = Server::new(move |request| {
        if let Some(metadata) = discovery(request) {
            return metadata;
        }
        let text = told.lock().unwrap().clone();
        let description = serde_json::to_string(&text).unwrap();
        response(
            "400 Bad Request",
            "application/json",
            &format!(
                r#"{{"error":"invalid_request","error_description":{description},"errors":[{description}],"message":{description}}}"#
            ),
        )
    });
    let world = World::new();
    let folder = world.path("").display().to_string();
    let fill = |text: &str| {
        let text = text.replace("{url}", &server.url).replace("{secret}", secret);
        text.replace("{dir}/", &folder)
    };
    world.write("kubeconfig", fill(KUBECONFIG));
    world.write("secret", secret);
    let mut variables: Vec<(&str, String)> =
        variables.iter().map(|(name, value)| (*name, fill(value))).collect();
    variables.push(("SECRET", secret.to_owned()));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for (number, encoded) in encodings(secret).into_iter().enumerate() {
        *answer.lock().unwrap() = encoded.clone();
        let line = fill(line) + " --audience={aud} --output-file={dir}/out --log-file={dir}/log";
        let before = server.count();
        let run = world.run_with(&line, &variables);
        assert!(run.status > 0 && server.count() > before, "{name}: {run:?}");
        for kept in ["log", "out.lock"] {
            let text = fs::read_to_string(world.path(kept)).unwrap_or_default();
            let what = format!("{name}, encoding {number}, {kept}");
            assert_hidden(&text, &encoded, &what);
            let _ = fs::remove_file(world.path(kept));
        }
        let what = format!("{name}, encoding {number}");
        assert_hidden(&(run.stdout + &run.stderr), &encoded, &what);
    }
}

/// The index of the answer with a SAML status.
const SAML: usize = 5;

/// The answers in which a server may repeat a secret outside the text of an error.
fn answers(secret: &str) -> Vec<Vec<u8>> {
    let quoted = serde_json::to_string(secret).unwrap();
    let token = format!("{{{quoted}:\"{}\"}}", common::jwt(60));
    let nested = serde_json::to_string(&token).unwrap();
    let assigned = serde_json::to_string(&format!("{secret}={}", common::jwt(60))).unwrap();
    let status = format!(
        "<p:Response xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol'><p:Status>\
         <p:StatusCode Value='{secret}'/></p:Status></p:Response>"
    );
    let status = serde_json::to_string(&status).unwrap();
    let all = |value: &str| {
        let names = ["id_token", "access_token", "value", "oidcToken", "Token", "AccessKeyId"];
        let members: Vec<_> = names.iter().map(|name| format!("\"{name}\":{value}")).collect();
        format!(
            r#"{{{0},"data":{{"token":{value}}},"auth":{{"client_token":{value}}},"status":{{"token":{value}}}}}"#,
            members.join(",")
        )
    };
    let ok = |body: &str| response("200 OK", "application/json", body);
    vec![
        ok(&token),
        ok(&format!("{{\"a\":{token}}}")),
        ok(&all(&quoted)),
        ok(&all(&nested)),
        ok(&all(&assigned)),
        ok(&all(&status)),
        response(&format!("401 {secret}"), &format!("text/{secret}"), "{}"),
        response(&format!("302 F\r\nLocation: https://{secret}.example/{secret}"), "text/html", ""),
        response(
            &format!(
                "403 F\r\nWWW-Authenticate: {secret} realm=\"{secret}\"\r\nX-Squid-Error: {secret}"
            ),
            "text/html",
            &format!("<title>{secret}</title>"),
        ),
    ]
}

/// Runs a case with this secret, and expects that neither the failure nor the log contains the
/// secret.
fn hides(case: &Case, options: &str, secret: &str, server: &Server) {
    let (name, line, variables) = *case;
    let world = World::new();
    let fill = |text: &str| text.replace("{url}", &server.url).replace("{secret}", secret);
    world.write("kubeconfig", fill(KUBECONFIG));
    let given = [("SECRET", "{secret}"), ("AWS_ENDPOINT_URL_STS", "{url}")];
    let variables: Vec<(&str, String)> =
        given.iter().chain(variables).map(|(name, value)| (*name, fill(value))).collect();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kept = "--audience={aud} --output-file={dir}/out --log-file={dir}/log";
    let run = world.run_with(&format!("{}{options} {kept}", fill(line)), &variables);
    let mut shown = world.read("log") + &run.stderr;
    if run.status != 0 {
        shown += &fs::read_to_string(world.path("out.lock")).unwrap_or_default();
        shown += &run.stdout;
    }
    assert!(!shown.contains(secret), "{name}{options}: {shown}");
}

/// A server can repeat a secret in places other than the text of an error.
#[test]
fn a_secret_that_is_repeated_outside_an_error_is_not_printed() {
    let secret = "hunter2-q8Zk2V";
    let saml = " --token-type=urn:ietf:params:oauth:token-type:saml2";
    let answers = answers(secret);
    thread::scope(|scope| {
        for (number, answer) in answers.into_iter().enumerate() {
            scope.spawn(move || {
                let server = Server::new(move |request| {
                    discovery(request).unwrap_or_else(|| answer.clone())
                });
                for case in CASES {
                    let option = if number == SAML { saml } else { "" };
                    hides(case, option, secret, &server);
                }
                let url = CASES.iter().find(|case| case.0 == "header").unwrap();
                hides(url, " --field=token", secret, &server);
            });
        }
    });
}

/// A server can repeat a secret in the response to a later request.
#[test]
fn a_secret_that_a_later_response_repeats_is_not_printed() {
    let secret = "hunter2-q8Zk2V";
    let login = r#"{"auth":{"client_token":"hvs.other-0123456789abcdef","lease_duration":60}}"#;
    let keys = r#"{"AccessKeyId":"AKIDC","SecretAccessKey":"k","Token":"t",
        "Expiration":"2999-01-01T00:00:00Z"}"#;
    for (name, begins, first) in [
        ("userpass", "/v1/auth/userpass/", login),
        ("approle", "/v1/auth/approle/", login),
        ("aws container", "/c", keys),
    ] {
        let body = format!(r#"{{"error":"{secret}","errors":["{secret}"],"message":"{secret}"}}"#);
        let server = Server::new(move |request| {
            let path = request.line.split(' ').nth(1).unwrap();
            match path.starts_with(begins) {
                true => json(first),
                false => response("400 Bad Request", "application/json", &body),
            }
        });
        hides(CASES.iter().find(|case| case.0 == name).unwrap(), "", secret, &server);
        assert!(server.count() > 1, "{name}");
    }
}

/// Printable secrets with the characters that encodings change, all of them different.
fn secrets() -> Vec<String> {
    const SPECIAL: &[u8] = b"/+=&%<>\"\\~:!#;,?@[]{}|^`$*()-_.";
    let mut state: u64 = 0x5eed;
    let mut next = |limit: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    (0..3)
        .map(|_| {
            (0..28)
                .map(|at| match at % 3 {
                    0 => char::from(SPECIAL[next(SPECIAL.len())]),
                    _ => char::from(b"GHJKMNPQRSTUVWXYZghjkmnpqrstuvwxyz0123456789"[next(44)]),
                })
                .collect()
        })
        .collect()
}

/// A JWT whose claims and signature contain this text.
fn jwt(text: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = serde_json::json!({ "sub": text }).to_string();
    format!("{}.{}.{}", encode(r#"{"alg":"RS256"}"#), encode(&claims), encode(text))
}

/// The lock file names the files that a run has read, so that a changed one is tried at once.
#[test]
fn content_in_place_of_a_path_is_not_written_to_the_lock() {
    let (token, key) = (common::jwt(60), "-----BEGIN PRIVATE KEY-----\nhunter2-bearer\n");
    for content in [token.as_str(), key, r#"{"private_key":"hunter2-bearer"}"#] {
        let world = World::new();
        for (line, variable) in [
            ("aws --region=eu-west-1", "AWS_WEB_IDENTITY_TOKEN_FILE"),
            ("azure --resource=api://r --tenant-id=t --client-id=c", "AZURE_FEDERATED_TOKEN_FILE"),
            ("kubernetes --account=a --namespace=n", "KUBECONFIG"),
        ] {
            let line = format!("{line} --audience={{aud}} --output-file={{dir}}/out");
            let role = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r");
            let run = world.run_with(&line, &[role, (variable, content)]);
            assert_ne!(run.status, 0, "{run:?}");
            common::holds_no_secret(&world.read("out.lock"));
        }
    }
}

#[test]
fn no_encoding_of_a_secret_is_printed() {
    thread::scope(|scope| {
        for case in CASES {
            scope.spawn(move || secrets().iter().for_each(|secret| try_all(case, secret)));
        }
        for case in ASSERTIONS {
            scope.spawn(move || secrets().iter().for_each(|secret| try_all(case, &jwt(secret))));
        }
    });
}
