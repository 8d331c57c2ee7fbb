//! The files and variables that the commands of a page read: their names determine their content.
//!
//! | name | content |
//! |---|---|
//! | `*.pem`, `*.crt`, `*.key` | an RSA key with its certificate, which an authority issued |
//! | `*secret*`, `*password*` | a secret |
//! | `*keys.json`, `*.jwks.json` | a key set |
//! | `*claims*.json` | claims |
//! | `*credentials*.json` | a credential configuration with a file source |
//! | `*.json` | JSON with a token at the `--field` of the block |
//! | `*.args` | an arguments file |
//! | a file in a folder `bin` | a program that prints such a token |
//! | anything else | a JWT |
//!
//! For a file that an option writes (`--output-file`, `--out`, …), only the folder is created.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::sandbox::{AUDIENCE, Sandbox};
use crate::common::now;

pub(crate) const CONFIGURATION: &str = r#"{
  "type": "external_account",
  "audience": "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/my-pool/providers/my-provider",
  "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
  "token_url": "https://sts.googleapis.com/v1/token",
  "service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/deployer@my-project.iam.gserviceaccount.com:generateAccessToken",
  "credential_source": {"file": "{root}/etc/token"}
}"#;

const PEM: &str = include_str!("../vectors/x509/client.pem");

const WRITTEN: [&str; 8] = [
    "--output-file=",
    "--out=",
    "--log-file=",
    "--cache-file=",
    "--refresh-token-file=",
    "--certificate-config-output=",
    ">",
    ">>",
];

const READ: [&str; 15] = [
    "--path=",
    "--key=",
    "--client-key=",
    "--client-cert=",
    "--credentials=",
    "--ca-file=",
    "--args-file=",
    "--signing-key=",
    "--payload=",
    "--file=",
    "--federated-token-file=",
    "--cert-path=",
    "--key-path=",
    "--trust-chain-path=",
    "file:",
];

/// Words in the names of variables that the reader sets, usually to a secret.
const SECRET: [&str; 5] = ["SECRET", "PASSWORD", "TOKEN", "API_KEY", "PROJECT_ID"];

/// Creates the files that the commands of a text read.
pub(crate) fn prepare(sandbox: &Sandbox, text: &str) {
    variables(sandbox, text);
    let generates = text.contains("--generate");
    let field = text.split("--field=").nth(1).and_then(|rest| rest.split_whitespace().next());
    for line in text.lines() {
        let words: Vec<&str> = line
            .split([' ', '"', '\'', ',', '(', ')', ';', '<'])
            .filter(|word| !word.is_empty())
            .collect();
        let makes_folders = words.iter().any(|word| ["mkdir", "install", "cd"].contains(word));
        for (at, word) in words.iter().enumerate() {
            let before = words[..at].iter().rev().take(2).copied().collect::<Vec<_>>();
            let written = WRITTEN.iter().find_map(|option| word.strip_prefix(option));
            let follows = before.first() == Some(&">") || before.contains(&"output_file");
            let read = READ.iter().find_map(|option| word.split_once(option)).map(|(_, path)| path);
            let path = written.or(read).unwrap_or(word).trim_end_matches([':', '.']);
            let is_key = generates && (word.starts_with("--key=") || word.contains(".jwks.json"));
            if path.contains(['$', '…', '*'])
                || path.starts_with("pkcs11:")
                || (read.is_none() && written.is_none() && !path.starts_with(sandbox.root()))
            {
                continue;
            }
            match written.is_some() || follows || makes_folders || is_key {
                true => folder_of(sandbox, path),
                false => make(sandbox, path, field.unwrap_or("")),
            }
        }
    }
}

/// Sets the variables that contain a secret or a token.
fn variables(sandbox: &Sandbox, text: &str) {
    let mut state = fs::read_to_string(sandbox.path("state")).unwrap();
    let secret = "hunter2-client-secret".to_owned();
    let jwt = ("--jwt=env:", token());
    for (mark, value) in [jwt, ("env:", secret.clone()), ("$", secret), ("--name=", token())] {
        for rest in text.split(mark).skip(1) {
            let name =
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
            let is_secret = SECRET.iter().any(|word| name.contains(word));
            if is_secret || (mark != "$" && name.starts_with(|c: char| c.is_ascii_uppercase())) {
                state = format!("export {name}='{value}'\n{state}");
            }
        }
    }
    fs::write(sandbox.path("state"), state).unwrap();
}

fn folder_of(sandbox: &Sandbox, path: &str) {
    let path = sandbox.path("work").join(path);
    let _ = fs::create_dir_all(path.parent().unwrap());
}

/// Creates a file with the content that its name determines, unless it exists.
pub(crate) fn make(sandbox: &Sandbox, path: &str, field: &str) {
    folder_of(sandbox, path);
    let full = sandbox.path("work").join(path);
    if full.exists() || path.is_empty() {
        return;
    }
    if path.ends_with('/') {
        return fs::create_dir_all(full).unwrap();
    }
    let name = full.file_name().unwrap().to_str().unwrap().to_lowercase();
    let is_program = Path::new(path).parent().is_some_and(|folder| folder.ends_with("bin"));
    if is_program {
        let name = path.strip_prefix(sandbox.root()).unwrap_or(path).trim_start_matches('/');
        return sandbox.script(name, &format!("printf '%s' '{}'", with_field(field)));
    }
    fs::write(full, content(&name, field, sandbox)).unwrap();
}

fn content(name: &str, field: &str, sandbox: &Sandbox) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match name {
        _ if ends(&[".pem", ".crt", ".key"]) => PEM.to_owned(),
        _ if ends(&["keys.json", ".jwks.json"]) => r#"{"keys":[]}"#.to_owned(),
        _ if name.contains("secret") || name.contains("password") => {
            "hunter2-client-secret".to_owned()
        }
        _ if name.contains("claims") => json!({ "sub": "my-app", "exp": now() + 60 }).to_string(),
        _ if name.contains("credentials") => CONFIGURATION.replace("{root}", sandbox.root()),
        _ if ends(&[".json"]) => with_field(field),
        _ if ends(&[".args"]) => format!("file\n--path={}/etc/token\n", sandbox.root()),
        _ => token(),
    }
}

/// JSON with a token at the path in `--field`.
fn with_field(field: &str) -> String {
    if field.is_empty() {
        return token();
    }
    let nest = |inside: Value, name: &str| match name.parse::<usize>() {
        Ok(_) => json!([inside]),
        Err(_) => json!({ name: inside }),
    };
    field.split('.').rev().fold(Value::from(token()), nest).to_string()
}

/// A JWT that Google would accept, except for its signature.
pub(crate) fn token() -> String {
    use base64::Engine as _;
    let encode = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = json!({ "alg": "RS256", "kid": "k", "typ": "JWT" }).to_string();
    let claims = json!({
        "iss": "https://idp.example.com",
        "sub": "my-app",
        "repository": "my-org/my-app",
        "aud": [format!("https:{AUDIENCE}"), AUDIENCE],
        "iat": now(),
        "exp": now() + 3600,
    });
    format!("{}.{}.{}", encode(header), encode(claims.to_string()), encode("signature".to_owned()))
}
