//! Finds the needles in the text and in everything that the text may encode.

use std::collections::BTreeSet;

use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};

use super::Unit;
use super::escapes::{self, number};
use super::form::{Around, Form, is_base64, standard};
use super::needles::{Needles, Searched};

/// The length of the shortest run of digits that is examined as a value that was encoded more than
/// once.
const SHORTEST_RUN: usize = 8;

/// Reads base64 with or without padding, and also a part of it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Marks what the needles match, in this form of the text and in the forms that result when up to
/// `depth` encodings are undone.
pub(super) fn search(units: Vec<Unit>, needles: &Searched, depth: usize, hidden: &mut [bool]) {
    let (mut seen, mut forms) = (BTreeSet::new(), vec![units]);
    for depth in (0..=depth).rev() {
        forms.iter().for_each(|form| mark(form, needles, depth, hidden));
        let undone = forms.iter().filter(|_| depth > 0).flat_map(|form| {
            let decoded = escapes::ALL.map(|decode| escapes::undo(form, decode));
            decoded.into_iter().filter(|decoded| decoded.len() < form.len())
        });
        // Decoding in another order often leads to the same form.
        forms = undone.filter(|form| seen.insert(form.clone())).collect();
    }
}

/// Marks what the needles match in one form of the text, and in the content of its encoded runs.
fn mark(units: &[Unit], needles: &Searched, depth: usize, hidden: &mut [bool]) {
    for form in Form::ALL {
        let (exact, bare) = match form {
            Form::Text => (&needles.literal, &needles.bare),
            Form::Lower | Form::Base64 => (&needles.encoded, &needles.encoded),
        };
        find_all(units, form, exact, true, hidden);
        let joined: Vec<Unit> =
            units.iter().filter(|unit| form.contains(unit.0)).copied().collect();
        find_all(&joined, form, bare, false, hidden);
    }
    // MIME breaks base64 into lines, and hexadecimal digits are often in groups.
    let is_between = |byte: u8| matches!(byte, b' ' | b':') || byte.is_ascii_control();
    let joined: Vec<Unit> = units.iter().filter(|unit| !is_between(unit.0)).copied().collect();
    if depth == 0 {
        return;
    }
    encoded_again(&joined, needles, depth, hidden);
    if joined.len() < units.len() {
        encoded_again(units, needles, depth, hidden);
    }
}

/// Marks the runs of base64 and hexadecimal digits whose decoded content contains a needle, that
/// is, secrets that were encoded more than once.
fn encoded_again(units: &[Unit], needles: &Searched, depth: usize, hidden: &mut [bool]) {
    let is_digit = |byte: u8| is_base64(byte) && byte != b'=';
    for run in units.chunk_by(|one, next| is_digit(one.0) && is_digit(next.0)) {
        if run.len() < SHORTEST_RUN {
            continue;
        }
        let digits: Vec<u8> = run.iter().map(|unit| standard(unit.0)).collect();
        // The characters before the encoded value may look like a part of it.
        let contents =
            (0..4).filter_map(|start| LENIENT.decode(whole(digits.get(start..)?, 4)).ok());
        let contents = contents.chain(bytes_of_hex(&digits));
        let is_secret = contents.into_iter().any(|content| {
            let units: Vec<Unit> =
                content.iter().enumerate().map(|(at, byte)| (*byte, at, at + 1)).collect();
            let mut found = vec![false; content.len()];
            search(units, needles, depth - 1, &mut found);
            found.contains(&true)
        });
        if is_secret {
            for (_, from, to) in run {
                hidden.iter_mut().take(*to).skip(*from).for_each(|byte| *byte = true);
            }
        }
    }
}

/// Removes a last digit that does not complete a byte. `size` is the number of digits in a group.
fn whole(digits: &[u8], size: usize) -> &[u8] {
    let length = if digits.len() % size == 1 { digits.len() - 1 } else { digits.len() };
    digits.get(..length).unwrap_or_default()
}

fn bytes_of_hex(digits: &[u8]) -> Option<Vec<u8>> {
    whole(digits, 2).chunks(2).map(|pair| u8::try_from(number(pair, 16)?).ok()).collect()
}

/// Marks what the needles of one form match. With `is_exact`, the characters that belong to an encoded value
/// on both sides are marked too.
fn find_all(units: &[Unit], form: Form, needles: &Needles, is_exact: bool, hidden: &mut [bool]) {
    let text: Vec<u8> = units.iter().map(|unit| form.of(unit.0)).collect();
    let mut mark = |start: usize, length: usize, around: Around| {
        let around = around.filter(|_| is_exact);
        let is_around = |unit: &&Unit| around.is_some_and(|around| around(unit.0));
        let before = units.iter().take(start).rev().take_while(is_around).count();
        let after = units.iter().skip(start + length).take_while(is_around).count();
        let found = units.get(start - before..start + length + after).unwrap_or_default();
        if let [(_, from, _), ..] = found
            && let [.., (_, _, to)] = found
        {
            hidden.iter_mut().take(*to).skip(*from).for_each(|byte| *byte = true);
        }
    };
    for needle in needles.whole.iter().filter(|needle| needle.form == form) {
        let (mut next, first) = (0, needle.bytes.first());
        for (start, part) in text.windows(needle.bytes.len()).enumerate() {
            if part.first() == first && start >= next && part == needle.bytes {
                mark(start, part.len(), needle.around);
                next = start + part.len();
            }
        }
    }
    for parts in needles.parts.values().filter(|parts| parts.form == form) {
        for start in parts.found(&text) {
            mark(start, parts.length, parts.around);
        }
    }
}
