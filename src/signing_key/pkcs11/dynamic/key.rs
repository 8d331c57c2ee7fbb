//! A key in an open session: how it is found, its public key, and its signatures.

use std::path::Path;

use cryptoki_sys::*;
use percent_encoding::percent_encode;

use super::super::{KeyType, PublicKey, Scheme};
use super::calls::{Attribute, LoadError, Module, Session};
use super::failure::{self, Failure};
use super::generate;
use super::mechanism;
use super::slot::Slot;
use super::target::Target;
use crate::der;
use crate::redaction::UNRESERVED;
use crate::secret::Secret;

/// The names of the module that passes calls on to every configured module.
const PROXY: &[&str] = match cfg!(target_os = "macos") {
    true => &["/opt/homebrew/lib/p11-kit-proxy.dylib", "/usr/local/lib/p11-kit-proxy.dylib"],
    false => &["p11-kit-proxy.so"],
};

/// The maximum number of objects that are listed.
const MOST_LISTED: usize = 10;

/// What is known about an open key.
pub(super) struct Found {
    /// The label of the token.
    pub(super) token: String,
    pub(super) key_type: KeyType,
    /// The mechanisms of the token.
    pub(super) mechanisms: Vec<CK_MECHANISM_TYPE>,
}

/// An open key.
pub(super) struct Opened {
    session: Session,
    key: CK_OBJECT_HANDLE,
    key_type: KeyType,
    token: String,
    mechanisms: Vec<CK_MECHANISM_TYPE>,
    /// Whether each signature requires the PIN.
    always_authenticate: bool,
}

impl Opened {
    /// Loads the module, logs in to the token and finds the key.
    pub(super) fn open(target: &Target) -> Result<Opened, Failure> {
        let slot = Slot::select(load(target)?, target)?;
        let session = slot.open_session(target.generates)?;
        let is_logged_in = slot.log_in(&session, target)?;
        let token = slot.label();
        let wanted = target.selection(CKO_PRIVATE_KEY);
        let key = match session.find(&wanted, 2)?[..] {
            [key] => key,
            // Before a login, private keys are not found.
            [] if !is_logged_in => return Err(failure::needs_pin(&token, target)),
            [] if target.generates => {
                check_id(&session, &token, target)?;
                generate::key(&session, target)?
            }
            [] => {
                let all = [Attribute::number(CKA_CLASS, CKO_PRIVATE_KEY)];
                return Err(failure::no_key(&token, target, &listed(&session, &all)?));
            }
            _ => return Err(failure::several_keys(&token, target, &listed(&session, &wanted)?)),
        };
        let always = session.attribute(key, CKA_ALWAYS_AUTHENTICATE);
        let mut opened = Opened {
            session,
            key,
            key_type: KeyType::Rsa,
            token,
            mechanisms: slot.mechanisms()?,
            always_authenticate: always.is_some_and(|value| value != [CK_FALSE]),
        };
        opened.key_type = opened.read_type().ok_or_else(|| failure::unsupported_key(target))?;
        Ok(opened)
    }

    /// Whether the session and the key still exist.
    pub(super) fn is_usable(&self) -> bool {
        self.session.attribute(self.key, CKA_CLASS).is_some()
    }

    pub(super) fn found(&self) -> Found {
        let (token, mechanisms) = (self.token.clone(), self.mechanisms.clone());
        Found { token, key_type: self.key_type, mechanisms }
    }

    fn read_type(&self) -> Option<KeyType> {
        let key_type: [u8; _] = self.session.attribute(self.key, CKA_KEY_TYPE)?.try_into().ok()?;
        match CK_ULONG::from_ne_bytes(key_type) {
            CKK_RSA => Some(KeyType::Rsa),
            CKK_EC => match &self.public_attribute(CKA_EC_PARAMS)?[..] {
                der::P256 => Some(KeyType::P256),
                der::P384 => Some(KeyType::P384),
                _ => None,
            },
            _ => None,
        }
    }

    /// An attribute of the private key, or of the public key with the same ID: modules differ in
    /// which of them has it.
    fn public_attribute(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
        let of_public = || {
            let same = [CKA_ID, CKA_LABEL].into_iter().find_map(|kind| {
                self.session.attribute(self.key, kind).map(|value| Attribute(kind, value))
            });
            let wanted = [Attribute::number(CKA_CLASS, CKO_PUBLIC_KEY), same?];
            match self.session.find(&wanted, 2).ok()?[..] {
                [public] => self.session.attribute(public, kind),
                _ => None,
            }
        };
        self.session.attribute(self.key, kind).or_else(of_public)
    }

