//! The certificate of a configuration: its files, its validity, its chain and its key.
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

/// A certificate that expires within so many days should be renewed soon.
const SOON: i64 = 14;

/// Loads the certificate and its key for the exchange, unless this is not possible.
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
    let leaf = files.leaf();
    if let Some(leaf) = &leaf {
        let shown = show::path(&files.config.certificate);
        check_leaf(leaf, &shown, check.cx.clock.now(), report);
        check_chain(leaf, &files, source, check.cx.clock.now(), report);
        claims::of_certificate(leaf, check.options.mapping.as_deref(), config, report);
    }
    match Identity::of(config, check.cx) {
        Ok(identity) => {
            report.ok("key", show::path(&files.config.key));
            identity
        }
        Err(error) => {
            // The trust chain may be the only mistake, which was reported.
            if !report.has_error(CHAIN) {
                report.error(if leaf.is_some() { "key" } else { LINK }, &error);
            }
            None
        }
    }
}

/// The certificate on its own.
fn check_leaf(leaf: &CertificateDer, shown: &str, now: i64, report: &mut Report) {
    if let Err(problem) = x509::check(leaf, now) {
        let error = explain(shown, "the certificate", problem);
        report.error(LINK, &error).settled_by_exchange = error.limit().is_none();
        return;
    }
    match x509::check(leaf, now + SOON * DAY) {
        Err(Problem::Expired(end)) => {
            let days = (end - now) / DAY;
            let message = format!("{shown} expires in {days} days, at {}", rfc3339(end));
            report.warning(LINK, message, "renew the certificate");
        }
        _ => {
            report.ok(LINK, shown);
        }
    }
}

/// The certificates that lead from this one to one that Google trusts.
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
    let broken = |what: String, fix: &str| Error::new(Kind::Configuration, what).fix(fix);
    let error = match x509::check_chain(leaf, &chain, now) {
        _ if x509::is_self_signed(leaf) => broken(
            "the certificate is self-signed, so no authority vouches for it".to_owned(),
            "use a certificate that an authority in the trust store of the pool provider issued",
        ),
        // This was reported for the certificate itself.
        Err(_) if report.has_error(LINK) => return,
        Err(Problem::UnknownIssuer) if chain.is_empty() => {
            let message = "no trust_chain_path: the issuer must be in the trust store of the pool \
                           provider";
            report.ok(CHAIN, message);
            return;
        }
        Err(Problem::UnknownIssuer) => broken(
            format!("{shown} is incomplete: it does not lead from the certificate to its last one"),
            "add the certificates of all intermediate authorities, from the issuer of the \
             certificate upwards",
        ),
        Err(problem) => explain(&shown, "the certificates", problem),
        Ok(()) => {
            report.ok(CHAIN, format!("{shown} ({} certificates)", chain.len()));
            return;
        }
    };
    report.error(CHAIN, &error).settled_by_exchange = error.limit().is_none();
}

/// The failure of the certificate in a file, or of one in its chain.
fn explain(shown: &str, what: &str, problem: Problem) -> Error {
    let error = |kind, text: &str| Error::new(kind, format!("{shown} {text}"));
    let renew = format!("renew {what}, or correct the clock of this host");
    let request = "request a certificate with the extended key usage clientAuth";
    match problem {
        Problem::Expired(end) => {
            let expired = error(Kind::Expired, &format!("expired at {}", rfc3339(end)));
            expired.fix(renew).depending_on(end)
        }
        Problem::NotYetValid(start) => {
            let early = format!("is not valid before {}", rfc3339(start));
            error(Kind::Configuration, &early)
                .fix("correct the clock of this host")
                .depending_on(start)
        }
        Problem::NotForClients => error(
            Kind::Configuration,
            "is not for clients: clientAuth is not among its extended key usages",
        )
        .fix(request),
        Problem::Authority => {
            error(Kind::Configuration, "is the certificate of an authority, not of a client")
                .fix("set cert_path to a certificate that is not for an authority (CA:FALSE)")
        }
        Problem::Malformed => {
            error(Kind::Configuration, "has a certificate that is not valid X.509 of version 3")
                .fix(format!("replace {what}"))
        }
        Problem::UnknownIssuer => error(Kind::Configuration, "has an unknown issuer").fix(request),
        Problem::Other(why) => {
            error(Kind::Configuration, "is not valid").cause(why).fix(format!("replace {what}"))
        }
    }
}
