//! HTTP Negotiate around a request (RFC 4559).
//!
//! The first request goes without a token: the answer tells whether Windows authentication is
//! offered at all, and opens the connection that the tokens are bound to (RFC 5929, for Extended
//! Protection). All legs stay on that connection, as NTLM demands.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url, wrong_clock};
use crate::negotiate::{Identity, Negotiator, Target};
use crate::secret::Secret;

/// Seconds by which a clock may be wrong before Kerberos refuses its tickets.
const TOLERATED_SKEW: i64 = 5 * 60;

/// More legs than any mechanism takes.
const MOST_LEGS: usize = 6;

/// Who signs on, and with whom.
#[derive(Debug)]
pub(super) struct SignOn {
    pub(super) identity: Identity,
    /// `--spn`.
    pub(super) spn: Option<String>,
}

impl SignOn {
    /// Sends a request, signed on where the server asks for it. `request` makes it anew for each
    /// leg.
    ///
    /// # Errors
    /// `DENIED` where the server offers no Windows authentication or refuses the account; those of
    /// [`Negotiator`].
    pub(super) fn send<'a>(
        &self,
        url: &Url,
        cx: &Context,
        request: impl Fn() -> Request<'a>,
    ) -> Result<Response, Error> {
        let mut response = cx.send(request())?;
        if response.status != 401 {
            return Ok(response);
        }
        if challenge(&response).is_none() {
            return Err(not_offered(url));
        }
        let target = Target {
            spn: self.spn.clone().unwrap_or_else(|| format!("HTTP/{}", url.host())),
            channel_binding: cx.peer_certificate().map(|certificate| binding(&certificate)),
        };
        let mut negotiator = Negotiator::new(&self.identity, &target, cx)?;
        let mut last: Option<Vec<u8>> = None;
        for _ in 0..MOST_LEGS {
            let token = negotiator.next(last.as_deref())?;
            if token.is_empty() {
                break; // the server's last word
            }
            let token = Secret::new(STANDARD.encode(token));
            let header = Secret::new(format!("Negotiate {}", token.expose()));
            let signed_on = request().header("Authorization", header).hiding(token);
            response = cx.send(signed_on)?;
            match challenge(&response) {
                Some(challenge) if response.status == 401 && !challenge.is_empty() => {
                    last = Some(challenge);
                }
                _ => break,
            }
        }
        match response.status {
            401 => Err(refused(url, cx)),
            _ => Ok(response),
        }
    }
}

/// The token in `WWW-Authenticate: Negotiate`, empty for the bare offer; `None` without one.
fn challenge(response: &Response) -> Option<Vec<u8>> {
    response.headers("www-authenticate").find_map(|value| {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        scheme.eq_ignore_ascii_case("negotiate").then(|| STANDARD.decode(token.trim()).ok())?
    })
}

fn not_offered(url: &Url) -> Error {
    Error::new(Kind::Denied, format!("{url} offers no Windows authentication")).fix(
        "enable it in AD FS for the intranet, reach AD FS itself and not its proxy (WAP), and let \
         its WiaSupportedUserAgents hold a part of --user-agent",
    )
}

fn refused(url: &Url, cx: &Context) -> Error {
    let error = Error::new(Kind::Denied, format!("{url} refused the account"))
        .cause("status 401 after a good ticket");
    match cx.skew().filter(|skew| skew.abs() > TOLERATED_SKEW) {
        Some(skew) => error.of_kind(Kind::Configuration).fix(wrong_clock(skew)),
        None => error.fix(
            "permit the account to use the client (Grant-AdfsApplicationPermission), and behind a \
             balancer that ends TLS set ExtendedProtectionTokenCheck to Allow (Set-AdfsProperties)",
        ),
    }
}

/// The channel binding `tls-server-end-point` of a certificate (RFC 5929, section 4.1): the hash of
/// its signature algorithm, SHA-256 in place of weaker ones.
fn binding(certificate: &[u8]) -> Vec<u8> {
    let hash = digest(hash_of(certificate), certificate);
    [b"tls-server-end-point:", hash.as_ref()].concat()
}

/// The hash algorithms that have object identifiers of their own in a signature algorithm: with
/// RSA, with ECDSA, and alone in the parameters of RSA-PSS.
const HASHES: [(&[u8], &Algorithm); 6] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], &SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], &SHA512),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], &SHA384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], &SHA512),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], &SHA384),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], &SHA512),
];

fn hash_of(certificate: &[u8]) -> &'static Algorithm {
    let algorithm = signature_algorithm(certificate).unwrap_or_default();
    let named = |(id, _): &&(&[u8], _)| algorithm.windows(id.len()).any(|part| part == *id);
    HASHES.iter().find(named).map_or(&SHA256, |(_, hash)| hash)
}

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }` (RFC 5280, 4.1).
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (members, _) = element(certificate)?;
    let (_, after_tbs) = element(members)?;
    Some(element(after_tbs)?.0)
}

/// The content of the first DER element, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.get(1..)?.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        _ => {
            let (size, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let size = size.get(..size.len().min(4))?;
            (size.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (algorithm, hash) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, &SHA256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, &SHA384),
            (&rcgen::PKCS_ED25519, &SHA256),
        ] {
            let certificate = certificate(algorithm);
            assert_eq!(hash_of(&certificate), hash);
            let expected = [b"tls-server-end-point:", digest(hash, &certificate).as_ref()].concat();
            assert_eq!(binding(&certificate), expected);
        }
    }

    #[test]
    fn a_broken_certificate_is_hashed_all_the_same() {
        for der in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x05, 0x30]] {
            assert_eq!(hash_of(der), &SHA256);
        }
    }
}
