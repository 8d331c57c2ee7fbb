use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::needles::{SHORTEST_PART, base32};
use super::*;

fn xml_of(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

fn json_of(text: &str) -> String {
    serde_json::to_string(text).unwrap().trim_matches('"').to_owned()
}

fn ascii_json_of(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
}

/// Every encoding in which a server may repeat a secret.
fn encodings(secret: &str) -> Vec<String> {
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let lower = percent.split('%').enumerate().map(|(index, part)| match index {
        0 => part.to_owned(),
        _ => format!("%{}{}", part[..2].to_lowercase(), &part[2..]),
    });
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        secret.to_owned(),
        lower.collect(),
        percent.replace("%20", "+"),
        percent.clone(),
        json_of(secret),
        json_of(secret).replace('/', "\\/"),
        ascii_json_of(secret),
        xml_of(secret),
        hex.to_uppercase(),
        hex,
        json_of(&xml_of(secret)),
        xml_of(&json_of(secret)),
        utf8_percent_encode(&json_of(secret), NON_ALPHANUMERIC).to_string(),
    ];
    for text in [secret.to_owned(), format!("id:{secret}"), format!("{percent}:{percent}")] {
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&text);
            all.push(utf8_percent_encode(&encoded, NON_ALPHANUMERIC).to_string());
            all.push(format!("Basic {encoded}"));
        }
    }
    all
}

fn random_secret(seed: u64) -> String {
    const CHARACTERS: &[char] = &[
        'a', 'B', '7', '/', '+', '=', '%', '&', '<', '>', '"', '\'', '\\', ' ', '@', ':', 'é',
        '😀', '\n', '-', '_', '~', 'u', '0', ';', '#',
    ];
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let length = 6 + next() % 30;
    format!("x{}y", (0..length).map(|_| CHARACTERS[next() % CHARACTERS.len()]).collect::<String>())
}

/// Encodings that are broken into lines or groups. Only the characters at the ends, which also
/// depend on other bytes, may remain.
#[test]
fn no_long_part_of_a_secret_in_lines_or_groups_remains() {
    for seed in 1..40 {
        let secret = random_secret(seed) + &random_secret(seed + 100);
        let percent = utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string();
        for inner in [&secret, &percent] {
            let hex: Vec<String> = inner.bytes().map(|byte| format!("{byte:02x}")).collect();
            let base64 = STANDARD.encode(format!("id:{inner}")).into_bytes();
            let lines: Vec<&str> =
                base64.chunks(19).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let twice = utf8_percent_encode(&percent, NON_ALPHANUMERIC).to_string();
            for encoded in [
                hex.join(":"),
                hex.join(" ").to_uppercase(),
                hex.concat(),
                lines.join("\r\n"),
                lines.join("\\n"),
                lines.join(" "),
                inner.to_ascii_uppercase(),
                twice,
            ] {
                let shown = remove(&format!("no <{encoded}> today"), &[&secret]);
                let rest = shown.replace("[secret]", " ");
                let longest = rest.split([' ', '\r', '\n', ':']).map(str::len).max();
                assert!(longest < Some(10), "{secret:?}: {encoded:?}: {shown:?}");
            }
        }
    }
}

#[test]
fn no_encoding_of_a_random_secret_remains() {
    for seed in 1..30 {
        let secret = random_secret(seed);
        let pair = format!("id:{}", utf8_percent_encode(&secret, NON_ALPHANUMERIC));
        let header = format!("Basic {}", STANDARD.encode(&pair));
        for encoded in encodings(&secret) {
            for sent in [vec![secret.as_str()], vec![header.as_str(), secret.as_str()]] {
                let shown = remove(&format!("no <{encoded}> today"), &sent);
                let rest = shown.replace("[secret]", "").replace("Basic", "");
                assert!(
                    rest.len() <= "no <> today".len() + 3,
                    "{secret:?}: {encoded:?}: {shown:?}"
                );
            }
        }
        let shown = remove(&format!("no {header}"), &[&header]);
        assert!(!shown.contains(header.trim_start_matches("Basic ")), "{shown}");
    }
}

#[test]
fn other_text_and_short_secrets_remain() {
    assert_eq!(
        remove("the user abc is unknown %41 \\n &amp;", &["abc", "hunter22"]),
        "the user abc is unknown %41 \\n &amp;"
    );
    assert_eq!(remove("no hunter22, é", &["hunter22"]), "no [secret], é");
}

/// A server may cut its text or the secret.
#[test]
fn the_beginning_or_end_of_a_secret_is_removed() {
    let secret = "Kx7~pQ2mZt/9Lw:4Vb8Rn1Hs6";
    let encode = |text: &str| {
        let percent = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let pair = STANDARD.encode(format!("id:{text}"));
        [text.to_owned(), percent, xml_of(text), STANDARD.encode(text), pair]
    };
    for length in SHORTEST_PART..secret.len() {
        for part in [&secret[..length], &secret[secret.len() - length..]] {
            for encoded in encode(part) {
                let shown = remove(&format!("no <{encoded}… today"), &[secret]);
                assert_eq!(shown, "no <[secret]… today", "{part:?}: {encoded:?}");
            }
        }
    }
    for (text, secret) in [
        ("client-secret is wrong", "client-secret-of-my-app"),
        ("invalid_client: the client is unknown", "invalid_client_for_tests"),
        ("No such user: Service Account", "Service Account of the build"),
        ("the password must have digits", "the password of bob"),
        ("hunter2-clie is short", "hunter2-cli"),
    ] {
        let all =
            if text.contains(secret) { text.replace(secret, "[secret]") } else { text.into() };
        assert_eq!(remove(text, &[secret]), all);
    }
    assert_eq!(remove("not client-secret-of-my-a…", &["client-secret-of-my-app"]), "not [secret]…");
    assert_eq!(remove("no Kx7~pQ2mZt9Lw", &["Bearer Kx7~pQ2mZt9Lw"]), "no [secret]");
}

