//! Compares the output file of `keep` with the token that `keep` has written to it.

use serde_json::Value;

use super::destination::Destination;
use super::document::{self, Document};
use crate::files::ownership;
use crate::world::World;

/// What a run that has written a document to an output file finds in the file later.
#[derive(Debug)]
pub enum Found {
    /// The token of that run.
    Own,
    /// A usable token for the same request, which another run has written.
    Other(Document),
    /// A token for another request, which has not expired.
    Foreign,
    /// No usable token.
    Nothing,
}

impl Destination {
    /// Finds out what the file contains now. `own` is the document that this run has written to it.
    pub fn find(&self, own: &Document, world: &World) -> Found {
        let Some(file) = self.file() else { return Found::Own };
        let (bytes, now) = (ownership::read_trusted(file.path()), world.clock.now());
        let bytes = bytes.ok().flatten();
        let Some(text) = bytes.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok()) else {
            return Found::Nothing;
        };
        let token = own.token.expose();
        if text == token {
            return Found::Own;
        }
        // A part of the token, or the token and more, can have its claims without its signature.
        let is_damaged = |text: &str| token.starts_with(text) || text.starts_with(token);
        if is_damaged(text) {
            return Found::Nothing;
        }
        let (other, expiry) = match self.is_document() {
            true => {
                let value: Option<Value> = serde_json::from_str(text).ok();
                let expiry = value.as_ref().and_then(document::expiry);
                (file.fresh(world), expiry.or_else(|| own.expiry_of(text)))
            }
            false => (own.renewed(text, now), own.expiry_of(text)),
        };
        match other {
            Some(other) if other.token.expose() == token => Found::Own,
            Some(other) if is_damaged(other.token.expose()) => Found::Nothing,
            Some(other) => Found::Other(other),
            None if expiry.is_some_and(|expiry| expiry > now) => Found::Foreign,
            None => Found::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::CachedFile;
    use crate::contract::existing;
    use crate::files;
    use crate::secret::Secret;
    use crate::token::{SubjectToken, TokenType};
    use crate::world::{Clock, Deadline, Env, Log};

    fn jwt(audience: &str, life: i64, id: u8) -> String {
        use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
        let claims =
            json!({"iss": "i", "sub": "s", "aud": audience, "exp": Clock.now() + life, "jti": id});
        format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn document(text: &str) -> Document {
        let expiry = TokenType::Jwt.expiry(text);
        let token = SubjectToken { text: Secret::new(text), expiry };
        Document::new(token, TokenType::Jwt, Some(0), Clock.now()).unwrap()
    }

    /// Names what a run that wrote `own` finds if the file contains `content` later.
    fn found(destination: &Destination, own: &Document, content: &str) -> &'static str {
        let path = destination.file().unwrap().path();
        let _ = std::fs::remove_file(path);
        files::create_new(path, content.as_bytes()).unwrap();
        let (env, deadline) = (Env::Map([].into()), Deadline::after(std::time::Duration::MAX / 4));
        let world = World { env, clock: Clock, deadline, log: Log::open(None, Clock) };
        match destination.find(own, &world) {
            Found::Own => "own",
            Found::Other(_) => "other",
            Found::Foreign => "foreign",
            Found::Nothing => "nothing",
        }
    }

    #[test]
    fn tokens_are_told_apart_by_their_request_and_expiry() {
        use crate::cache::Cached as _;
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, is_ours| {
            CachedFile::new(dir.path().join(name), "--output-file", "d".to_owned(), is_ours)
        };
        let bare = Destination::BareFile(file("bare", existing::is_token_file));
        let json = Destination::OutputFile(file("json", existing::is_document_file));
        let own = jwt("a", 600, 0);
        let document_of_own = document(&own);
        for (token, request, expected) in [
            (&*own, "d", "own"),
            (&jwt("a", 600, 1), "d", "other"),
            (&jwt("a", -1, 1), "d", "nothing"),
            (&jwt("b", 600, 1), "e", "foreign"),
            (&jwt("b", -1, 1), "e", "nothing"),
            (&own[..own.len() - 1], "d", "nothing"),
            (&format!("{own}{own}"), "d", "nothing"),
            ("", "d", "nothing"),
            ("a key", "d", "nothing"),
        ] {
            assert_eq!(found(&bare, &document_of_own, token), expected, "{token}");
            let expiry = TokenType::Jwt.expiry(token);
            let text = expiry.map_or_else(
                || token.to_owned(),
                |expiry| {
                    let text = document(&own).to_file(request).expose().replace(&own, token);
                    text.replace(&document(&own).expiration_time.to_string(), &expiry.to_string())
                },
            );
            assert_eq!(found(&json, &document_of_own, &text), expected, "{text}");
        }
    }

    #[test]
    fn the_token_of_another_run_gets_the_margin_of_this_one() {
        let mut own = document(&jwt("a", 600, 0));
        own.expiration_time -= 599;
        let other = own.renewed(&jwt("a", 3600, 1), Clock.now()).unwrap();
        assert!((3000..=3001).contains(&(other.expiration_time - Clock.now())), "{other:?}");
    }
}
