//! The calls into a module, with the declarations of `cryptoki-sys`.
#![allow(unsafe_code)] // calls into a C library

use std::ffi::c_void;
use std::path::Path;
use std::ptr::null_mut;

use cryptoki_sys::*;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// A call that failed: its name and the return value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed {
    pub(super) function: &'static str,
    pub(super) code: CK_RV,
}

/// Why a module cannot be used.
pub(super) enum LoadError {
    /// The system cannot load the module.
    Library(libloading::Error),
    /// The library is not a PKCS#11 module.
    NotAModule,
    /// The module could not be initialized.
    Initialize(Failed),
}

/// An attribute of an object, for a template.
pub(super) struct Attribute(pub(super) CK_ATTRIBUTE_TYPE, pub(super) Vec<u8>);

impl Attribute {
    /// An attribute that is a number.
    pub(super) fn number(kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Attribute {
        Attribute(kind, value.to_ne_bytes().to_vec())
    }

    /// An attribute that is true or false.
    pub(super) fn flag(kind: CK_ATTRIBUTE_TYPE, value: bool) -> Attribute {
        Attribute(kind, vec![if value { CK_TRUE } else { CK_FALSE }])
    }
}

/// A module that is loaded and initialized. It stays loaded until the process ends, because its
/// threads may still run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Module(&'static CK_FUNCTION_LIST);

/// Calls a function of the module. Pointers in the arguments must be valid for the call, and lengths
/// must be those of what they point to.
macro_rules! call {
    ($module:expr, $function:ident($($argument:expr),* $(,)?)) => {{
        let code = match $module.0.$function {
            // SAFETY: the callers in this file keep to the rule above; the module copies what it
            // needs later.
            Some(function) => unsafe { function($($argument),*) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        };
        check(stringify!($function), code)
    }};
}

fn check(function: &'static str, code: CK_RV) -> Result<(), Failed> {
    if code == CKR_OK { Ok(()) } else { Err(Failed { function, code }) }
}

impl Module {
    /// Loads a module. A name without a slash is searched for where the system has its libraries.
    pub(super) fn load(path: &Path) -> Result<Module, LoadError> {
        // SAFETY: the code that runs on loading is that of the module which the user chose.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(LoadError::Library)?;
        let mut list: CK_FUNCTION_LIST_PTR = null_mut();
        // SAFETY: every module has this function with this type; `list` outlives the call.
        let code = unsafe {
            let get = library
                .get::<unsafe extern "C" fn(*mut CK_FUNCTION_LIST_PTR) -> CK_RV>(
                    b"C_GetFunctionList\0",
                )
                .map_err(|_| LoadError::NotAModule)?;
            get(&mut list)
        };
        std::mem::forget(library);
        check("C_GetFunctionList", code).map_err(LoadError::Initialize)?;
        // SAFETY: the list is null or valid as long as the module is loaded, which is forever.
        let module = unsafe { list.as_ref() }.map(Module).ok_or(LoadError::NotAModule)?;
        let mut arguments =
            CK_C_INITIALIZE_ARGS { flags: CKF_OS_LOCKING_OK, ..CK_C_INITIALIZE_ARGS::default() };
        match call!(module, C_Initialize((&raw mut arguments).cast())) {
            Ok(()) | Err(Failed { code: CKR_CRYPTOKI_ALREADY_INITIALIZED, .. }) => Ok(module),
            Err(failed) => Err(LoadError::Initialize(failed)),
        }
    }

    /// The slots with a token.
    pub(super) fn slots(self) -> Result<Vec<CK_SLOT_ID>, Failed> {
        // A token may be inserted between the two calls.
        for _ in 0..3 {
            let mut count = 0;
            call!(self, C_GetSlotList(CK_TRUE, null_mut(), &mut count))?;
            let mut slots = vec![0; count as usize];
            match call!(self, C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &mut count)) {
                Err(Failed { code: CKR_BUFFER_TOO_SMALL, .. }) => {}
                result => {
                    slots.truncate(count as usize);
                    return result.map(|()| slots);
                }
            }
        }
        Ok(Vec::new())
    }

    /// The information that a token provides about itself.
    pub(super) fn token_info(self, slot: CK_SLOT_ID) -> Result<CK_TOKEN_INFO, Failed> {
        let mut info = CK_TOKEN_INFO::default();
        call!(self, C_GetTokenInfo(slot, &mut info))?;
        Ok(info)
    }

    /// The mechanisms that a token supports.
    pub(super) fn mechanisms(self, slot: CK_SLOT_ID) -> Result<Vec<CK_MECHANISM_TYPE>, Failed> {
        let mut count = 0;
        call!(self, C_GetMechanismList(slot, null_mut(), &mut count))?;
        let mut mechanisms = vec![0; count as usize];
        call!(self, C_GetMechanismList(slot, mechanisms.as_mut_ptr(), &mut count))?;
        mechanisms.truncate(count as usize);
        Ok(mechanisms)
    }

    /// Opens a session with a token.
    pub(super) fn open_session(self, slot: CK_SLOT_ID, writes: bool) -> Result<Session, Failed> {
        let flags = CKF_SERIAL_SESSION | if writes { CKF_RW_SESSION } else { 0 };
        let mut handle = 0;
        call!(self, C_OpenSession(slot, flags, null_mut(), None, &mut handle))?;
        Ok(Session { module: self, handle })
    }
}

/// A session with a token, which is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Session {
    module: Module,
    handle: CK_SESSION_HANDLE,
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = call!(self.module, C_CloseSession(self.handle));
    }
}

