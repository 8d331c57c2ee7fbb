//! Verifies the signature of a JWT with a JWK set, as the Security Token Service does.
//!
//! The key is the one with the `kid` of the JWT. If the JWT has no `kid`, each key is tried. ES512
//! is not supported, because the cryptography library has no P-521.
//! <https://www.rfc-editor.org/rfc/rfc7517>, <https://www.rfc-editor.org/rfc/rfc7518>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::Value;

use super::jwt;

/// Why a JWK set does not verify a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The document is not a JWK set.
    NotAKeySet,
    /// The set has no keys.
    NoKeys,
    /// The set has keys, but none of them has a `kid`.
    KeysWithoutId,
    /// The set has no key with this `kid`.
    UnknownKey,
    /// The keys with this `kid` have another type or no public key, or are not for signatures.
    UnusableKey,
    /// The signature was not made with a key of the set.
    Signature,
    /// The signature algorithm is not supported.
    Algorithm,
}

/// Verifies the signature of a compact JWT.
///
/// # Errors
/// Why the signature is not valid.
pub fn verify(token: &str, jwks: &Value) -> Result<(), Failure> {
    let (message, signature) = token.rsplit_once('.').ok_or(Failure::Signature)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Failure::Signature)?;
    let header = message.split('.').next().and_then(jwt::object).ok_or(Failure::Signature)?;
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let algorithm = text("alg").and_then(Algorithm::named).ok_or(Failure::Algorithm)?;
    let all = jwks.get("keys").and_then(Value::as_array).ok_or(Failure::NotAKeySet)?;
    let id = text("kid");
    let keys =
        all.iter().filter(|key| id.is_none() || key.get("kid").and_then(Value::as_str) == id);
    let mut failure = match all.iter().all(|key| key.get("kid").is_none()) {
        _ if all.is_empty() => Failure::NoKeys,
        true => Failure::KeysWithoutId,
        false => Failure::UnknownKey,
    };
    for key in keys {
        match algorithm
            .verify(key, message.as_bytes(), &signature)
            .filter(|_| is_for_signatures(key))
        {
            Some(true) => return Ok(()),
            Some(false) => failure = Failure::Signature,
            None if failure == Failure::Signature => {}
            None => failure = Failure::UnusableKey,
        }
    }
    Err(failure)
}

/// Whether `use` allows signatures (RFC 7517, section 4.2).
fn is_for_signatures(key: &Value) -> bool {
    key.get("use").is_none_or(|purpose| purpose == "sig")
}

#[derive(Clone, Copy)]
enum Algorithm {
    Rsa(&'static RsaParameters),
    Ecdsa(&'static dyn VerificationAlgorithm),
}

impl Algorithm {
    fn named(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA256),
            "RS384" => Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA384),
            "RS512" => Algorithm::Rsa(&RSA_PKCS1_2048_8192_SHA512),
            "PS256" => Algorithm::Rsa(&RSA_PSS_2048_8192_SHA256),
            "PS384" => Algorithm::Rsa(&RSA_PSS_2048_8192_SHA384),
            "PS512" => Algorithm::Rsa(&RSA_PSS_2048_8192_SHA512),
            "ES256" => Algorithm::Ecdsa(&ECDSA_P256_SHA256_FIXED),
            "ES384" => Algorithm::Ecdsa(&ECDSA_P384_SHA384_FIXED),
            _ => return None,
        })
    }

    /// Whether the private key that belongs to a JWK made the signature; `None` if the JWK has
    /// another type or no public key.
    fn verify(self, key: &Value, message: &[u8], signature: &[u8]) -> Option<bool> {
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok();
        Some(match self {
            Algorithm::Rsa(parameters) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            Algorithm::Ecdsa(curve) => {
                let point = [vec![4], bytes("x")?, bytes("y")?].concat();
                UnparsedPublicKey::new(curve, point).verify(message, signature).is_ok()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 7515, appendix A.2: RS256 without a `kid`.
    const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

    #[test]
    fn the_example_of_rfc_7515_is_verified() {
        let keys = json!({ "keys": [{ "kty": "RSA", "n": N, "e": "AQAB" }] });
        assert_eq!(verify(RS256, &keys), Ok(()));
        let tampered = RS256.replacen(".eyJpc3MiOiJqb2Ui", ".eyJpc3MiOiJqb2Yi", 1);
        assert_eq!(verify(&tampered, &keys), Err(Failure::Signature));
        assert_eq!(verify(RS256, &json!({ "keys": [] })), Err(Failure::NoKeys));
        assert_eq!(verify("x", &keys), Err(Failure::Signature));
    }

    #[test]
    fn unsuitable_key_sets_are_told_apart() {
        let with_id =
            RS256.replacen("eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ", 1);
        let key = json!({ "kty": "RSA", "n": N, "e": "AQAB" });
        let keys = |more: Value| {
            let mut key = key.clone();
            key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "keys": [key] })
        };
        for (set, failure) in [
            (key.clone(), Failure::NotAKeySet),
            (json!({ "keys": key }), Failure::NotAKeySet),
            (keys(json!({})), Failure::KeysWithoutId),
            (json!({ "keys": [] }), Failure::NoKeys),
            (keys(json!({ "kid": "j" })), Failure::UnknownKey),
            (keys(json!({ "kid": "k", "use": "enc" })), Failure::UnusableKey),
            (
                json!({ "keys": [{ "kty": "RSA", "kid": "k", "x5c": ["MII="] }] }),
                Failure::UnusableKey,
            ),
            // The header was changed, and the signature covers it.
            (keys(json!({ "kid": "k", "use": "sig" })), Failure::Signature),
        ] {
            assert_eq!(verify(&with_id, &set), Err(failure), "{set}");
        }
    }
}
