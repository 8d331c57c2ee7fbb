//! JSON Web Signatures in compact form.
//! <https://www.rfc-editor.org/rfc/rfc7515#section-7.1>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::RSA_PSS_SHA256;
use serde_json::{Value, json};

use super::SigningKey;
use super::certificate::Padding;
use super::pair::{Pair, sign_rsa};
use super::pkcs11::{KeyType, Scheme};
use crate::error::{Error, Kind};
use crate::random;
use crate::secret::Secret;

/// A function that signs a message.
type Sign<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<u8>, Error>;

impl SigningKey {
    /// Signs claims and returns a compact JWT. `id` is the `kid` in its header.
    ///
    /// # Errors
    /// `INTERNAL` if the operating system does not provide random numbers.
    pub fn sign(&self, claims: &Value, id: Option<&str>) -> Result<Secret, Error> {
        let mut header = json!({ "alg": self.pair.algorithm(), "typ": "JWT" });
        if let (Some(id), Some(header)) = (id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.into());
        }
        compact(&header, claims, &|message| self.pair.sign(message))
    }

    /// Creates a DPoP proof for a POST request to `url`. The header of the proof contains the
    /// public key.
    /// <https://www.rfc-editor.org/rfc/rfc9449#section-4.2>
    ///
    /// # Errors
    /// `INTERNAL` if the operating system does not provide random numbers.
    pub fn dpop_proof(&self, url: &str, now: i64) -> Result<Secret, Error> {
        let header = json!({
            "typ": "dpop+jwt",
            "alg": self.pair.algorithm(),
            "jwk": self.pair.public_members()?,
        });
        let claims = json!({ "htm": "POST", "htu": url, "iat": now, "jti": random::hex()? });
        compact(&header, &claims, &|message| self.pair.sign(message))
    }

    /// Signs claims with PS256. The header identifies the key by the SHA-256 of its certificate
    /// (DER), which Microsoft Entra ID requires. `option` is the option that names the key.
    ///
    /// # Errors
    /// `CONFIGURATION` if the key is not an RSA key; the errors of [`SigningKey::sign`].
    pub fn sign_certified(
        &self,
        claims: &Value,
        certificate: &[u8],
        option: &str,
    ) -> Result<Secret, Error> {
        let sign: Sign = match &self.pair {
            Pair::Rsa(pair) => &|message| sign_rsa(pair, &RSA_PSS_SHA256, message),
            Pair::Token(key) if key.key_type() == KeyType::Rsa => {
                &|message| key.sign(Scheme::RsaPssSha256, message)
            }
            Pair::Store(key) => &|message| key.sign(Padding::Pss, message),
            _ => {
                let what = "Microsoft Entra ID does not accept signatures with P-256 keys";
                return Err(Error::new(Kind::Configuration, what).fix(format!(
                    "create a certificate with an RSA key (openssl req -x509 -newkey rsa:2048), \
                     add it to the application (az ad app credential reset --id CLIENT_ID --cert \
                     @CERT.pem --append), and set {option} to a file with the new key"
                )));
            }
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate));
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint });
        compact(&header, claims, sign)
    }
}

/// Joins the header, the claims and the signature of both.
fn compact(header: &Value, claims: &Value, sign: Sign) -> Result<Secret, Error> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut jwt = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(jwt.as_bytes())?;
    jwt.push('.');
    jwt.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(Secret::new(jwt))
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    };

    use super::super::test_vectors::{EC, RSA, SIGNED, decode, ec_jwk, parse};
    use super::*;
    use crate::token::jwks::{Failure, verify};

    #[test]
    fn rs256_signatures_match_rfc_7515() {
        let signature = parse(RSA).pair.sign(SIGNED.0.as_bytes()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), SIGNED.1);
    }

    #[test]
    fn a_damaged_key_is_reported_as_damaged() {
        let key = parse(&RSA.replace("\"dp\":\"BwKfV3", "\"dp\":\"BwKfV5"));
        let error = key.pair.sign(b"message").unwrap_err();
        assert!(error.what().contains("it is damaged"), "{error}");
    }

    #[test]
    fn a_certified_signature_verifies_and_names_its_certificate() {
        let key = parse(RSA);
        let jwt = key.sign_certified(&json!({"a": 1}), b"certificate", "--client-key").unwrap();
        let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
        let Pair::Rsa(pair) = &key.pair else { panic!("an RSA key") };
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, pair.public_key().as_ref())
            .verify(signed.as_bytes(), &decode(signature))
            .unwrap();
        let header: Value =
            serde_json::from_slice(&decode(signed.split('.').next().unwrap())).unwrap();
        // printf certificate | openssl dgst -sha256 -binary | basenc --base64url
        let expected = "A9Zt0Ig1wco_EozOrNHzGslBYwlrIPRFroQoW8CDLXI";
        assert_eq!((&header["alg"], &header["x5t#S256"]), (&json!("PS256"), &json!(expected)));
        let error = parse(&ec_jwk("")).sign_certified(&json!({}), b"", "--client-key").unwrap_err();
        assert!(
            error.to_string().contains("set --client-key to a file with the new key"),
            "{error}"
        );
    }

    #[test]
    fn a_dpop_proof_verifies_with_the_key_in_its_header() {
        let jwt = parse(&ec_jwk("")).dpop_proof("https://a.example/token", 7).unwrap();
        let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
        let part = |index| -> Value {
            serde_json::from_slice(&decode(signed.split('.').nth(index).unwrap())).unwrap()
        };
        let header = part(0);
        let coordinate = |name: &str| decode(header["jwk"][name].as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &decode(signature))
            .unwrap();
        assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
        assert!(header["jwk"].get("d").is_none());
        let claims = part(1);
        assert_eq!((&claims["htm"], &claims["iat"]), (&json!("POST"), &json!(7)));
        assert_eq!(claims["htu"], "https://a.example/token");
    }

    #[test]
    fn es256_signatures_verify() {
        let jwt = parse(&ec_jwk("")).sign(&json!({"a": 1}), Some("k")).unwrap();
        let (signed, signature) = jwt.expose().rsplit_once('.').unwrap();
        let point = [&[4][..], &decode(EC[0]), &decode(EC[1])].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &decode(signature))
            .unwrap();
    }

    #[test]
    fn the_jwk_set_verifies_the_signatures_of_the_key() {
        let key = SigningKey::parse(&SigningKey::generate().unwrap()).ok().unwrap();
        let token = key.sign(&json!({ "sub": "s" }), Some(&key.id().unwrap())).unwrap();
        let mut jwks = key.jwks().unwrap();
        assert_eq!(verify(token.expose(), &jwks), Ok(()));
        jwks["keys"][0]["kid"] = "another".into();
        assert_eq!(verify(token.expose(), &jwks), Err(Failure::UnknownKey));
    }
}