#[test]
fn base32_and_reversed_and_latin_1_are_removed() {
    assert_eq!(base32(b"foobar"), "mzxw6ytboi");
    assert_eq!(base32(b""), "");
    for secret in ["Kx7~pQ2mZt/9Lw:4Vb8Rn1Hs6", "hunter22", "pässwörd-é"] {
        let reversed: String = secret.chars().rev().collect();
        let latin1: Vec<u8> = secret.chars().map(|c| c as u8).collect();
        let encoded = base32(secret.as_bytes());
        for text in [
            reversed,
            encoded.to_uppercase(),
            base32(format!("id:{secret}").as_bytes()).to_uppercase() + "===",
            percent_encoding::percent_encode(&latin1, NON_ALPHANUMERIC).to_string(),
            encoded,
        ] {
            let shown = remove(&format!("no <{text}> today"), &[secret]);
            assert_eq!(shown, "no <[secret]> today", "{text}");
        }
    }
    // A short secret that is read backwards may be a word.
    assert_eq!(remove("no user", &["resu"]), "no user");
}

/// Encodings of punctuation, and of every character, that are less usual.
#[test]
fn escapes_of_other_languages_are_undone() {
    let secret = "Kx7~pQ2mZt/Lw9:Vb8&Rn1+Hs6";
    let all = |escape: fn(char) -> String| secret.chars().map(escape).collect::<String>();
    let punctuation = |escape: fn(char) -> String| {
        let one = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { escape(c) };
        secret.chars().map(one).collect::<String>()
    };
    let utf16 = |unit: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(unit).collect::<Vec<_>>();
    for text in [
        all(|c| format!("\\{:03o}", u32::from(c))),
        all(|c| format!("\\u{{{:x}}}", u32::from(c))),
        all(|c| format!("\\U{:08x}", u32::from(c))),
        all(|c| format!("%u{:04X}", u32::from(c))),
        all(|c| format!("={:02X}", u32::from(c))),
        all(|c| format!("&#x{:08x};", u32::from(c))),
        all(|c| format!("0x{:02x}, ", u32::from(c))),
        all(|c| format!("{}, ", u32::from(c))),
        punctuation(|c| format!("\\{:03o}", u32::from(c))),
        punctuation(|c| format!("%u{:04x}", u32::from(c))),
        punctuation(|c| format!("&#{:010};", u32::from(c))),
        punctuation(|c| format!("&#{}", u32::from(c))),
        punctuation(|_| "&sol;".to_owned()),
        STANDARD_NO_PAD.encode(utf16(u16::to_le_bytes)),
        URL_SAFE_NO_PAD.encode(utf16(u16::to_be_bytes)),
        utf16(u16::to_le_bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        let shown = remove(&format!("no <{}> today", text.trim_end_matches(", ")), &[secret]);
        assert_eq!(shown, "no <[secret]> today", "{text}");
    }
}

/// A server may break a text into lines, and show invisible characters or tags where it may break.
#[test]
fn separated_characters_and_parts_of_a_secret_are_removed() {
    let secret = "Kx7~pQ2mZt/9Lw:4Vb8Rn1Hs6";
    for size in 1..9 {
        for separator in [" ", "\n  ", "-", ", ", "\u{200b}", "\u{ad}", "<wbr>", "&shy;", "=\r\n"] {
            let characters: Vec<char> = secret.chars().collect();
            let parts: Vec<String> =
                characters.chunks(size).map(|part| part.iter().collect()).collect();
            let shown = remove(&format!("no <{}> today", parts.join(separator)), &[secret]);
            assert_eq!(shown, "no <[secret]> today", "{size} {separator:?}");
        }
    }
    for start in 0..=secret.len() - SHORTEST_PART {
        for end in start + SHORTEST_PART..=secret.len() {
            let part = &secret[start..end];
            for part in [part.to_owned(), STANDARD_NO_PAD.encode(format!("{part}xx"))] {
                let shown = remove(&format!("no …{part}… today"), &[secret]);
                let rest = shown.replace("[secret]", "");
                assert!(rest.len() <= "no …… today".len() + 2, "{part}: {shown}");
            }
        }
    }
    for (text, secret) in [
        ("not sts:AssumeRoleWithWebIdentity", "Action=AssumeRoleWithWebIdentity&Version=1&Token=e"),
        ("no iam.serviceAccounts.get", r#"{"delegates":["projects/-/serviceAccounts/a"]}"#),
        ("no x-goog-cloud-target-resource", "%7B%22key%22%3A%22x-goog-cloud-target-resource%22%7D"),
        ("the client secret is wrong", "client-secret"),
        ("not a Service: Account", "Service-Account"),
        ("no user, bob, is 1 of them", "user-bob-1"),
    ] {
        assert_eq!(remove(text, &[secret]), text);
    }
}
