//! What a shell block runs: the program, a few unchanged tools, and stubs of all other commands.

/// Tools that are run.
pub(crate) const REAL: &str = "cat mkdir chmod rm cp mv ln ls sed tr head tail sort date sleep touch \
    mktemp dirname basename id uname env grep cut wc tee true base64";

/// Administrator commands, which are replaced by stubs. `tests/real/test_documents.py` parses the
/// gcloud commands with gcloud's own parser.
pub(crate) const STUBS: &str = "gcloud gsutil bq terraform aws az kubectl helm vault bao docker podman \
    skopeo apt apt-get dnf yum zypper rpm dpkg tar install sha256sum curl openssl jq systemctl \
    systemd-run journalctl loginctl useradd usermod chown setfacl kinit klist kdestroy kvno ktutil \
    msktutil adcli realm net dig nslookup chronyc timedatectl git gh glab rustup op oc eksctl \
    buildkite-agent circleci spire-server nomad python3 pip uv cargo node npm dotnet java go diff unzip file \
    sudo update-ca-certificates update-ca-trust ssh scp pytest pkcs11-tool tpm2_ptool ykman man brew gpg \
    cosign nix-env makepkg";

/// The statements of a Windows block that run the program, for a POSIX shell.
pub(crate) fn of_windows(text: &str) -> Vec<String> {
    let joined = text.replace("`\n", " ").replace("^\n", " ");
    let lines = joined.lines().map(|line| line.trim().trim_start_matches("& "));
    let ours = lines.filter(|line| {
        let word = line.split(' ').next().unwrap_or("").to_lowercase().replace('\\', "/");
        word.trim_matches('"') == "wif-token" || word.trim_matches('"').ends_with("/wif-token.exe")
    });
    ours.map(|line| {
        let line = line.split(" | ").next().unwrap_or(line).replace('\\', "/");
        line.replace("$env:", "$").replace("C:/", "/C/").replace("D:/", "/D/")
    })
    .collect()
}

#[test]
fn windows_lines_become_shell_lines() {
    let text =
        "Get-X\nC:\\wif-token\\wif-token.exe check `\n  --offline | Out-Null\nwif-token help";
    assert_eq!(
        of_windows(text),
        ["/C/wif-token/wif-token.exe check    --offline", "wif-token help"]
    );
}
