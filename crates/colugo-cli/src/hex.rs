//! Octets for people: hexadecimal digits, and a dump of the first of them.

use std::fmt::Write;

/// A dump shows so many octets, and says how many there are.
const DUMP_MAX: usize = 256;
const ROW: usize = 16;

/// Two digits for each octet.
pub(crate) fn digits(octets: &[u8]) -> String {
    octets.iter().fold(
        String::with_capacity(octets.len() * 2),
        |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        },
    )
}

/// Rows of offset, digits and characters.
pub(crate) fn dump(octets: &[u8]) -> String {
    let shown = octets.get(..DUMP_MAX).unwrap_or(octets);
    let mut rows: Vec<_> = shown
        .chunks(ROW)
        .enumerate()
        .map(|(i, chunk)| row(i * ROW, chunk))
        .collect();
    if shown.len() < octets.len() {
        rows.push(format!("… {} octets in all", octets.len()));
    }
    rows.join("\n")
}

fn row(offset: usize, octets: &[u8]) -> String {
    let digits: Vec<_> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let visible = |octet: &u8| {
        if octet.is_ascii_graphic() || *octet == b' ' {
            char::from(*octet)
        } else {
            '.'
        }
    };
    let characters: String = octets.iter().map(visible).collect();
    format!("{offset:08x}  {:<47}  |{characters}|", digits.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_show_offset_digits_and_characters() {
        assert_eq!(digits(b"\x00\xff"), "00ff");
        let lines = dump(b"hello\x00world, again");
        assert_eq!(
            lines,
            "00000000  68 65 6c 6c 6f 00 77 6f 72 6c 64 2c 20 61 67 61  |hello.world, aga|\n\
             00000010  69 6e                                            |in|"
        );
    }

    #[test]
    fn long_dumps_are_cut() {
        let lines = dump(&[0; 1000]);
        assert_eq!(lines.lines().count(), 17);
        assert!(lines.ends_with("… 1000 octets in all"));
    }
}
