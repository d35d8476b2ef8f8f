//! Long payloads that can be told by their length and one number; `peer.py` makes the same.

/// `len` octets, each one more than the one before it, modulo 251: a prime, so that no shift by a power of two looks the same.
pub fn pattern(len: usize, seed: u8) -> Vec<u8> {
    let base: Vec<u8> = (0..251u16)
        .map(|i| ((i + u16::from(seed)) % 251) as u8)
        .collect();
    let mut octets = base.repeat(len / 251 + 1);
    octets.truncate(len);
    octets
}

/// The seed, if these octets are such a pattern.
pub(crate) fn seed_of(octets: &[u8]) -> Option<u8> {
    let seed = *octets.first()?;
    (seed < 251 && octets == pattern(octets.len(), seed)).then_some(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_told_from_what_is_none() {
        assert_eq!(seed_of(&pattern(1000, 7)), Some(7));
        let mut other = pattern(1000, 7);
        other[999] ^= 1;
        assert_eq!(seed_of(&other), None);
        assert_eq!(seed_of(b""), None);
    }
}
