//! Keys in tokens, with a module that is loaded when it is needed.
//!
//! The module runs on a separate thread, so that a module that blocks cannot delay the end of the
//! run. One run opens one session and sends the PIN once. Whatever the module prints is discarded
//! ([`crate::stdio`]).

mod calls;
mod failure;
mod generate;
mod key;
mod mechanism;
mod slot;
mod target;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use cryptoki_sys::CK_MECHANISM_TYPE;

use self::key::{Found, Opened};
use self::target::Target;
use self::worker::Worker;
use super::{KeyType, PublicKey, Scheme};
use crate::cache::{self, private};
use crate::context::Context;
use crate::error::{Error, Kind};
use crate::files::MORE_FILES;
use crate::lock::{self, Lock};
use crate::options::{Pin, Pkcs11Uri};
use crate::stdio;
use crate::world::Deadline;

/// How long a run waits for other runs that are opening a key. Then it opens its key although they
/// have not finished.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for other runs of this user that are opening a key. SoftHSM writes the file of a token at each login,
/// and other processes that read it meanwhile find no token or no key.
///
/// Two runs that may create a key would not find each other's key, and would create two keys with the
/// same label, so they wait until the deadline. Some modules read the keys of a token only when they
/// are loaded, so the lock is taken before that. Different URIs can mean the same token, so there is
/// one lock for all.
fn lock_opening(generates: bool, cx: &Context) -> Result<Option<Lock>, Error> {
    let Some(path) = private::path("pkcs11", cx) else { return Ok(None) };
    match generates {
        true => lock::beside(&path, Duration::ZERO, cx),
        false => {
            let reserve = cx.deadline.remaining().saturating_sub(PATIENCE);
            Ok(lock::beside(&path, reserve, cx).unwrap_or_default())
        }
    }
}

/// A key in a token.
#[derive(Debug, Clone)]
pub struct TokenKey {
    worker: Worker,
    target: Arc<Target>,
    key_type: KeyType,
    mechanisms: Vec<CK_MECHANISM_TYPE>,
    deadline: Deadline,
}

impl TokenKey {
    /// Finds the key of `option`. `missing` is the kind of the error if the token or the key does not
    /// exist. If `generates` is true, a key that does not exist is created.
    ///
    /// # Errors
    /// `missing`; `CONFIGURATION` if the module, the token or the key cannot be used; `DENIED` if
    /// the PIN is refused; `UNREACHABLE` if the module does not respond.
    pub fn open(
        uri: &Pkcs11Uri,
        option: &str,
        missing: Kind,
        generates: bool,
        cx: &Context,
    ) -> Result<TokenKey, Error> {
        let pin_place = match &uri.pin {
            Some(Pin::Value(_)) => format!("user_pin in {option}"),
            Some(Pin::Source(_)) => format!("pin-source in {option}"),
            Some(Pin::Option(_)) | None => "--pin".to_owned(),
        };
        let pin = match &uri.pin {
            Some(Pin::Value(pin)) => Some(pin.clone()),
            Some(Pin::Source(pin) | Pin::Option(pin)) => Some(pin.read(&pin_place, cx)?),
            None => None,
        };
        // A wrong PIN uses up one of a few attempts.
        if pin.as_ref().is_some_and(|pin| pin.expose().contains(char::is_control)) {
            return Err(Error::new(
                Kind::Configuration,
                "the PIN contains a line break or a control character",
            )
            .fix(format!("store the PIN alone in the file or variable of {pin_place}")));
        }
        stdio::move_away().map_err(|error| {
            Error::new(Kind::Configuration, "cannot load a PKCS#11 module")
                .cause(error)
                .fix(format!("{MORE_FILES}, and check that /dev/null exists"))
        })?;
        let (uri, option) = (uri.clone(), option.to_owned());
        let target = Arc::new(Target { uri, option, pin_place, missing, generates, pin });
        let worker = Worker::of(&target.uri)?;
        let deadline = cx.deadline;
        let lock = lock_opening(generates, cx)?.map(cache::Lock::from);
        // Clients repeat a failed run several times, and a wrong PIN uses up an attempt each time.
        let request = target.digest();
        if let Some(refusal) = lock.as_ref().and_then(|lock| lock.refusal(&request, cx)) {
            return Err(refusal);
        }
        let opened = worker.open(&target, deadline).inspect_err(|error| {
            if let Some(lock) = lock.as_ref().filter(|_| error.kind() == Kind::Denied) {
                lock.share_failure(error, &request, cx);
            }
        });
        drop(lock);
        let Found { token, key_type, mechanisms } = opened?;
        cx.log.line(format!("signing with a key in the token \"{token}\""));
        Ok(TokenKey { worker, target, key_type, mechanisms, deadline })
    }

    /// The type of the key.
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// Whether the token can sign in this way.
    pub fn supports(&self, scheme: Scheme) -> bool {
        let is_of_type = matches!(
            (scheme, self.key_type),
            (Scheme::RsaPkcs1Sha256 | Scheme::RsaPssSha256, KeyType::Rsa)
                | (Scheme::EcdsaSha256, KeyType::P256)
                | (Scheme::EcdsaSha384, KeyType::P384)
        );
        is_of_type && mechanism::of(scheme, &self.mechanisms).is_some()
    }

    /// Signs a message.
    ///
    /// # Errors
    /// The errors of [`TokenKey::open`].
    pub fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (message, pin) = (message.to_vec(), self.target.pin.clone());
        self.worker
            .call(&self.target, self.deadline, move |key| key.sign(scheme, &message, pin.as_ref()))
    }

    /// The certificate that the URI of the key selects, and then all other certificates in the
    /// token, in DER.
    ///
    /// # Errors
    /// `CONFIGURATION` if there is no such certificate, or several; the errors of
    /// [`TokenKey::open`].
    pub fn certificates(&self) -> Result<Vec<Vec<u8>>, Error> {
        let target = self.target.clone();
        self.worker.call(&self.target, self.deadline, move |key| key.certificates(&target))
    }

    /// The public key.
    ///
    /// # Errors
    /// `CONFIGURATION` if the token does not show it; the errors of [`TokenKey::open`].
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        self.worker.call(&self.target, self.deadline, Opened::public_key)
    }
}
