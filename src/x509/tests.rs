//! Tests with certificates from authorities that the tests create.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType, date_time_ymd,
};
use serde_json::json;

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
    let pem = Secret::new(include_str!("../../tests/scenarios/x509/key-of-rsa/home/cert.pem"));
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
fn claims_have_the_names_of_attribute_mappings() {
    let (ca, key) = (authority("Example CA"), KeyPair::generate().unwrap());
    let mut params = params("vm-7");
    params.distinguished_name.push(DnType::OrganizationalUnitName, "é");
    params.subject_alt_names.push(SanType::URI("spiffe://example.test/vm-7".try_into().unwrap()));
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