    /// The public key.
    pub(super) fn public_key(&self) -> Result<PublicKey, Failure> {
        let number = |kind| {
            let number = self.public_attribute(kind)?;
            Some(number.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>())
        };
        let public = match self.key_type {
            KeyType::Rsa => number(CKA_MODULUS)
                .zip(number(CKA_PUBLIC_EXPONENT))
                .map(|(n, e)| PublicKey::Rsa { n, e }),
            KeyType::P256 => self.point(65),
            KeyType::P384 => self.point(97),
        };
        public.ok_or_else(|| failure::no_public_key(&self.token))
    }

    /// The point, which most modules wrap in a DER OCTET STRING.
    fn point(&self, length: usize) -> Option<PublicKey> {
        let value = self.public_attribute(CKA_EC_POINT)?;
        let start = value.len().checked_sub(length).filter(|start| [0, 2].contains(start))?;
        Some(PublicKey::Ec(value.get(start..)?.to_vec()))
    }

    /// The certificate of the key, and all others.
    pub(super) fn certificates(&self, target: &Target) -> Result<Vec<Vec<u8>>, Failure> {
        let [leaf] = self.session.find(&target.selection(CKO_CERTIFICATE), 2)?[..] else {
            return Err(failure::no_certificate(&self.token, target));
        };
        let all =
            self.session.find(&[Attribute::number(CKA_CLASS, CKO_CERTIFICATE)], MOST_LISTED)?;
        let others = all.into_iter().filter(|other| *other != leaf);
        let values = [leaf].into_iter().chain(others);
        Ok(values.filter_map(|object| self.session.attribute(object, CKA_VALUE)).collect())
    }

    /// Signs a message.
    pub(super) fn sign(
        &self,
        scheme: Scheme,
        message: &[u8],
        pin: Option<&Secret>,
    ) -> Result<Vec<u8>, Failure> {
        let mechanism = mechanism::of(scheme, &self.mechanisms)
            .ok_or_else(|| failure::no_mechanism(&self.token, scheme))?;
        let pin = pin.map(|pin| pin.expose().as_bytes());
        let before = || match self.always_authenticate {
            true => self.session.login(CKU_CONTEXT_SPECIFIC, pin),
            false => Ok(()),
        };
        let data = mechanism.data(message);
        Ok(self.session.sign(self.key, mechanism.call(), &data, before)?)
    }
}

fn load(target: &Target) -> Result<Module, Failure> {
    let mut error = None;
    let module = target.uri.module.as_deref();
    for path in module.map_or(PROXY.iter().map(Path::new).collect(), |path| vec![path]) {
        match Module::load(path) {
            Ok(module) => return Ok(module),
            Err(LoadError::Initialize(failed)) => {
                return Err(failure::not_initialized(path, failed));
            }
            Err(other) => error = Some(other),
        }
    }
    Err(failure::not_loaded(module, error, target))
}

/// Checks that no other key has the ID of the key to create. Such keys could not be distinguished:
/// a certificate and a public key belong to the private key with the same ID.
fn check_id(session: &Session, token: &str, target: &Target) -> Result<(), Failure> {
    let Some(id) = &target.uri.id else { return Ok(()) };
    for class in [CKO_PRIVATE_KEY, CKO_PUBLIC_KEY] {
        let same = [Attribute::number(CKA_CLASS, class), Attribute(CKA_ID, id.clone())];
        let same = listed(session, &same)?;
        if !same.is_empty() {
            return Err(failure::id_taken(token, target, &same));
        }
    }
    Ok(())
}

/// Lists the keys with these attributes, in the form of attributes of a URI.
fn listed(session: &Session, wanted: &[Attribute]) -> Result<Vec<String>, Failure> {
    let keys = session.find(wanted, MOST_LISTED)?;
    let shown = |key| {
        let attribute = |name: &str, kind| {
            let value = session.attribute(key, kind)?;
            Some(format!("{name}={}", percent_encode(&value, UNRESERVED)))
        };
        let parts = [attribute("object", CKA_LABEL), attribute("id", CKA_ID)];
        parts.into_iter().flatten().collect::<Vec<_>>().join(";")
    };
    Ok(keys.into_iter().map(shown).collect())
}
