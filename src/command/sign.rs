//! Signatures by the key that Google keeps for a service account.
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct>

use std::fs::File;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{CommandInfo, Credentials, Delegates, Invocation, Output, service_account};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files::{self, LIMIT};
use crate::google::iam_credentials::Signed;
use crate::options::{Format, OptionInfo};

/// Seconds ahead that `exp` may lie.
const LONGEST_LIFE: i64 = 12 * 3600;

choices! {
    /// How a signature is printed.
    enum Shape {
        /// The bare result.
        Text = "text",
        /// A JSON object.
        Json = "json",
    }
}

/// `--format` of both commands; it is read as a [`Format`].
const FORMAT: &[OptionInfo] = &[OptionInfo::of::<Option<Shape>>(
    "--format",
    &["the bare result (the default), or a JSON object with the id of the key"],
)];

options! {
    /// Options of `sign-jwt`.
    struct JwtOptions {
        /// the claims, a JSON object
        payload: PathBuf = "--payload=FILE",
    }
}

options! {
    /// Options of `sign-blob`.
    struct BlobOptions {
        /// the file to sign, at most 1 MiB
        file: PathBuf = "--file=FILE",
    }
}

pub(super) const JWT: CommandInfo = CommandInfo {
    name: "sign-jwt",
    summary: "a JWT that the service account signs",
    options: &[Credentials::TABLE, JwtOptions::TABLE, Delegates::TABLE, FORMAT],
    of_source: false,
    run: sign_jwt,
};

pub(super) const BLOB: CommandInfo = CommandInfo {
    name: "sign-blob",
    summary: "a signature of the service account, in base64",
    options: &[Credentials::TABLE, BlobOptions::TABLE, Delegates::TABLE, FORMAT],
    of_source: false,
    run: sign_blob,
};

fn sign_jwt(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let JwtOptions { payload: path } = JwtOptions::read(&typed.values)?;
    let text = files::read_text(&path, "--payload", Kind::Configuration)?;
    let shown = path.display();
    let claims: Map<String, Value> = serde_json::from_str(text.expose()).map_err(|_| {
        Error::new(Kind::Configuration, format!("{shown} holds no JSON object"))
            .fix("--payload holds the claims, as in {\"aud\":\"…\",\"exp\":…}")
    })?;
    let limit = cx.clock.now() + LONGEST_LIFE;
    let wrong = claims.get("exp").and_then(|exp| match exp.as_i64() {
        None => Some("no whole number"),
        Some(exp) => (exp > limit).then_some("too late"),
    });
    if let Some(why) = wrong {
        return Err(Error::new(Kind::Configuration, format!("the exp in {shown} is {why}"))
            .fix("it is in seconds since 1970, at most 12 hours ahead"));
    }
    let config = typed.configuration(cx)?;
    let signed = service_account(&config, typed, cx)?.sign_jwt(text.expose(), cx)?;
    Ok(output(typed.format, "signed_jwt", &signed))
}

fn sign_blob(typed: &Invocation, cx: &Context) -> Result<Output, Error> {
    let BlobOptions { file: path } = BlobOptions::read(&typed.values)?;
    let unreadable = |cause: String| {
        Error::new(Kind::Configuration, format!("cannot read {}", path.display()))
            .cause(cause)
            .fix("check --file")
    };
    let file = File::open(&path).map_err(|error| unreadable(error.to_string()))?;
    let bytes = files::read_limited(file, LIMIT).map_err(|error| unreadable(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| unreadable("it is larger than 1 MiB".to_owned()))?;
    let config = typed.configuration(cx)?;
    let signed = service_account(&config, typed, cx)?.sign_blob(&STANDARD.encode(bytes), cx)?;
    Ok(output(typed.format, "signed_blob", &signed))
}

fn output(format: Format, member: &str, signed: &Signed) -> Output {
    match format {
        Format::Json => {
            let value = json!({ member: signed.text.expose(), "key_id": signed.key_id });
            format!("{value}\n").into()
        }
        _ => signed.text.expose().to_owned().into(),
    }
}
