//! Reads a private key from PEM or a JWK.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::error::KeyRejected;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::pair::Pair;
use crate::der;
use crate::formats;
use crate::secret::Secret;
use crate::x509;

/// Why a text is not a signing key, and the fix, unless it is to use a key of another type. `FILE`
/// in the fix stands for the path, and `OPTION` for the option that contains it.
pub(super) struct Refusal(pub(super) &'static str, pub(super) Option<&'static str>);

/// Reads the key pair in PEM or in a JWK, and the key ID if the JWK has one.
pub(super) fn pair(text: &Secret) -> Result<(Pair, Option<String>), Refusal> {
    match text.expose().trim_start().starts_with('{') {
        true => from_jwk(text),
        false => Ok((from_pem(text)?, None)),
    }
}

fn from_pem(text: &Secret) -> Result<Pair, Refusal> {
    let wrong_type = || match x509::without_public_key(text, &[x509::P256]) {
        Some((why, fix)) => Refusal(why, Some(fix)),
        None => Refusal("the type or the size of the key is not supported", None),
    };
    match PrivateKeyDer::from_pem_slice(text.expose().as_bytes()) {
        Ok(PrivateKeyDer::Pkcs1(key)) => {
            let pair = RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(|_| wrong_type())?;
            Ok(Pair::Rsa(Box::new(pair)))
        }
        Ok(PrivateKeyDer::Sec1(key)) => {
            p256_from_pkcs8(&sec1_in_pkcs8(key.secret_sec1_der())).map_err(|_| wrong_type())
        }
        Ok(PrivateKeyDer::Pkcs8(key)) => {
            let der = key.secret_pkcs8_der();
            RsaKeyPair::from_pkcs8(der)
                .map(|pair| Pair::Rsa(Box::new(pair)))
                .or_else(|_| p256_from_pkcs8(der))
                .map_err(|_| wrong_type())
        }
        Ok(_) => Err(wrong_type()),
        Err(_) => Err(match formats::other_key(text.expose()) {
            Some((what, fix)) => Refusal(what, Some(fix)),
            None => Refusal("it has no private key in PEM or JWK format", None),
        }),
    }
}

fn p256_from_pkcs8(der: &[u8]) -> Result<Pair, KeyRejected> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new())
        .map(|pair| Pair::P256(Box::new(pair)))
}

/// Converts a P-256 key from SEC 1 to PKCS#8 (RFC 5208, section 5), because ring reads only PKCS#8.
fn sec1_in_pkcs8(sec1: &[u8]) -> Zeroizing<Vec<u8>> {
    /// The version 0 and the algorithm `id-ecPublicKey`. The curve comes next.
    const HEAD: &[u8] =
        &[0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let key = der::encoded(der::OCTET_STRING, sec1);
    der::encoded(der::SEQUENCE, &Zeroizing::new([HEAD, der::P256, key.as_slice()].concat()))
}

fn from_jwk(text: &Secret) -> Result<(Pair, Option<String>), Refusal> {
    let jwk: Map<String, Value> = serde_json::from_str(text.expose()).map_err(|_| {
        Refusal("it is not a valid JSON object", Some("use a file with one private JWK"))
    })?;
    if jwk.contains_key("keys") {
        return Err(Refusal("it is a JWK set", Some("use a file with one private JWK")));
    }
    if jwk.contains_key("private_key") {
        return Err(Refusal("it is a service account key, not a JWK", None));
    }
    if jwk.contains_key("kty") && !jwk.contains_key("d") {
        return Err(Refusal(
            "it is a public key",
            Some("set OPTION to the file with the private key"),
        ));
    }
    let incomplete = || Refusal("a member of the JWK is missing or invalid", None);
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let encoded = text(name).ok_or_else(incomplete)?;
        URL_SAFE_NO_PAD.decode(encoded).map(Zeroizing::new).map_err(|_| incomplete())
    };
    let pair = match (text("kty"), text("crv")) {
        (Some("EC"), Some("P-256")) => {
            let point = [&[4], bytes("x")?.as_slice(), bytes("y")?.as_slice()].concat();
            EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                &bytes("d")?,
                &point,
                &SystemRandom::new(),
            )
            .map(|pair| Pair::P256(Box::new(pair)))
        }
        (Some("RSA"), _) => {
            let public_key = PublicKeyComponents { n: bytes("n")?, e: bytes("e")? };
            let components = KeyPairComponents {
                public_key: PublicKeyComponents {
                    n: public_key.n.as_slice(),
                    e: public_key.e.as_slice(),
                },
                d: &bytes("d")?,
                p: &bytes("p")?,
                q: &bytes("q")?,
                dP: &bytes("dp")?,
                dQ: &bytes("dq")?,
                qInv: &bytes("qi")?,
            };
            RsaKeyPair::from_components(&components).map(|pair| Pair::Rsa(Box::new(pair)))
        }
        _ => return Err(Refusal("the type of the JWK is not supported", None)),
    };
    Ok((pair.map_err(|_| incomplete())?, text("kid").map(str::to_owned)))
}
