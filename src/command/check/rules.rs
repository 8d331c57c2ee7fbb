//! What a relying party can publish about the tokens that it accepts.

/// The rules of one relying party.
#[derive(Debug)]
pub(super) struct Rules {
    /// The name of the relying party in messages.
    pub(super) name: &'static str,
    /// The JWS algorithms that it accepts; empty if they are not published.
    pub(super) algorithms: &'static [&'static str],
    /// Whether it may accept other algorithms, although it does not support them.
    pub(super) may_accept_others: bool,
    /// The only algorithm that it accepts by default, and how to allow another one, as an imperative.
    pub(super) by_default: Option<(&'static str, &'static str)>,
    /// Whether the header must name the key (`kid`).
    pub(super) requires_key_id: bool,
    /// The claims that must exist, in addition to `iss`, `aud` and `exp`.
    pub(super) claims: &'static [&'static str],
    /// Whether times must be whole numbers.
    pub(super) whole_seconds: bool,
    /// How far in the future `iat` and `nbf` may be, in seconds.
    pub(super) skew: Skew,
    /// The longest lifetime, from `iat` to `exp`.
    pub(super) lifetime: Option<Lifetime>,
    /// The setting that allows a token with a `jti` to be used again.
    pub(super) single_use: Option<&'static str>,
    /// The maximum lengths of values, in characters. The name is that of a claim, or `token`.
    pub(super) longest: &'static [(&'static str, usize)],
    /// Whether it accepts only tokens with an issuer URL.
    pub(super) requires_issuer: bool,
    /// Whether it reads the keys of an issuer over the internet.
    pub(super) is_public: bool,
    /// Whether the issuer URL can have a port.
    pub(super) issuer_port: bool,
    /// The audience that it expects by default.
    pub(super) audience: Option<&'static str>,
    /// The audiences that its national clouds expect instead.
    pub(super) national_clouds: &'static [&'static str],
    /// Whether every audience of a token must be one that it accepts. Otherwise, one of them is
    /// enough.
    pub(super) every_audience: bool,
    /// Whether it uses the `azp` of a token, if there is one, instead of the `aud`.
    pub(super) prefers_azp: bool,
    /// Its settings that the token must match.
    pub(super) settings: Settings,
}

/// How far in the future the time claims may be, in seconds.
#[derive(Debug)]
pub(super) struct Skew {
    pub(super) iat: i64,
    pub(super) nbf: i64,
}

/// A limit on the lifetime of tokens, in seconds.
#[derive(Debug)]
pub(super) struct Lifetime {
    pub(super) default: i64,
    /// The highest value of the setting.
    pub(super) highest: i64,
    /// The setting that raises the limit; empty if there is none.
    pub(super) setting: &'static str,
}

/// The names of settings of a relying party, as noun phrases for messages.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) issuer: &'static str,
    pub(super) audience: &'static str,
    /// How to upload the keys of an issuer that cannot be reached, as an imperative; empty if the issuer must
    /// be reachable.
    pub(super) keys: &'static str,
}

/// The rules of a relying party that does not publish any. Clocks may differ by a minute.
pub(super) const UNPUBLISHED: Rules = Rules {
    name: "",
    algorithms: &[],
    may_accept_others: false,
    by_default: None,
    requires_key_id: false,
    claims: &["sub"],
    whole_seconds: false,
    skew: Skew { iat: 60, nbf: 60 },
    lifetime: None,
    single_use: None,
    longest: &[],
    requires_issuer: true,
    is_public: true,
    issuer_port: true,
    audience: None,
    national_clouds: &[],
    every_audience: false,
    prefers_azp: false,
    settings: Settings { issuer: "", audience: "", keys: "" },
};
