//! A stream of frames.

use colugo_zmtp::{FrameError, FrameHeader, MAX_FRAME_BODY, parse_header, put_header};

use crate::input::Input;
use crate::memory::within;

type Read<'a> = (Vec<(FrameHeader, Vec<u8>)>, Option<FrameError>);

/// Read as by a loop that gets the stream in these pieces.
fn read<'a>(pieces: &[&[u8]]) -> Read<'a> {
    let (mut buffer, mut frames) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match parse_header(&buffer) {
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
                Ok(Some(header)) => {
                    let Ok(body_len) = usize::try_from(header.body_len) else {
                        break;
                    };
                    let end = header.header_len.saturating_add(body_len);
                    if buffer.len() < end {
                        break;
                    }
                    let rest = buffer.split_off(end);
                    frames.push((header, buffer.split_off(header.header_len)));
                    buffer = rest;
                }
            }
        }
    }
    (frames, None)
}

/// Whatever the pieces, the frames are the same; and each header is written back as it was, or shorter where it was longer than need be.
pub fn frames(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts = input.cuts();
    let stream = input.rest();
    let whole = read(&[stream]);
    assert_eq!(read(&cuts.pieces(stream)), whole);
    if stream.len() < 64 {
        let octets: Vec<_> = stream.chunks(1).collect();
        assert_eq!(read(&octets), whole);
    }
    let mut at = 0;
    for (header, body) in &whole.0 {
        let end = at + header.header_len + body.len();
        let original = &stream[at..end];
        assert!(header.body_len <= MAX_FRAME_BODY && !(header.more && header.command));
        let mut written = Vec::new();
        put_header(&mut written, body.len(), header.more, header.command);
        let again = parse_header(&written).unwrap().unwrap();
        assert_eq!(
            (again.more, again.command, again.body_len),
            (header.more, header.command, header.body_len)
        );
        if header.header_len == again.header_len {
            assert_eq!(written, original[..header.header_len]);
        }
        at = end;
    }
    // What a header says of octets to come costs nothing.
    let next = within(0, || parse_header(&stream[at..]));
    assert_eq!(next.err(), whole.1);
}
