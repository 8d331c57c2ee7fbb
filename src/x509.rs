//! X.509 certificates: what they contain, and whether a server that trusts their issuer accepts them.
//! <https://www.rfc-editor.org/rfc/rfc5280>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use serde_json::{Map, Value, json};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::secret::Secret;
use crate::time::LAST_SECOND;

/// Certificates in DER as a PEM text.
pub fn pem(certificates: &[Vec<u8>]) -> Secret {
    let blocks = certificates.iter().map(|der| {
        let body = STANDARD.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    });
    Secret::new(blocks.collect::<String>())
}

/// The certificates in a PEM text; `None` if there is none or one is invalid.
pub fn certificates(pem: &Secret) -> Option<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pem.expose().as_bytes()).collect();
    found.ok().filter(|found| !found.is_empty())
}

/// A curve: its name in DER, and the beginning of an uncompressed public key, a BIT STRING.
#[derive(Debug)]
pub struct Curve(&'static [u8], &'static [u8]);

/// <https://www.rfc-editor.org/rfc/rfc5480>
pub const P256: Curve =
    Curve(&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], &[0x03, 0x42, 0x00, 0x04]);
/// As [`P256`].
pub const P384: Curve =
    Curve(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], &[0x03, 0x62, 0x00, 0x04]);

/// Why a private key in PEM on one of these curves is not usable: its public key, which is optional
/// (RFC 5915, section 3), is missing or compressed. With the fix, in which `FILE` stands for the path,
/// and `OPTION` for the option that contains it; `None` for any other key.
pub fn without_public_key(pem: &Secret, curves: &[Curve]) -> Option<(&'static str, &'static str)> {
    let key = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
    let has = |part: &[u8]| key.secret_der().windows(part.len()).any(|bytes| bytes == part);
    curves.iter().any(|Curve(name, point)| has(name) && !has(point)).then_some((
        "it does not contain the public key in uncompressed form",
        "run openssl ec -in FILE -conv_form uncompressed -out FILE.new, set the mode of the new file to \
         0600, and set OPTION to the new file",
    ))
}

/// Why a server refuses a client certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not a certificate of version 3 as RFC 5280 defines it.
    Malformed,
    /// It expired at this time, in seconds since 1970.
    Expired(i64),
    /// It is valid from this time, in seconds since 1970.
    NotYetValid(i64),
    /// It is the certificate of an authority.
    Authority,
    /// It has extended key usages, but not `clientAuth`.
    NotForClients,
    /// No certificate of the chain issued it.
    UnknownIssuer,
    /// Something else.
    Other(String),
}

/// Checks a certificate on its own at this time, in seconds since 1970.
///
/// # Errors
/// The first problem. It is never [`Problem::UnknownIssuer`].
pub fn check(leaf: &CertificateDer, now: i64) -> Result<(), Problem> {
    match check_chain(leaf, &[], now) {
        Err(Problem::UnknownIssuer) => Ok(()),
        result => result,
    }
}

/// Checks that the chain leads from a certificate to the last certificate of the chain.
///
/// # Errors
/// The first problem of any of them.
pub fn check_chain(
    leaf: &CertificateDer,
    chain: &[CertificateDer],
    now: i64,
) -> Result<(), Problem> {
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| Problem::Malformed)?;
    let (anchors, between) = match chain.split_last() {
        None => (Vec::new(), chain),
        Some((last, between)) => {
            (vec![anchor_from_trusted_cert(last).map_err(|_| Problem::Malformed)?], between)
        }
    };
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.max(0) as u64));
    let usage = KeyUsage::client_auth();
    leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, between, now, usage, None, None)
        .map(drop)
        .map_err(|error| match error {
            webpki::Error::CertExpired { not_after, .. } => Problem::Expired(seconds(not_after)),
            webpki::Error::CertNotValidYet { not_before, .. } => {
                Problem::NotYetValid(seconds(not_before))
            }
            webpki::Error::CaUsedAsEndEntity => Problem::Authority,
            webpki::Error::RequiredEkuNotFoundContext(_) | webpki::Error::EmptyEkuExtension => {
                Problem::NotForClients
            }
            webpki::Error::UnknownIssuer => Problem::UnknownIssuer,
            error => Problem::Other(error.to_string()),
        })
}

fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// When a certificate that is valid now expires, in seconds since 1970; `None` if this is in the year
/// 9999, which means never.
pub fn expiry(certificate: &CertificateDer) -> Option<i64> {
    match check(certificate, LAST_SECOND) {
        Err(Problem::Expired(end)) => Some(end),
        _ => None,
    }
}

/// Whether a certificate names another one, or itself, as its issuer.
pub fn is_issued_by(certificate: &CertificateDer, authority: &CertificateDer) -> bool {
    let parse = |certificate| EndEntityCert::try_from(certificate).ok();
    let names = parse(certificate).zip(parse(authority));
    names.is_some_and(|(certificate, authority)| certificate.issuer() == authority.subject())
}

/// The CEL expression that Google maps to `google.subject` by default.
pub const DEFAULT_SUBJECT: &str = "assertion.subject.dn.cn";

