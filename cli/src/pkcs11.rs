//! Keys that stay in a PKCS#11 token: a hardware security module, a smart card, SoftHSM.
//!
//! Named by RFC 7512 URIs. The token computes; what comes out is an HMAC, never the key. The maker's module is loaded
//! into this process and trusted as this program is. Deliberately absent: a PIN in a URI, which would stand in settings.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use layerlock_device::keys::Token;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::files;

/// Bytes of a key that is made here, and of an HMAC-SHA256.
const LENGTH: usize = 32;

/// Where a token's key is and how it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// The URI, as it was written.
    uri: String,
    module: PathBuf,
    token: Vec<u8>,
    object: Vec<u8>,
    pin: PinSource,
}

/// Where the user's PIN is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PinSource {
    /// In this file, alone on its first line.
    File(PathBuf),
    /// In this environment variable.
    Environment(String),
}

/// Why a token's key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a URI of this kind.
    #[error(
        "`{uri}` names no key in a token: {why}; write \
         pkcs11:token=NAME;object=LABEL?module-path=/path/of/module.so&pin-source=file:/path/of/pin"
    )]
    Uri {
        /// As it was written.
        uri: String,
        /// What is wrong.
        why: String,
    },
    /// The PIN can't be read.
    #[error("the PIN of `{uri}`: {why}")]
    Pin {
        /// Which key.
        uri: String,
        /// What is wrong.
        why: String,
    },
    /// The token, or its module, says no.
    #[error("`{uri}`: {doing}: {source}")]
    Token {
        /// Which key.
        uri: String,
        /// At what.
        doing: &'static str,
        /// What the module said.
        source: Error,
    },
    /// What was looked for is not there, or is there twice.
    #[error("`{uri}`: {why}")]
    Found {
        /// Which key.
        uri: String,
        /// What is wrong, and the mend.
        why: &'static str,
    },
}

impl FromStr for TokenKey {
    type Err = TokenError;

    fn from_str(uri: &str) -> Result<Self, TokenError> {
        let wrong = |why: String| TokenError::Uri { uri: uri.to_owned(), why };
        let said = pk11_uri_parser::parse(uri).map_err(|error| wrong(error.to_string()))?;
        if said.pin_value().is_some() {
            return Err(wrong("a PIN doesn't belong in settings".to_owned()));
        }
        let part = |name: &str, value: Option<&str>| {
            let value = value.filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| wrong(format!("`{name}` is missing")))?;
            Ok::<_, TokenError>(percent_decode_str(value).collect::<Vec<u8>>())
        };
        let text = |name: &str, value: Option<&str>| {
            String::from_utf8(part(name, value)?).map_err(|_| wrong(format!("`{name}` is not text")))
        };
        let pin = text("pin-source", said.pin_source())?;
        Ok(Self {
            uri: uri.to_owned(),
            module: text("module-path", said.module_path())?.into(),
            token: part("token", said.token())?,
            object: part("object", said.object())?,
            pin: match pin.split_once(':') {
                Some(("file", path)) => PinSource::File(path.trim_start_matches("//").into()),
                Some(("env", name)) => PinSource::Environment(name.to_owned()),
                Some(_) | None => {
                    return Err(wrong("`pin-source` is neither `file:` nor `env:`".to_owned()));
                }
            },
        })
    }
}

impl TokenKey {
    /// The URI, as it was written.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// HMAC-SHA256 of `message` under the key, computed in the token.
    ///
    /// # Errors
    /// [`TokenError`], naming the key and what to do.
    pub fn hmac(&self, message: &[u8]) -> Result<Zeroizing<[u8; LENGTH]>, TokenError> {
        let module = self.module()?;
        let session = self.session(&module)?;
        let key = self.find(&session)?;
        self.judge(&session, key)?;
        let mac = session.sign(&Mechanism::Sha256Hmac, key, message);
        let mac = Zeroizing::new(mac.map_err(self.at("computing an HMAC-SHA256"))?);
        let short = self.found("the token's HMAC is not of 32 bytes: its module does not do SHA-256");
        mac.as_slice().try_into().map(Zeroizing::new).map_err(|_| short)
    }

    /// Makes the key in the token: one that computes there and never leaves.
    ///
    /// # Errors
    /// [`TokenError`]; a key of this label that is there already stays as it is.
    pub fn make(&self) -> Result<(), TokenError> {
        let module = self.module()?;
        let session = self.session(&module)?;
        if self.is_there(&session)? {
            return Err(self.found("an object of this label is there already: choose another one"));
        }
        self.generate(&session)
    }

