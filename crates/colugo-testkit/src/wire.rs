//! ZMTP 3 octet by octet, written from RFC 23 and 37 alone: what tests send that trust no implementation. Knows the shapes of greetings,
//! frames and commands; refuses to know which of them are allowed where.

/// Flag of a frame: more frames of the same message follow.
pub const MORE: u8 = 1;
/// Flag of a frame: its length has eight octets.
pub const LONG: u8 = 2;
/// Flag of a frame: a command, no part of a message.
pub const COMMAND: u8 = 4;
/// Octets of a greeting.
pub const GREETING: usize = 64;

/// A greeting of version 3.`minor` with the mechanism NULL.
pub fn greeting(minor: u8) -> Vec<u8> {
    let mut octets = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, minor];
    octets.extend_from_slice(b"NULL");
    octets.resize(GREETING, 0);
    octets
}

/// A frame; in the long form where its length or `flags` say so.
pub fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    let mut octets = header(flags, body.len() as u64);
    octets.extend_from_slice(body);
    octets
}

/// The header of a frame of `len` octets, whether they follow or not.
pub fn header(flags: u8, len: u64) -> Vec<u8> {
    match u8::try_from(len) {
        Ok(short) if flags & LONG == 0 => vec![flags, short],
        _ => [&[flags | LONG][..], &len.to_be_bytes()].concat(),
    }
}

/// A command in its frame.
pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let body = [&[name.len() as u8][..], name.as_bytes(), data].concat();
    frame(COMMAND, &body)
}

/// A property of READY.
pub fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let len = (value.len() as u32).to_be_bytes();
    [&[name.len() as u8][..], name.as_bytes(), &len, value].concat()
}

/// A READY that tells the socket type alone.
pub fn ready(socket_type: &str) -> Vec<u8> {
    command("READY", &property("Socket-Type", socket_type.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_those_that_libzmq_was_seen_to_send() {
        assert_eq!(
            ready("PUB"),
            b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"
        );
        assert_eq!(command("SUBSCRIBE", b"abc"), b"\x04\x0d\x09SUBSCRIBEabc");
        assert_eq!(frame(MORE, b""), [1, 0]);
        assert_eq!(frame(0, &[7; 256])[..10], [2, 0, 0, 0, 0, 0, 0, 1, 0, 7]);
        assert_eq!(header(LONG, 1), [2, 0, 0, 0, 0, 0, 0, 0, 1]);
    }
}
