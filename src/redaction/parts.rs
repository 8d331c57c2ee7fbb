//! Parts of secrets: a server may cut its text or the secret, or show only the text around a
//! mistake.
//!
//! All parts of one length are searched for at once, by a hash that is computed from the hash of
//! the part that begins one character earlier (Rabin and Karp,
//! <https://doi.org/10.1147/rd.312.0249>).

use std::collections::BTreeSet;

use super::form::{Around, Form};

/// The factor of the hash. It is odd, so that every character of a part changes the hash.
const BASE: u64 = 0x0100_0000_01b3;

/// The hashes of all parts of this length.
pub(super) struct Parts {
    pub(super) form: Form,
    pub(super) length: usize,
    /// As in [`super::needles::Needle`].
    pub(super) around: Around,
    hashes: BTreeSet<u64>,
    /// For each value of the upper bits of a hash, whether `hashes` may contain such a hash. For
    /// most values, it does not.
    filter: Vec<bool>,
}

/// The number of bits of a hash that the filter uses.
const FILTER_BITS: u32 = 12;

fn upper(hash: u64) -> usize {
    (hash >> (u64::BITS - FILTER_BITS)) as usize
}

/// The hashes of all parts of `text` with this length.
fn hashes(text: &[u8], length: usize) -> impl Iterator<Item = u64> {
    let append = |hash: u64, byte: u8| hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1);
    let first = (1..length).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let start =
        text.get(..length).map(|part| part.iter().fold(0, |hash, byte| append(hash, *byte)));
    let pairs = text.iter().zip(text.iter().skip(length));
    let next = move |current: &mut u64, (leaving, entering): (&u8, &u8)| {
        let rest = current.wrapping_sub(first.wrapping_mul(u64::from(*leaving) + 1));
        *current = append(rest, *entering);
        Some(*current)
    };
    start.into_iter().chain(pairs.scan(start.unwrap_or_default(), next))
}

impl Parts {
    pub(super) fn new(form: Form, length: usize, around: Around) -> Parts {
        let (hashes, filter) = (BTreeSet::new(), vec![false; 1 << FILTER_BITS]);
        Parts { form, length, around, hashes, filter }
    }

    /// Adds the parts of a needle for which `is_known` returns true.
    pub(super) fn add(&mut self, needle: &[u8], is_known: impl Fn(&[u8]) -> bool) {
        let text: Vec<u8> = needle.iter().map(|byte| self.form.of(*byte)).collect();
        let parts = needle.windows(self.length).zip(hashes(&text, self.length));
        for (_, hash) in parts.filter(|(part, _)| is_known(part)) {
            if let Some(known) = self.filter.get_mut(upper(hash)) {
                *known = true;
            }
            self.hashes.insert(hash);
        }
    }

    /// The start positions of the parts in `text`, to which [`Form::of`] was applied.
    pub(super) fn found(&self, text: &[u8]) -> Vec<usize> {
        let may_be_known = |hash: &u64| self.filter.get(upper(*hash)).is_some_and(|known| *known);
        hashes(text, self.length)
            .enumerate()
            .filter(|(_, hash)| may_be_known(hash) && self.hashes.contains(hash))
            .map(|(start, _)| start)
            .collect()
    }
}