    /// Makes the key in the token if it is not there.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn make_unless_there(&self) -> Result<(), TokenError> {
        let module = self.module()?;
        let session = self.session(&module)?;
        if self.is_there(&session)? { Ok(()) } else { self.generate(&session) }
    }

    fn is_there(&self, session: &Session) -> Result<bool, TokenError> {
        let found = session.find_objects(&self.template()).map_err(self.at("looking for the key"))?;
        Ok(!found.is_empty())
    }

    fn generate(&self, session: &Session) -> Result<(), TokenError> {
        let mut template = self.template();
        template.extend([
            Attribute::KeyType(KeyType::GENERIC_SECRET),
            Attribute::ValueLen((LENGTH as u64).into()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ]);
        let made = session.generate_key(&Mechanism::GenericSecretKeyGen, &template);
        made.map(drop).map_err(self.at("making the key"))
    }

    fn module(&self) -> Result<Pkcs11, TokenError> {
        let module = Pkcs11::new(&self.module).map_err(self.at("loading its module"))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another key of this process lies in the same module.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(module),
            Err(error) => Err(self.at("starting its module")(error)),
        }
    }

    fn session(&self, module: &Pkcs11) -> Result<Session, TokenError> {
        let pin = AuthPin::new(self.pin()?.into());
        let session = module.open_rw_session(self.slot(module)?).map_err(self.at("opening a session"))?;
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(self.at("logging in")(error)),
        }
    }

    fn slot(&self, module: &Pkcs11) -> Result<Slot, TokenError> {
        let slots = module.get_slots_with_token().map_err(self.at("listing tokens"))?;
        let named = |slot: &Slot| {
            let token = module.get_token_info(*slot);
            token.is_ok_and(|token| token.label().as_bytes() == self.token)
        };
        let mut slots = slots.into_iter().filter(named);
        match (slots.next(), slots.next()) {
            (Some(slot), None) => Ok(slot),
            (None, _) => Err(self.found("no token of that name is there: put it in, or mend `token`")),
            (Some(_), Some(_)) => Err(self.found("two tokens have that name: rename one")),
        }
    }

    fn find(&self, session: &Session) -> Result<ObjectHandle, TokenError> {
        let found = session.find_objects(&self.template()).map_err(self.at("looking for the key"))?;
        match found[..] {
            [key] => Ok(key),
            [] => {
                Err(self.found(
                    "no secret key of that label is there: mend `object`, or make it (a vault's with `layerlock operator \
                     kek new`, a device's by enrolling)",
                ))
            }
            _ => Err(self.found("two secret keys have that label: rename one")),
        }
    }

    /// A key that can be read out of its token is as good as a file, and nobody would expect it.
    fn judge(&self, session: &Session, key: ObjectHandle) -> Result<(), TokenError> {
        let wanted = [AttributeType::Sensitive, AttributeType::Extractable];
        let said = session.get_attributes(key, &wanted).map_err(self.at("reading what the key may do"))?;
        if said.contains(&Attribute::Sensitive(true)) && said.contains(&Attribute::Extractable(false)) {
            return Ok(());
        }
        Err(self.found(
            "the key can be read out of its token: use one that is sensitive and not extractable, as this \
             program makes it",
        ))
    }

    fn template(&self) -> Vec<Attribute> {
        vec![Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(self.object.clone())]
    }

    fn pin(&self) -> Result<String, TokenError> {
        let wrong = |why: String| TokenError::Pin { uri: self.uri.clone(), why };
        match &self.pin {
            PinSource::File(path) => first_line(path).map_err(|error| wrong(error.to_string())),
            PinSource::Environment(name) => {
                std::env::var(name).map_err(|error| wrong(format!("the variable {name}: {error}")))
            }
        }
    }

    fn at(&self, doing: &'static str) -> impl Fn(Error) -> TokenError {
        let uri = self.uri.clone();
        move |source| TokenError::Token { uri: uri.clone(), doing, source }
    }

    fn found(&self, why: &'static str) -> TokenError {
        TokenError::Found { uri: self.uri.clone(), why }
    }
}

/// Every token of this computer, for devices whose keys name one.
#[derive(Debug, Clone, Copy)]
pub struct Tokens;

impl Token for Tokens {
    fn hmac(&self, name: &str, message: &[u8]) -> Result<Zeroizing<[u8; LENGTH]>, String> {
        let key: TokenKey = name.parse().map_err(|error: TokenError| error.to_string())?;
        key.hmac(message).map_err(|error| error.to_string())
    }
}

fn first_line(path: &Path) -> std::io::Result<String> {
    let text = String::from_utf8(files::read(path)?).unwrap_or_default();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_as_rfc_7512_has_it() {
        let uri =
            "pkcs11:token=vault%20one;object=kek-2026?module-path=/usr/lib/m.so&pin-source=file:/run/pin";
        let key: TokenKey = uri.parse().expect("a whole URI");
        assert_eq!((&*key.token, &*key.object), (&b"vault one"[..], &b"kek-2026"[..]));
        assert_eq!(
            (key.module, key.pin),
            (PathBuf::from("/usr/lib/m.so"), PinSource::File("/run/pin".into()))
        );
    }

    #[test]
    fn a_uri_that_lacks_something_or_holds_a_pin_says_which() {
        for (uri, lack) in [
            ("pkcs11:object=a?module-path=/m.so&pin-source=env:PIN", "`token`"),
            ("pkcs11:token=a?module-path=/m.so&pin-source=env:PIN", "`object`"),
            ("pkcs11:token=a;object=b?pin-source=env:PIN", "`module-path`"),
            ("pkcs11:token=a;object=b?module-path=/m.so", "`pin-source`"),
            ("pkcs11:token=a;object=b?module-path=/m.so&pin-source=1234", "neither `file:` nor `env:`"),
            ("pkcs11:token=a;object=b?module-path=/m.so&pin-value=1234", "doesn't belong"),
        ] {
            let error = uri.parse::<TokenKey>().expect_err(uri).to_string();
            assert!(error.contains(lack), "{error}");
        }
    }
}
