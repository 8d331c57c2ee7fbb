//! A private key that signs JWTs: RSA with RS256 or P-256 with ES256, from PEM or as a JWK. XML is
//! signed by such a key too, or by that of a certificate in the store of Windows.
//!
//! PEM holds PKCS#8 (`PRIVATE KEY`), PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`).
//! <https://www.rfc-editor.org/rfc/rfc7515>, <https://www.rfc-editor.org/rfc/rfc7517>,
//! <https://www.rfc-editor.org/rfc/rfc7638>

mod certificate;
mod pair;
mod read;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PSS_SHA256};
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub use self::certificate::{CertificateKey, Thumbprint};
use self::pair::{Pair, no_random, sign_rsa};
use self::read::Refusal;
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files;
use crate::secret::Secret;

/// What signs bytes with RSASSA-PKCS1-v1_5 and SHA-256, as XML signatures do.
pub trait RsaSha256 {
    /// The signature.
    ///
    /// # Errors
    /// `CONFIGURATION` where the key is not RSA.
    fn rsa_sha256(&self, message: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A key pair, with its id if the JWK had one.
#[derive(Debug)]
pub struct SigningKey {
    pair: Pair,
    given_id: Option<String>,
}

impl SigningKey {
    /// Reads the key in a file that `option` names; `missing` is the kind of error for no file.
    ///
    /// # Errors
    /// `missing`, or `CONFIGURATION` where it holds no key of a supported type.
    pub fn read(
        path: &Path,
        option: &str,
        missing: Kind,
        cx: &Context,
    ) -> Result<SigningKey, Error> {
        cx.log.warn_if_shared(path);
        let text = files::read_text(path, option, missing)?;
        SigningKey::parse(&text).map_err(|Refusal(why, fix)| {
            let what = format!("{} holds no usable private key", path.display());
            Error::new(Kind::Configuration, what).cause(why).fix(format!("{fix} ({option})"))
        })
    }

    fn parse(text: &Secret) -> Result<SigningKey, Refusal> {
        let (pair, given_id) = read::pair(text)?;
        Ok(SigningKey { pair, given_id })
    }

    /// Makes a P-256 key in PEM form (PKCS#8).
    ///
    /// # Errors
    /// `INTERNAL` where the operating system gives no random numbers.
    pub fn generate() -> Result<Secret, Error> {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| no_random())?;
        let body = Zeroizing::new(STANDARD.encode(pkcs8.as_ref()));
        let mut pem = Zeroizing::new(String::from("-----BEGIN PRIVATE KEY-----\n"));
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().map(|byte| char::from(*byte)).chain(['\n']));
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        Ok(Secret::new(pem.as_str()))
    }

    /// The id by which a verifier that has [`SigningKey::jwks`] finds the key: that of the JWK, else
    /// the key's thumbprint.
    pub fn id(&self) -> String {
        self.given_id.clone().unwrap_or_else(|| self.pair.thumbprint())
    }

    /// The id that the key brought along; a verifier that was given the key otherwise knows no other.
    pub fn given_id(&self) -> Option<&str> {
        self.given_id.as_deref()
    }

    /// The public key as a JWK set, to upload to the workload identity pool provider.
    pub fn jwks(&self) -> Value {
        let mut key = self.pair.public_members();
        key.insert("use".to_owned(), "sig".into());
        key.insert("alg".to_owned(), self.pair.algorithm().into());
        key.insert("kid".to_owned(), self.id().into());
        json!({ "keys": [key] })
    }

    /// Signs claims: a compact JWT with this key id in its header.
    ///
    /// # Errors
    /// `INTERNAL` where the operating system gives no random numbers.
    pub fn sign(&self, claims: &Value, id: Option<&str>) -> Result<Secret, Error> {
        let mut header = json!({ "alg": self.pair.algorithm(), "typ": "JWT" });
        if let (Some(id), Some(header)) = (id, header.as_object_mut()) {
            header.insert("kid".to_owned(), id.into());
        }
        compact(&header, claims, |message| self.pair.sign(message))
    }

    /// Signs claims with PS256, naming the key by the SHA-256 of its certificate (DER), as Microsoft
    /// Entra ID wants. `option` named the key.
    ///
    /// # Errors
    /// `CONFIGURATION` where the key is not RSA, `INTERNAL` as [`SigningKey::sign`].
    pub fn sign_certified(
        &self,
        claims: &Value,
        certificate: &[u8],
        option: &str,
    ) -> Result<Secret, Error> {
        let Pair::Rsa(pair) = &self.pair else {
            return Err(Error::new(Kind::Configuration, "Entra ID takes no P-256 signature")
                .fix(format!("give an RSA key ({option})")));
        };
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate));
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint });
        compact(&header, claims, |message| sign_rsa(pair, &RSA_PSS_SHA256, message))
    }
}

