//! `serve`: a metadata server that runs until a signal stops it, for containers and services.
//!
//! Clients find it through `GCE_METADATA_HOST`, and read a subject token from `/subject-token` with
//! `credential_source.url`. <https://cloud.google.com/compute/docs/metadata/overview>

use std::net::SocketAddr;
use std::time::Duration;

use super::{After, CommandInfo, Invocation, serving};
use crate::client::credentials::CredentialOptions;
use crate::configuration::search::METADATA_HOST;
use crate::context::Context;
use crate::contract::exit::Output;
use crate::error::{Error, Kind};
use crate::files::MORE_FILES;
use crate::http::Url;
use crate::options::SecretRef;
use crate::program;
use crate::server::{AllowedUsers, Listener, Server, Waker, Woken};
use crate::world::Deadline;

options! {
    /// Options of `serve`.
    struct Options {
        /// address to listen on: 127.0.0.1:PORT, [::1]:PORT or unix:PATH (default: the socket that
        /// systemd passes; on Windows, a loopback address is required)
        listen: Option<String> = "--listen=ADDRESS",
        /// secret that a client must send to get the subject token
        token: Option<SecretRef> = "--token",
        /// numeric ID of another user who may connect (not on Windows)
        allow_uid: Vec<String> = "--allow-uid=NUMBER",
    }
}

pub(super) const INFO: CommandInfo = CommandInfo {
    name: "serve",
    summary: "run a metadata server for clients on this host",
    options: &[CredentialOptions::TABLE, Options::TABLE, serving::Options::TABLE],
    after: After::Options,
    own_source: None,
    rest: None,
    example: "wif-token serve --listen=127.0.0.1:8080 --credentials=credentials.json",
    also: &[],
    run,
};

fn run(invocation: &Invocation, cx: &Context) -> Result<Output, Error> {
    let options = Options::read(&invocation.values)?;
    let passed = options.listen.is_none().then(|| Listener::from_systemd(&cx.env)).transpose()?;
    let own = match &passed {
        Some(listener) => listener.address(),
        None => options.listen.as_ref().and_then(|address| address.parse().ok()),
    };
    let mut settings = serving::settings(invocation, own, &without_own_address(own, cx)?)?;
    settings.secret = match &options.token {
        None => None,
        Some(token) => Some(token.read("--token", cx)?),
    };
    settings.users = AllowedUsers::new(&options.allow_uid)?;
    // From now on, a signal also removes the socket.
    let ended = ended_by_signal().map_err(|error| {
        Error::new(Kind::Configuration, "cannot install signal handlers")
            .cause(error)
            .fix(MORE_FILES)
    })?;
    let listener = match passed {
        Some(listener) => listener,
        None => Listener::at(options.listen.as_deref().unwrap_or_default())?,
    };
    invocation.exit.at_deadline(Deadline::after(FOREVER));
    let address = listener.address().map(|address| format!(" at {address}")).unwrap_or_default();
    let server = Server::new(settings, listener, ended)?;
    cx.log.line(format!("the metadata server is ready{address}"));
    server.run()?;
    cx.log.line("the metadata server has stopped");
    Ok(String::new().into())
}

/// The context without the variable that leads the clients of this host to this server. The server
/// gets its own tokens, such as those of the source `google`, from the metadata server of the host.
fn without_own_address(own: Option<SocketAddr>, cx: &Context) -> Result<Context, Error> {
    let is_own = cx.env.text(METADATA_HOST)?.zip(own).is_some_and(|(host, own)| {
        Url::parse(&format!("http://{host}")).is_ok_and(|url| url.is_at(own))
    });
    Ok(cx.narrowed(|world, _| {
        if is_own {
            world.env = world.env.clone().with(METADATA_HOST, "");
        }
    }))
}

/// Longer than any process runs.
pub(super) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Creates a socket that becomes readable when a signal or the console stops this process.
fn ended_by_signal() -> std::io::Result<Woken> {
    let (ended, end) = Waker::new()?;
    program::on_stop(move || end.wake())?;
    Ok(ended)
}
