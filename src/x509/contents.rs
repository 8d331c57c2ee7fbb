//! What a certificate contains: the names of its subject and issuer, its RSA key, its signature algorithm.

use rustls_pki_types::CertificateDer;
use serde_json::{Map, Value, json};
use webpki::EndEntityCert;

use crate::der::{SEQUENCE, element};

/// The CEL expression that Google maps to `google.subject` by default.
pub const DEFAULT_SUBJECT: &str = "assertion.subject.dn.cn";

/// The parts of a certificate that Google's attribute mappings can use, if they are text.
/// <https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates>
pub fn claims(certificate: &CertificateDer) -> Value {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Value::Null };
    let name = |der| json!({ "dn": distinguished_name(der) });
    let mut san = Map::new();
    san.extend(certificate.valid_dns_names().next().map(|dns| ("dns".to_owned(), dns.into())));
    san.extend(certificate.valid_uri_names().next().map(|uri| ("uri".to_owned(), uri.into())));
    json!({ "subject": name(certificate.subject()), "issuer": name(certificate.issuer()), "san": san })
}

/// Reads the attributes of a distinguished name, which is a list of sets of pairs: an object
/// identifier and a text.
fn distinguished_name(mut name: &[u8]) -> Map<String, Value> {
    const SET: u8 = 0x31;
    /// `UTF8String`, `PrintableString` and `IA5String`
    const TEXT: [u8; 3] = [0x0c, 0x13, 0x16];
    let mut attributes = Map::new();
    while let Some((SET, mut pairs, rest)) = element(name) {
        name = rest;
        while let Some((SEQUENCE, pair, rest)) = element(pairs) {
            pairs = rest;
            let Some((_, kind, value)) = element(pair) else { continue };
            let attribute = match kind {
                [0x55, 0x04, 0x03] => "cn",
                [0x55, 0x04, 0x0a] => "o",
                [0x55, 0x04, 0x0b] => "ou",
                _ => continue,
            };
            let text = element(value).filter(|(tag, ..)| TEXT.contains(tag));
            if let Some(text) = text.and_then(|(_, text, _)| std::str::from_utf8(text).ok()) {
                attributes.insert(attribute.to_owned(), text.into());
            }
        }
    }
    attributes
}

/// The common name of the subject of a certificate, if it is text.
pub fn common_name(certificate: &CertificateDer) -> Option<String> {
    claims(certificate).pointer("/subject/dn/cn")?.as_str().map(str::to_owned)
}

/// The common name of the issuer of a certificate, if it is text.
pub fn issuer(certificate: &CertificateDer) -> Option<String> {
    claims(certificate).pointer("/issuer/dn/cn")?.as_str().map(str::to_owned)
}

/// The modulus and the exponent of the RSA key of a certificate; `None` if it has another key.
pub fn rsa_public_key(certificate: &CertificateDer) -> Option<(Vec<u8>, Vec<u8>)> {
    /// `rsaEncryption`
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let info = EndEntityCert::try_from(certificate).ok()?.subject_public_key_info();
    let (_, info, _) = element(&info)?;
    let (_, algorithm, rest) = element(info)?;
    let (_, key, _) = element(rest).filter(|_| element(algorithm).is_some_and(|it| it.1 == RSA))?;
    let (_, numbers, _) = element(key.strip_prefix(&[0])?)?;
    let (_, n, rest) = element(numbers)?;
    let (_, e, _) = element(rest)?;
    let without_sign = |number: &[u8]| number.strip_prefix(&[0]).unwrap_or(number).to_vec();
    Some((without_sign(n), without_sign(e)))
}

/// The object identifier and the parameters of a certificate's signature algorithm, in DER.
/// <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>
pub fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (_, members, _) = element(certificate)?;
    let (_, _, after_tbs) = element(members)?;
    Some(element(after_tbs)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_names_have_no_attributes() {
        for name in [
            &[][..],
            &[0x31],
            &[0x31, 0x81],
            &[0x31, 0x84, 1, 1, 1, 1],
            &[0x31, 0x7f, 0x30],
            &[0x31, 2, 0x30, 0],
            &[0x31, 7, 0x30, 5, 6, 3, 0x55, 4, 3],
            &[0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0c, 1, 0xff],
        ] {
            assert!(distinguished_name(name).is_empty(), "{name:?}");
        }
    }
}