/// A JWT in compact form.
fn compact(
    header: &Value,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
) -> Result<Secret, Error> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut jwt = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(jwt.as_bytes())?;
    jwt.push('.');
    jwt.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(Secret::new(jwt))
}

impl RsaSha256 for SigningKey {
    fn rsa_sha256(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.pair {
            Pair::Rsa(_) => self.pair.sign(message),
            Pair::P256(_) => Err(Error::new(Kind::Configuration, "AD FS takes no P-256 signature")
                .fix("give an RSA key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED, KeyPair as _, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
    };

    use super::*;

    /// RFC 7515, appendix A.2.1.
    const RSA: &str = r#"{"kty":"RSA",
        "n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        "e":"AQAB",
        "d":"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
        "p":"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
        "q":"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
        "dp":"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
        "dq":"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
        "qi":"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U"}"#;

    /// RFC 7515, appendix A.2.1: what is signed, and the signature.
    const SIGNED: (&str, &str) = (
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );

    /// RFC 7515, appendix A.3.1.
    const EC: [&str; 3] = [
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
    ];

    fn parse(text: &str) -> SigningKey {
        SigningKey::parse(&Secret::new(text)).unwrap_or_else(|Refusal(why, _)| panic!("{why}"))
    }

    fn ec_jwk(more: &str) -> String {
        let [x, y, d] = EC;
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{d}"{more}}}"#)
    }

    fn decode(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn rs256_signs_as_the_standard_does() {
        let signature = parse(RSA).pair.sign(SIGNED.0.as_bytes()).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.encode(signature), SIGNED.1);
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
        let refusal =
            parse(&ec_jwk("")).sign_certified(&json!({}), b"", "--client-key").unwrap_err();
        assert!(refusal.to_string().contains("RSA key (--client-key)"), "{refusal}");
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
    fn the_key_set_holds_the_public_members_only() {
        for (text, alg, names) in [
            (RSA.to_owned(), "RS256", "e kty n use alg kid"),
            (ec_jwk(""), "ES256", "crv kty x y use alg kid"),
        ] {
            let jwks = parse(&text).jwks();
            let key = jwks["keys"][0].as_object().unwrap();
            assert_eq!(key.keys().map(String::as_str).collect::<Vec<_>>().join(" "), names);
            assert_eq!(key["alg"], alg);
            let given: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(key.get("n").or(key.get("x")), given.get("n").or(given.get("x")));
        }
    }

    #[test]
    fn a_jwk_brings_its_own_key_id() {
        assert_eq!(parse(&ec_jwk(r#","kid":"mine""#)).id(), "mine");
    }

    #[test]
    fn an_ec_key_in_sec1_form_is_the_same_key() {
        let point = [&[4][..], &decode(EC[0]), &decode(EC[1])].concat();
        // RFC 5915, section 3: version, private key, [0] curve, [1] public key
        let curve = [0xa0, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        for parameters in [&curve[..], &[]] {
            let mut body = [&[2, 1, 1, 4, 32][..], &decode(EC[2]), parameters].concat();
            body.extend([&[0xa1, 68, 3, 66, 0][..], &point].concat());
            let der = [&[0x30, body.len() as u8][..], &body].concat();
            assert_eq!(parse(&pem("EC PRIVATE KEY", &der)).id(), parse(&ec_jwk("")).id());
        }
    }

    #[test]
    fn a_generated_key_can_be_read_again() {
        let key = SigningKey::generate().unwrap_or_else(|error| panic!("{error}"));
        assert!(key.expose().lines().all(|line| line.len() <= 64));
        assert!(parse(key.expose()).sign(&json!({}), None).is_ok());
    }

    #[test]
    fn other_keys_are_refused() {
        let p384 = ec_jwk("").replace("P-256", "P-384");
        for text in [
            "",
            "text",
            "{}",
            "[]",
            &p384,
            &RSA.replace(r#""d":"#, r#""x":"#),
            &pem("PRIVATE KEY", b"0"),
        ] {
            assert!(SigningKey::parse(&Secret::new(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn its_jwk_set_vouches_for_what_it_signs() {
        use crate::token::jwks::{Failure, verify};
        let key = SigningKey::parse(&SigningKey::generate().unwrap()).ok().unwrap();
        let token = key.sign(&json!({ "sub": "s" }), Some(&key.id())).unwrap();
        let mut jwks = key.jwks();
        assert_eq!(verify(token.expose(), &jwks), Ok(()));
        jwks["keys"][0]["kid"] = "another".into();
        assert_eq!(verify(token.expose(), &jwks), Err(Failure::UnknownKey));
    }
}