/// What Google's attribute mappings can use of a certificate, as far as it is text.
/// <https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates>
pub fn claims(certificate: &CertificateDer) -> Value {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Value::Null };
    let name = |der| json!({ "dn": distinguished_name(der) });
    let mut san = Map::new();
    san.extend(certificate.valid_dns_names().next().map(|dns| ("dns".to_owned(), dns.into())));
    san.extend(certificate.valid_uri_names().next().map(|uri| ("uri".to_owned(), uri.into())));
    json!({ "subject": name(certificate.subject()), "issuer": name(certificate.issuer()), "san": san })
}

/// The attributes of a distinguished name: a list of sets of pairs of an object identifier and a text.
fn distinguished_name(mut name: &[u8]) -> Map<String, Value> {
    const SEQUENCE: u8 = 0x30;
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

/// The tag and the content of the first DER element, and the elements after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
        KeyPair, SanType, date_time_ymd,
    };

    use super::*;

    const NOW: i64 = 1_800_000_000; // 2027-01-15
    const END: i64 = 2_208_988_800; // 2040-01-01

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(vec![format!("{name}.example.test")]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        params
    }

    fn authority(name: &str) -> (CertificateParams, KeyPair) {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().unwrap())
    }

    fn issue(
        params: &CertificateParams,
        key: &KeyPair,
        (issuer, issuer_key): &(CertificateParams, KeyPair),
    ) -> CertificateDer<'static> {
        let issuer = Issuer::from_params(issuer, issuer_key);
        params.signed_by(key, &issuer).unwrap().der().clone()
    }

    #[test]
    fn the_key_in_a_certificate_is_read() {
        let pem = Secret::new(include_str!("../tests/scenarios/x509/key-of-rsa/home/cert.pem"));
        let (n, e) = rsa_public_key(&certificates(&pem).unwrap()[0]).unwrap();
        assert_eq!((n.len(), n[0] >= 0x80, &e[..]), (256, true, &[1, 0, 1][..]));
        let (ca, key) = (authority("ca"), KeyPair::generate().unwrap());
        assert_eq!(rsa_public_key(&issue(&params("vm"), &key, &ca)), None);
    }

    #[test]
    fn problems_of_a_certificate_are_told_apart() {
        let (ca, key) = (authority("ca"), KeyPair::generate().unwrap());
        let with = |change: fn(&mut CertificateParams)| {
            let mut params = params("vm");
            change(&mut params);
            check(&issue(&params, &key, &ca), NOW)
        };
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(
            with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            Ok(())
        );
        assert_eq!(
            with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
            Err(Problem::NotForClients)
        );
        assert_eq!(
            with(|params| params.not_after = date_time_ymd(2021, 1, 1)),
            Err(Problem::Expired(1_609_459_200))
        );
        assert_eq!(
            with(|params| params.not_before = date_time_ymd(2030, 1, 1)),
            Err(Problem::NotYetValid(1_893_456_000))
        );
        assert_eq!(
            with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            Err(Problem::Authority)
        );
        assert_eq!(check(&CertificateDer::from(vec![0x30, 0]), NOW), Err(Problem::Malformed));
    }

    #[test]
    fn a_chain_leads_to_its_last_certificate() {
        let (root, between, key) =
            (authority("root"), authority("between"), KeyPair::generate().unwrap());
        let root_der = root.0.self_signed(&root.1).unwrap().der().clone();
        let between_der = issue(&between.0, &between.1, &root);
        let leaf = issue(&params("vm"), &key, &between);
        let chain = [between_der.clone(), root_der.clone()];
        assert_eq!(check_chain(&leaf, &chain, NOW), Ok(()));
        assert_eq!(check_chain(&leaf, &chain[..1], NOW), Ok(()));
        assert_eq!(check_chain(&leaf, &chain[1..], NOW), Err(Problem::UnknownIssuer));
        assert_eq!(check_chain(&leaf, &[], NOW), Err(Problem::UnknownIssuer));
        assert!(is_issued_by(&leaf, &between_der) && !is_issued_by(&leaf, &root_der));
        assert!(is_issued_by(&root_der, &root_der) && !is_issued_by(&leaf, &leaf));
        assert_eq!(expiry(&leaf), Some(END));
    }

    #[test]
    fn claims_are_named_as_in_a_mapping() {
        let (ca, key) = (authority("Example CA"), KeyPair::generate().unwrap());
        let mut params = params("vm-7");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "é");
        params
            .subject_alt_names
            .push(SanType::URI("spiffe://example.test/vm-7".try_into().unwrap()));
        let leaf = issue(&params, &key, &ca);
        let claims = claims(&leaf);
        assert_eq!(claims["subject"]["dn"], json!({ "o": "Example", "cn": "vm-7", "ou": "é" }));
        assert_eq!(claims["issuer"]["dn"]["cn"], "Example CA");
        assert_eq!(
            claims["san"],
            json!({ "dns": "vm-7.example.test", "uri": "spiffe://example.test/vm-7" })
        );
        let names = (common_name(&leaf), issuer(&leaf));
        assert_eq!(names, (Some("vm-7".to_owned()), Some("Example CA".to_owned())));
    }

    #[test]
    fn broken_names_have_no_attributes() {
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
