//! Which format a file has instead of the expected one, and the command that converts it.

/// Whether bytes are UTF-16 text with a byte order mark, as PowerShell and editors on Windows write
/// it.
pub fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// Describes bytes that are not UTF-8 text, and the fix, in which `FILE` stands for the path, and
/// `OPTION` for the option that contains it.
pub fn other_text(bytes: &[u8]) -> (&'static str, &'static str) {
    // DER (X.690): the start of the first element.
    let first = match bytes {
        [0x30, 0x82, _, _, first @ ..] | [0x30, 0x81, _, first @ ..] => first,
        [0x30, 0..=0x7f, first @ ..] if first.starts_with(&[0x02]) => first,
        _ => &[],
    };
    let first = first.get(..3).unwrap_or_default();
    match first {
        _ if is_utf16(bytes) => {
            ("is UTF-16 text, not UTF-8", "save FILE as UTF-8 without a byte order mark")
        }
        [0x02, 0x01, 0x03] => (
            "is a PFX (PKCS #12) file, not PEM",
            "run openssl pkcs12 -in FILE -nodes -out FILE.pem, and set OPTION to the new file",
        ),
        [0x02, ..] => (
            "is a key in DER format, not PEM",
            "run openssl pkey -inform DER -in FILE -out FILE.pem, and set OPTION to the new file",
        ),
        [0x30, ..] => (
            "is a certificate in DER format, not PEM",
            "run openssl x509 -inform DER -in FILE -out FILE.pem, and set OPTION to the new file",
        ),
        _ => ("is not UTF-8 text", "check OPTION"),
    }
}

/// Describes a text that is not an unencrypted private key in PEM format, and the fix, in which
/// `FILE` stands for the path, and `OPTION` for the option that contains it.
pub fn other_key(text: &str) -> Option<(&'static str, &'static str)> {
    let text = text.trim_start();
    Some(match text {
        _ if text.contains("ENCRYPTED") => (
            "it is encrypted",
            "decrypt it with openssl pkey -in FILE -out FILE.new, set the mode of the new file to \
             0600, and set OPTION to the new file",
        ),
        // The key type ssh-ed25519 in base64, as it is encoded in a key that is not encrypted.
        _ if text.contains("AAAAMwAAAAtzc2gtZW") => (
            "it is an Ed25519 key",
            "set OPTION to a file with an RSA key of 2048 to 4096 bits or a P-256 key",
        ),
        _ if text.contains("BEGIN OPENSSH PRIVATE KEY") => (
            "it is an OpenSSH key",
            "convert it with cp -p FILE FILE.new && ssh-keygen -p -m PKCS8 -N '' -f FILE.new, and set \
             OPTION to the new file",
        ),
        _ if text.starts_with("PuTTY-User-Key-File") => (
            "it is a PuTTY key",
            "convert it with puttygen FILE -O private-openssh -o FILE.new, and set OPTION to the new \
             file",
        ),
        _ if text.contains("PUBLIC KEY-----") || text.starts_with("ssh-") => {
            ("it is a public key", "set OPTION to the file with the private key")
        }
        _ if text.contains("BEGIN CERTIFICATE") && !text.contains("PRIVATE KEY") => (
            "it is only a certificate",
            "set OPTION to the file with its private key, which openssl pkcs12 -in CERTIFICATE.pfx \
             -nodes extracts from a PFX file",
        ),
        _ if text.contains("BEGIN DSA PRIVATE KEY") => (
            "it is a DSA key",
            "set OPTION to a file with an RSA key of 2048 to 4096 bits or a P-256 key",
        ),
        _ => return broken_pem(text),
    })
}

/// Describes a text in PEM format whose lines were changed, and the fix, with placeholders as in
/// [`other_key`].
fn broken_pem(text: &str) -> Option<(&'static str, &'static str)> {
    let text = text.trim();
    Some(match text {
        // "-----BEGIN " in base64
        _ if text.starts_with("LS0tLS1CRUdJTi") => (
            "the whole PEM text is base64-encoded",
            "run (umask 077; base64 -d FILE >FILE.new), and set OPTION to the new file",
        ),
        _ if !text.contains("-----BEGIN ") => return None,
        _ if text.contains("\\n") => (
            "it has \\n as two characters in place of line breaks",
            "run (umask 077; printf '%b\\n' \"$(cat FILE)\" >FILE.new), and set OPTION to the new file",
        ),
        _ if !text.contains("-----END ") => (
            "it has no last line that begins with -----END",
            "copy the whole text to FILE again, up to its last line",
        ),
        _ if text.lines().count() == 1 => {
            ("its line breaks are missing", "copy the text to FILE again, with its line breaks")
        }
        // The leading spaces of the first line were trimmed above.
        _ if text
            .lines()
            .any(|line| line.trim().starts_with("-----") && line.starts_with([' ', '\t'])) =>
        {
            (
                "its lines begin with spaces",
                "run (umask 077; sed 's/^[[:space:]]*//' FILE >FILE.new), and set OPTION to the new \
                 file",
            )
        }
        _ => return None,
    })
}

