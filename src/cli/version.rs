//! What `--version` prints. The first line is for scripts, the others are for bug reports.

pub(super) fn text() -> String {
    format!(
        "wif-token {}\ncommit: {}\ntarget: {}\nfeatures: {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("WIF_TOKEN_COMMIT"),
        env!("WIF_TOKEN_TARGET"),
        features().collect::<Vec<_>>().join(", "),
    )
}

/// The features that depend on the target and on the C library.
fn features() -> impl Iterator<Item = &'static str> {
    let is_static = cfg!(all(unix, target_feature = "crt-static"));
    let is_dynamic = cfg!(unix) && !is_static;
    let all = [
        ("Kerberos", is_dynamic || cfg!(windows)),
        ("PKCS#11", is_dynamic),
        ("Windows certificate store", cfg!(windows)),
        ("static", is_static),
    ];
    all.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| name)
}
