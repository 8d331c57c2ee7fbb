//! `sign-jwt` and `sign-blob`: signatures with the Google-managed key of a service account.
//! <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct>

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{After, CommandInfo, Invocation};
use crate::client::credentials::CredentialOptions;
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};
use crate::files;
use crate::google::iam_credentials::Signed;
use crate::options::{Format, OptionInfo, TextOrJson};
use crate::show;

/// The longest time from now to `exp`, in seconds.
const LONGEST_LIFETIME: i64 = 12 * 3600;

/// `--format` of both commands. The value is read as a [`Format`].
const FORMAT: &[OptionInfo] = &[OptionInfo::of::<Option<TextOrJson>>(
    "--format",
    &["print only the result (default), or a JSON object with the key ID"],
)];

options! {
    /// Options of `sign-jwt`.
    struct JwtOptions {
        /// file with the claims, a JSON object
        payload: PathBuf = "--payload=FILE",
    }
}

options! {
    /// Options of `sign-blob`.
    struct BlobOptions {
        /// file to sign, at most 1 MiB
        file: PathBuf = "--file=FILE",
    }
}

pub(super) const JWT: CommandInfo = CommandInfo {
    name: "sign-jwt",
    also: &[],
    summary: "sign a JWT with the key of the service account",
    options: &[CredentialOptions::TABLE, JwtOptions::TABLE, FORMAT],
    after: After::Options,
    own_source: None,
    rest: None,
    example: "wif-token sign-jwt --payload=claims.json",
    run: sign_jwt,
};

pub(super) const BLOB: CommandInfo = CommandInfo {
    name: "sign-blob",
    also: &["sign"],
    summary: "sign a file with the key of the service account",
    options: &[CredentialOptions::TABLE, BlobOptions::TABLE, FORMAT],
    after: After::Options,
    own_source: None,
    rest: None,
    example: "wif-token sign-blob --file=release.tar.gz",
    run: sign_blob,
};

fn sign_jwt(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let JwtOptions { payload: path } = JwtOptions::read(&invocation.values)?;
    let text = files::read_text(&path, "--payload", Kind::Configuration)?;
    let shown = show::path(&path);
    let claims: Map<String, Value> = serde_json::from_str(text.expose()).map_err(|_| {
        Error::new(Kind::Configuration, format!("{shown} is not a JSON object")).fix(
            "write the claims to the --payload file as a JSON object, such as {\"sub\":\"my-app\"}",
        )
    })?;
    let limit = cx.clock.now() + LONGEST_LIFETIME;
    let wrong = claims.get("exp").and_then(|exp| match exp.as_i64() {
        None => Some("is not an integer"),
        Some(exp) => (exp > limit).then_some("is more than 12 hours from now"),
    });
    if let Some(why) = wrong {
        return Err(Error::new(Kind::Configuration, format!("the exp in {shown} {why}"))
            .fix("set exp to a Unix time in seconds, at most 12 hours from now"));
    }
    let signed = invocation
        .credentials(cx)?
        .with_account(cx, |account| account.sign_jwt(text.expose(), "--payload"))?;
    Ok(output(invocation.format, "signed_jwt", &signed))
}

fn sign_blob(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let BlobOptions { file: path } = BlobOptions::read(&invocation.values)?;
    let base64 = STANDARD.encode(files::read_bytes(&path, "--file")?);
    let signed = invocation
        .credentials(cx)?
        .with_account(cx, |account| account.sign_blob(&base64, "--file"))?;
    Ok(output(invocation.format, "signed_blob", &signed))
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
