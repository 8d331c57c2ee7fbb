//! Sends a request with HTTP Negotiate authentication (RFC 4559).
//!
//! The first request has no token. Its response shows whether the server offers Windows
//! Authentication, and it opens the TLS connection that the tokens are bound to (RFC 5929, for
//! Extended Protection). The following requests use the same connection, which NTLM requires.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};

use super::negotiate::{Identity, Negotiator, Target};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::http::{Request, Response, Url};
use crate::secret::Secret;
use crate::x509;

/// The clock skew in seconds that Kerberos tolerates by default.
const TOLERATED_SKEW: i64 = 5 * 60;

/// The maximum number of requests with a token. No mechanism needs more than three.
const MAX_ROUNDS: usize = 6;

/// The fix if AD FS does not offer Windows Authentication.
pub(super) const ENABLE_WINDOWS_AUTHENTICATION: &str = "connect to AD FS directly and not through \
     its Web Application Proxy, set --user-agent to a value that contains one of the \
     WiaSupportedUserAgents (Get-AdfsProperties), or ask an administrator of AD FS to add \
     WindowsAuthentication to the authentication providers of the intranet \
     (Get-AdfsGlobalAuthenticationPolicy lists them, and the Set- cmdlet replaces the list)";

/// The account that signs in, and the service that it signs in to.
#[derive(Debug)]
pub(super) struct HttpNegotiate {
    pub(super) identity: Identity,
    /// `--spn`.
    pub(super) spn: Option<String>,
}

impl HttpNegotiate {
    /// Sends a request, and repeats it with tokens if the server requires authentication. `request`
    /// creates the request for each round.
    ///
    /// # Errors
    /// `DENIED` if the server does not offer Windows Authentication or refuses the account; the
    /// errors of [`Negotiator`].
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
        for _ in 0..MAX_ROUNDS {
            let token = negotiator.next(last.as_deref())?;
            if token.is_empty() {
                break; // The server does not expect another token.
            }
            let token = Secret::new(STANDARD.encode(token));
            let header = Secret::new(format!("Negotiate {}", token.expose()));
            response = cx.send(request().header("Authorization", header).hiding(token))?;
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

/// The token in `WWW-Authenticate: Negotiate`. It is empty in the first response; `None` if the
/// server does not offer Negotiate.
fn challenge(response: &Response) -> Option<Vec<u8>> {
    response.headers("www-authenticate").find_map(|value| {
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        scheme.eq_ignore_ascii_case("negotiate").then(|| STANDARD.decode(token.trim()).ok())?
    })
}

fn not_offered(url: &Url) -> Error {
    Error::new(Kind::Denied, format!("{url} does not offer Windows Authentication"))
        .fix(ENABLE_WINDOWS_AUTHENTICATION)
}

fn refused(url: &Url, cx: &Context) -> Error {
    let error = Error::new(Kind::Denied, format!("{url} refused the account"))
        .cause("HTTP status 401 for a complete Negotiate token");
    match cx.wrong_clock_by(TOLERATED_SKEW) {
        Some(clock) => error.of_kind(Kind::Configuration).fix(clock),
        None => error.fix(
            "check that the account is the ADUserPrincipalName of the server application \
             (Get-AdfsServerApplication), or if a load balancer terminates TLS, connect to a server of \
             the farm directly, or ask an administrator of AD FS about ExtendedProtectionTokenCheck \
             (Get-AdfsProperties)",
        ),
    }
}

/// The channel binding `tls-server-end-point` of a certificate (RFC 5929, section 4.1): its digest
/// with the hash of its signature algorithm, or with SHA-256 if that hash is weaker.
fn binding(certificate: &[u8]) -> Vec<u8> {
    let hash = digest(hash_of(certificate), certificate);
    [b"tls-server-end-point:", hash.as_ref()].concat()
}

/// The object identifiers that imply a hash stronger than SHA-256: for RSA signatures, for ECDSA
/// signatures, and for the hash itself in the parameters of RSA-PSS.
const HASHES: [(&[u8], &Algorithm); 6] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], &SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], &SHA512),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], &SHA384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], &SHA512),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02], &SHA384),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03], &SHA512),
];

fn hash_of(certificate: &[u8]) -> &'static Algorithm {
    let algorithm = x509::signature_algorithm(certificate).unwrap_or_default();
    let named = |(id, _): &&(&[u8], _)| algorithm.windows(id.len()).any(|part| part == *id);
    HASHES.iter().find(named).map_or(&SHA256, |(_, hash)| hash)
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
    fn the_binding_uses_the_hash_of_the_signature() {
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
    fn a_malformed_certificate_is_hashed_with_sha256() {
        for der in [&[][..], &[0x30], &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x30, 0x05, 0x30]] {
            assert_eq!(hash_of(der), &SHA256);
        }
    }
}