impl Session {
    /// Logs in as `user`. Without a PIN, the reader asks for the PIN on its own keypad.
    pub(super) fn login(&self, user: CK_USER_TYPE, pin: Option<&[u8]>) -> Result<(), Failed> {
        let (text, length) = match pin {
            Some(pin) => (pin.as_ptr().cast_mut(), pin.len() as CK_ULONG), // only read
            None => (null_mut(), 0),
        };
        match call!(self.module, C_Login(self.handle, user, text, length)) {
            Err(Failed { code: CKR_USER_ALREADY_LOGGED_IN, .. }) => Ok(()),
            result => result,
        }
    }

    /// Finds at most `most` objects with these attributes.
    pub(super) fn find(
        &self,
        wanted: &[Attribute],
        most: usize,
    ) -> Result<Vec<CK_OBJECT_HANDLE>, Failed> {
        let mut template = template(wanted);
        let length = template.len() as CK_ULONG;
        call!(self.module, C_FindObjectsInit(self.handle, template.as_mut_ptr(), length))?;
        let mut found = vec![0; most];
        let mut filled = 0;
        // Some modules return one object for each call.
        let result = loop {
            let rest = found.get_mut(filled..).unwrap_or_default();
            let mut count = 0;
            let result = call!(
                self.module,
                C_FindObjects(self.handle, rest.as_mut_ptr(), rest.len() as CK_ULONG, &mut count)
            );
            filled += count as usize;
            if result.is_err() || count == 0 || filled >= most {
                break result;
            }
        };
        call!(self.module, C_FindObjectsFinal(self.handle))?;
        found.truncate(filled);
        result.map(|()| found)
    }

    /// The value of an attribute; `None` if the object does not have or does not show it.
    pub(super) fn attribute(
        &self,
        object: CK_OBJECT_HANDLE,
        kind: CK_ATTRIBUTE_TYPE,
    ) -> Option<Vec<u8>> {
        let mut attribute = CK_ATTRIBUTE { type_: kind, pValue: null_mut(), ulValueLen: 0 };
        call!(self.module, C_GetAttributeValue(self.handle, object, &mut attribute, 1)).ok()?;
        let is_known = attribute.ulValueLen != CK_UNAVAILABLE_INFORMATION;
        let mut value = vec![0_u8; if is_known { attribute.ulValueLen as usize } else { 0 }];
        attribute.pValue = value.as_mut_ptr().cast();
        call!(self.module, C_GetAttributeValue(self.handle, object, &mut attribute, 1)).ok()?;
        value.truncate(attribute.ulValueLen as usize);
        Some(value).filter(|value| !value.is_empty())
    }

    /// Signs data. `before` runs between `C_SignInit` and `C_Sign`.
    pub(super) fn sign(
        &self,
        key: CK_OBJECT_HANDLE,
        (mechanism, parameter): (CK_MECHANISM_TYPE, Option<CK_RSA_PKCS_PSS_PARAMS>),
        data: &[u8],
        before: impl FnOnce() -> Result<(), Failed>,
    ) -> Result<Vec<u8>, Failed> {
        let mut parameter = parameter;
        let mut mechanism = CK_MECHANISM {
            mechanism,
            pParameter: parameter.as_mut().map_or(null_mut(), |it| (&raw mut *it).cast::<c_void>()),
            ulParameterLen: parameter.map_or(0, |it| size_of_val(&it)) as CK_ULONG,
        };
        call!(self.module, C_SignInit(self.handle, &mut mechanism, key))?;
        before()?;
        let mut signature = vec![0; 2048];
        let mut length = signature.len() as CK_ULONG;
        let (data, size) = (data.as_ptr().cast_mut(), data.len() as CK_ULONG); // only read
        call!(self.module, C_Sign(self.handle, data, size, signature.as_mut_ptr(), &mut length))?;
        signature.truncate(length as usize);
        Ok(signature)
    }

    /// Generates a key pair in the token.
    pub(super) fn generate(
        &self,
        mechanism: CK_MECHANISM_TYPE,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<CK_OBJECT_HANDLE, Failed> {
        let mut mechanism = CK_MECHANISM { mechanism, pParameter: null_mut(), ulParameterLen: 0 };
        let (mut public, mut private) = (template(public), template(private));
        let (mut of_public, mut of_private) = (0, 0);
        call!(
            self.module,
            C_GenerateKeyPair(
                self.handle,
                &mut mechanism,
                public.as_mut_ptr(),
                public.len() as CK_ULONG,
                private.as_mut_ptr(),
                private.len() as CK_ULONG,
                &mut of_public,
                &mut of_private,
            )
        )?;
        Ok(of_private)
    }
}

/// The template for a call that reads the values and never writes through the pointers.
fn template(attributes: &[Attribute]) -> Vec<CK_ATTRIBUTE> {
    let attribute = |Attribute(kind, value): &Attribute| CK_ATTRIBUTE {
        type_: *kind,
        pValue: value.as_ptr().cast_mut().cast(),
        ulValueLen: value.len() as CK_ULONG,
    };
    attributes.iter().map(attribute).collect()
}
