//! The token of a URI, and the login.

use std::sync::{Mutex, PoisonError};

use cryptoki_sys::*;
use percent_encoding::utf8_percent_encode;

use super::calls::{Failed, Module, Session};
use super::failure::{self, Failure};
use super::target::Target;
use crate::options::Pkcs11Uri;
use crate::redaction::UNRESERVED;
use crate::secret::Secret;

/// The PINs that tokens have refused in this process, also because of their length. The keys of a token
/// share them.
static REFUSED: Mutex<Vec<(String, Secret)>> = Mutex::new(Vec::new());

/// A token in its slot.
pub(super) struct Slot {
    module: Module,
    pub(super) id: CK_SLOT_ID,
    info: CK_TOKEN_INFO,
}

impl Slot {
    /// Selects the only token that matches the URI.
    pub(super) fn select(module: Module, target: &Target) -> Result<Slot, Failure> {
        let mut slots = Vec::new();
        for id in module.slots()? {
            // A token that was just removed, or that is not initialized, is left out.
            let info = module.token_info(id).ok();
            let info = info.filter(|info| info.flags & CKF_TOKEN_INITIALIZED != 0);
            slots.extend(info.map(|info| Slot { module, id, info }));
        }
        let labels = slots.iter().map(|slot| format!("\"{}\"", slot.label()));
        let labels: Vec<String> = labels.collect();
        slots.retain(|slot| slot.is_selected_by(&target.uri));
        match (slots.pop(), slots.is_empty()) {
            (Some(slot), true) => Ok(slot),
            (None, _) => Err(failure::no_token(target, &labels)),
            (Some(last), false) => {
                slots.push(last);
                Err(failure::several_tokens(
                    target,
                    &slots.iter().map(Slot::serial).collect::<Vec<_>>(),
                ))
            }
        }
    }

    /// Whether the URI selects this token. Whole values are compared. An attribute that cannot be
    /// compared selects no token.
    fn is_selected_by(&self, uri: &Pkcs11Uri) -> bool {
        uri.token.iter().all(|(name, value)| match *name {
            "token" => self.label() == *value,
            "manufacturer" => text(&self.info.manufacturerID) == *value,
            "serial" => text(&self.info.serialNumber) == *value,
            "model" => text(&self.info.model) == *value,
            "slot-id" => self.id.to_string() == *value,
            _ => false,
        })
    }

    pub(super) fn label(&self) -> String {
        text(&self.info.label)
    }

    fn serial(&self) -> String {
        let encoded = |text: String| utf8_percent_encode(&text, UNRESERVED).to_string();
        let (token, serial) = (encoded(self.label()), encoded(text(&self.info.serialNumber)));
        format!("token={token};serial={serial}")
    }

    /// Logs in, if the token requires it. Returns false if there is no PIN and no other way to
    /// enter one.
    ///
    /// A token locks itself after a few wrong PINs. A PIN that it has refused in this process is not sent
    /// again. No PIN is sent if the next wrong one would lock the token. A correct PIN uses up no attempt,
    /// so a session that is opened again after a failure sends it again.
    pub(super) fn log_in(&self, session: &Session, target: &Target) -> Result<bool, Failure> {
        let has = |flag| self.info.flags & flag != 0;
        if !has(CKF_LOGIN_REQUIRED) {
            return Ok(true);
        }
        let pin = target.pin.as_ref();
        if pin.is_none() && !has(CKF_PROTECTED_AUTHENTICATION_PATH) {
            return Ok(false);
        }
        if has(CKF_USER_PIN_LOCKED) {
            return Err(failure::locked(&self.label()));
        }
        if has(CKF_USER_PIN_FINAL_TRY) {
            return Err(failure::final_try(&self.label()));
        }
        if has(CKF_USER_PIN_TO_BE_CHANGED) {
            return Err(failure::expired(&self.label()));
        }
        if pin.is_some_and(|pin| self.has_refused(pin)) {
            return Err(failure::wrong_pin(&self.label(), target, self.info.flags));
        }
        match session.login(CKU_USER, pin.map(|pin| pin.expose().as_bytes())) {
            Ok(()) => Ok(true),
            Err(Failed { code: CKR_PIN_INCORRECT, .. }) => {
                self.note_refused(pin);
                let flags = self.module.token_info(self.id).map_or(0, |info| info.flags);
                Err(failure::wrong_pin(&self.label(), target, flags))
            }
            Err(failed @ Failed { code: CKR_PIN_INVALID | CKR_PIN_LEN_RANGE, .. }) => {
                self.note_refused(pin);
                Err(failed.into())
            }
            Err(Failed { code: CKR_PIN_LOCKED, .. }) => Err(failure::locked(&self.label())),
            Err(Failed { code: CKR_PIN_EXPIRED, .. }) => Err(failure::expired(&self.label())),
            Err(failed) => Err(failed.into()),
        }
    }

    fn has_refused(&self, pin: &Secret) -> bool {
        let token = self.serial();
        let refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
        refused.iter().any(|(of, it)| *of == token && it.expose() == pin.expose())
    }

    fn note_refused(&self, pin: Option<&Secret>) {
        let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
        refused.extend(pin.map(|pin| (self.serial(), pin.clone())));
    }

    pub(super) fn open_session(&self, writes: bool) -> Result<Session, Failed> {
        self.module.open_session(self.id, writes)
    }

    pub(super) fn mechanisms(&self) -> Result<Vec<CK_MECHANISM_TYPE>, Failed> {
        self.module.mechanisms(self.id)
    }
}

/// The text in a field that is padded with spaces or NUL characters.
fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field).trim_end_matches([' ', '\0']).to_owned()
}