/// Describes a text that is not a certificate in PEM format, and the fix, with placeholders as in
/// [`other_key`].
pub fn other_certificate(text: &str) -> Option<(&'static str, &'static str)> {
    Some(match text {
        _ if text.contains("BEGIN PKCS7") => (
            "it is a PKCS #7 file",
            "run openssl pkcs7 -print_certs -in FILE -out FILE.pem, and set OPTION to the new file",
        ),
        _ if text.contains("CERTIFICATE REQUEST-----") => (
            "it is a certificate request",
            "set OPTION to the certificate that the authority issued for the request",
        ),
        _ if text.contains("PRIVATE KEY-----") && !text.contains("BEGIN CERTIFICATE") => {
            ("it is only a private key", "set OPTION to the file with the certificate")
        }
        _ => return broken_pem(text),
    })
}

/// Replaces `FILE` in a fix with `file`, a quoted path, and `OPTION` with `option`. These values
/// are not searched for placeholders: a variable such as `AWS_CONFIG_FILE` contains `FILE`, and a
/// path may contain `OPTION`.
pub fn filled(fix: &str, file: &str, option: &str) -> String {
    let parts: Vec<String> = fix.split("OPTION").map(|part| part.replace("FILE", file)).collect();
    parts.join(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_in_values_are_not_replaced() {
        let filled = filled("save FILE, and check OPTION", "/OPTIONS/a", "AWS_CONFIG_FILE");
        assert_eq!(filled, "save /OPTIONS/a, and check AWS_CONFIG_FILE");
    }

    #[test]
    fn files_that_are_not_utf8_text_are_described() {
        for (bytes, what) in [
            (&b"\x30\x82\x04\xbd\x02\x01\x00"[..], "is a key in DER"),
            (b"\x30\x81\x87\x02\x01\x00", "is a key in DER"),
            (b"\x30\x77\x02\x01\x01\x04\x20", "is a key in DER"),
            (b"\x30\x82\x09\x00\x02\x01\x03", "is a PFX"),
            (b"\x30\x82\x03\x00\x30\x82\x02", "is a certificate in DER"),
            (b"\xff\xfeP\0", "is UTF-16 text"),
            (b"000\xe9", "is not UTF-8 text"),
            (b"\x30\x82", "is not UTF-8 text"),
            (b"", "is not UTF-8 text"),
        ] {
            assert!(other_text(bytes).0.starts_with(what), "{bytes:?}");
        }
    }

    #[test]
    fn unsupported_certificates_are_described() {
        for (text, words) in [
            ("-----BEGIN PKCS7-----", "it is a PKCS #7 file"),
            ("-----BEGIN CERTIFICATE REQUEST-----", "it is a certificate request"),
            ("-----BEGIN PRIVATE KEY-----", "it is only a private key"),
            ("-----BEGIN CERTIFICATE-----\nMIIE", "it has no last line that begins with -----END"),
        ] {
            assert_eq!(other_certificate(text).map(|(what, _)| what), Some(words), "{text}");
        }
        assert_eq!(other_certificate("text"), None);
    }

    #[test]
    fn unsupported_keys_are_described() {
        for (text, words) in [
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "it is encrypted"),
            ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED", "it is encrypted"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "it is an OpenSSH key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAAMwAAAAtzc2gtZW", "it is an Ed25519 key"),
            ("PuTTY-User-Key-File-3: ssh-rsa", "it is a PuTTY key"),
            ("-----BEGIN RSA PUBLIC KEY-----", "it is a public key"),
            ("ssh-rsa AAAA", "it is a public key"),
            ("-----BEGIN CERTIFICATE-----", "it is only a certificate"),
            ("-----BEGIN DSA PRIVATE KEY-----", "it is a DSA key"),
            ("LS0tLS1CRUdJTiBQUklW", "the whole PEM text is base64-encoded"),
            (
                "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----",
                "it has \\n as two characters in place of line breaks",
            ),
            (
                "-----BEGIN PRIVATE KEY----- MIIE -----END PRIVATE KEY-----",
                "its line breaks are missing",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\n  MIIE\n  -----END PRIVATE KEY-----\n",
                "its lines begin with spaces",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIE", "it has no last line that begins with -----END"),
        ] {
            assert_eq!(other_key(text).map(|(what, _)| what), Some(words), "{text}");
        }
        assert_eq!(other_key("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"), None);
    }
}
