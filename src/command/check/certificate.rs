//! Checks the certificate of a configuration: its files, its validity, its chain and its key.
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-x509-certificates>

use rustls_pki_types::CertificateDer;

use super::report::Report;
use super::{Check, claims, configuration};
use crate::client::certificate::{CertificateFiles, Identity};
use crate::configuration::CredentialConfig;
use crate::configuration::credential_source::CertificateSource;
use crate::error::{Error, Kind};
use crate::show;
use crate::time::rfc3339;
use crate::x509::{self, Problem};

const LINK: &str = "certificate";
const CHAIN: &str = "trust chain";

const DAY: i64 = 24 * 3600;

/// The number of days before its expiry from which on a certificate must be renewed soon.
const SOON: i64 = 14;

/// Checks the certificate. Returns it with its key, for the exchange, if both can be used.
pub(super) fn check(
    config: &CredentialConfig,
    source: &CertificateSource,
    check: &Check,
    report: &mut Report,
) -> Option<Identity> {
    let files = match CertificateFiles::read(source, check.cx) {
        Ok(files) => files,
        Err(error) => {
            report.error(LINK, &error);
            return None;
        }
    };
    configuration::file(&files.config.path, false, report);
    check_paths(&files, source, report);
    let leaf = files.leaf();
    if let Some(leaf) = &leaf {
        check_leaf(leaf, &files, check.cx.clock.now(), report);
        check_chain(leaf, &files, source, check.cx.clock.now(), report);
    }
    let identity = match Identity::of(config, check.cx) {
        Ok(identity) => {
            report.ok("key", files.config.key.shown());
            identity
        }
        Err(error) => {
            // If only the trust chain is wrong, the check of the chain has reported this.
            if !report.has_error(CHAIN) {
                report.error(if leaf.is_some() { "key" } else { LINK }, &error);
            }
            None
        }
    };
    if let Some(leaf) = &leaf {
        claims::of_certificate(leaf, check.options.mapping.as_deref(), config, report);
    }
    identity
}

/// Reports paths that some clients do not accept.
fn check_paths(files: &CertificateFiles, source: &CertificateSource, report: &mut Report) {
    let config = show::path(&files.config.path);
    if files.config.path.is_symlink() {
        let message = format!("{config} is a symbolic link, which Node refuses");
        report.warning(LINK, message, format!("replace {config} with a copy of the file"));
    }
    let paths = [
        ("certificate_config_location", source.config.as_deref()),
        ("trust_chain_path", source.trust_chain.as_deref()),
        ("cert_path", files.config.certificate.file()),
        ("key_path", files.config.key.file()),
    ];
    for (member, path) in paths {
        if let Some(path) = path.filter(|path| !path.is_absolute()) {
            let message = format!(
                "{} is not an absolute path, and clients may run in a different directory",
                show::path(path)
            );
            report.warning(LINK, message, format!("use an absolute path in {member}"));
        }
    }
}

/// Checks the certificate itself, without its chain.
fn check_leaf(leaf: &CertificateDer, files: &CertificateFiles, now: i64, report: &mut Report) {
    let shown = files.config.certificate.shown();
    if let Err(problem) = x509::check(leaf, now) {
        let error = explain(&shown, problem);
        report.error(LINK, &error).settled_by_exchange = error.limit().is_none();
        return;
    }
    let Some(end) = x509::expiry(leaf) else {
        report.ok(LINK, shown);
        return;
    };
    let valid = format!("{shown} is valid until {}", rfc3339(end));
    match (end - now) / DAY {
        days @ ..SOON => {
            let message = format!("{valid}, for less than {} days", days + 1);
            report.warning(LINK, message, "renew the certificate")
        }
        _ => report.ok(LINK, valid),
    };
}

/// Checks the certificates that lead from the certificate to one that Google trusts.
fn check_chain(
    leaf: &CertificateDer,
    files: &CertificateFiles,
    source: &CertificateSource,
    now: i64,
    report: &mut Report,
) {
    let chain = match files.chain(leaf, source.trust_chain.as_deref()) {
        Ok(chain) => chain,
        Err(error) => {
            report.error(CHAIN, &error);
            return;
        }
    };
    let shown = source.trust_chain.as_deref().map(show::path).unwrap_or_default();
    let name = x509::issuer(leaf);
    let issuer = name.map_or_else(String::new, |name| format!(", {}", show::value(&name)));
    let broken = |what: String, fix: &str| Error::new(Kind::Configuration, what).fix(fix);
    let error = match x509::check_chain(leaf, &chain, now) {
        _ if x509::is_issued_by(leaf, leaf) => broken(
            "the certificate is self-signed".to_owned(),
            "use a certificate from an authority in the trust store of the pool provider",
        ),
        // The check of the certificate itself has reported this.
        Err(_) if report.has_error(LINK) => return,
        Err(Problem::UnknownIssuer) if chain.is_empty() => {
            let message = "no other certificates, so the pool provider must trust the issuer";
            report.ok(CHAIN, format!("{message}{issuer}"));
            return;
        }
        Err(Problem::UnknownIssuer) => {
            let what = match chain.iter().any(|authority| x509::is_issued_by(leaf, authority)) {
                true => format!("{shown} does not lead to its last certificate"),
                false => format!("{shown} does not contain the issuer of the certificate{issuer}"),
            };
            let fix = "add the certificates of all intermediate authorities, from the issuer of \
                       the certificate upwards";
            broken(what, fix)
        }
        Err(problem) => explain(&format!("a certificate in {shown}"), problem),
        Ok(()) => {
            report.ok(CHAIN, format!("{} in {shown}", count(chain.len())));
            return;
        }
    };
    report.error(CHAIN, &error).settled_by_exchange = error.limit().is_none();
}

fn count(certificates: usize) -> String {
    format!("{certificates} certificate{}", if certificates == 1 { "" } else { "s" })
}

/// The error for a problem with a certificate.
fn explain(shown: &str, problem: Problem) -> Error {
    let error = |text: &str| Error::new(Kind::Configuration, format!("{shown} {text}"));
    let replace = "replace the certificate";
    match problem {
        Problem::Expired(end) => error(&format!("expired at {}", rfc3339(end)))
            .of_kind(Kind::Expired)
            .fix("renew the certificate")
            .depending_on(end),
        Problem::NotYetValid(start) => error(&format!("is not valid before {}", rfc3339(start)))
            .fix(replace)
            .depending_on(start),
        Problem::NotForClients => {
            error("is not a client certificate: its extended key usages do not include clientAuth")
                .fix("request a certificate with the extended key usage clientAuth")
        }
        Problem::Authority => error("is the certificate of an authority, not of a client")
            .fix("set cert_path to a certificate that was issued for a client (CA:FALSE)"),
        Problem::Malformed => error("is not a valid X.509 certificate of version 3").fix(replace),
        Problem::UnknownIssuer => error("has an unknown issuer").fix(replace),
        Problem::Other(why) => error("is not valid").cause(why).fix(replace),
    }
}
