//! The source `vault`: a variable that contains a line break, which a file of variables cannot express.
//! The other cases are in `tests/scenarios/vault` and `tests/transcripts/vault.txt`.

mod common;

use common::World;
use common::server::Server;

#[test]
fn a_vault_token_with_a_line_break_is_not_sent() {
    let server = Server::text("200 OK", "text/plain", "");
    let token = ("VAULT_TOKEN", "hunter2-bearer\nX-Evil: 1");
    let run = World::new().run_with(&format!("vault --role=r --address={}", server.url), &[token]);
    assert_eq!((run.status, server.count()), (3, 0), "{run:?}");
    assert!(run.stderr.contains(r#""X-Vault-Token""#), "{run:?}");
}
