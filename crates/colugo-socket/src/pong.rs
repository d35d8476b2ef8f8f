//! Where a PONG goes: past what is queued, to the next place between two messages, so that its peer need not wait for a large one. Knows
//! framed octets in pieces; used by the link.

use std::collections::VecDeque;

use bytes::Bytes;
use colugo_zmtp::parse_header;

use crate::options::PONG_BEFORE;

/// Puts `pong` before the next message of at least [`PONG_BEFORE`] octets in a frame that has not begun: `written` octets of the pieces are
/// on their way. Gives the position of its end. None: there is no such message, and nothing was done.
pub(crate) fn insert(pieces: &mut VecDeque<Bytes>, written: usize, pong: &Bytes) -> Option<usize> {
    let (place, cut, position) = next_boundary(pieces, written)?;
    if !pieces
        .range(place..)
        .any(|piece| piece.len() >= PONG_BEFORE)
    {
        return None;
    }
    if cut == 0 {
        pieces.insert(place, pong.clone());
    } else {
        let rest = pieces.get_mut(place)?.split_off(cut);
        pieces.insert(place + 1, rest);
        pieces.insert(place + 1, pong.clone());
    }
    Some(position + pong.len())
}

/// The first place at or after `from` octets where a message begins: the piece, the octet of it, and the octet of all.
fn next_boundary(pieces: &VecDeque<Bytes>, from: usize) -> Option<(usize, usize, usize)> {
    let (mut place, mut at, mut position, mut inside) = (0, 0, 0, false);
    loop {
        let mut piece = pieces.get(place)?;
        while at >= piece.len() {
            (place, at) = (place + 1, 0);
            piece = pieces.get(place)?;
        }
        if position >= from && !inside {
            return Some((place, at, position));
        }
        // A header never crosses a border, and a body lies in its header's piece or is the next one.
        let header = parse_header(piece.get(at..)?).ok().flatten()?;
        let body = usize::try_from(header.body_len).ok()?;
        at = at.checked_add(header.header_len)?;
        position = position.checked_add(header.header_len)?.checked_add(body)?;
        if at.checked_add(body)? <= piece.len() {
            at += body;
        } else {
            (place, at) = (place + 1, body);
        }
        if !header.command {
            inside = header.more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Outgoing;
    use crate::options::QueueLimit;
    use crate::outbox::{Outbox, Taken};

    fn large(fill: u8) -> Bytes {
        Bytes::from(vec![fill; PONG_BEFORE])
    }

    /// A small message, one of two large frames, one of one.
    fn pieces() -> VecDeque<Bytes> {
        let mut outbox = Outbox::default();
        outbox.push(&[], &Outgoing::Slice(b"small"));
        outbox.push(&[], &Outgoing::Frames(vec![large(1), large(2)]));
        outbox.push(&[], &Outgoing::Owned(large(3)));
        let mut taken = Taken::default();
        outbox.take_into(&mut taken, QueueLimit::default());
        taken.chunks
    }

    fn all(pieces: &VecDeque<Bytes>) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.to_vec()).collect()
    }

    #[test]
    fn a_pong_goes_between_messages_and_before_the_next_large_one() {
        let before = all(&pieces());
        let ends = [0, 7, 7 + 2 * (9 + PONG_BEFORE)];
        for written in (0..30).chain([ends[2] - 1, ends[2]]) {
            let mut pieces = pieces();
            let end = insert(&mut pieces, written, &Bytes::from_static(b"PONG"));
            let place = ends.into_iter().find(|end| *end >= written).unwrap();
            assert_eq!(end, Some(place + 4), "{written}");
            let mut after = all(&pieces);
            assert_eq!(after.drain(place..place + 4).as_slice(), b"PONG");
            assert!(after == before);
        }
    }

    #[test]
    fn behind_the_last_large_one_it_is_not_put() {
        let mut pieces = pieces();
        let written = 7 + 2 * (9 + PONG_BEFORE) + 1;
        assert_eq!(
            insert(&mut pieces, written, &Bytes::from_static(b"PONG")),
            None
        );
        assert_eq!(
            insert(&mut VecDeque::new(), 0, &Bytes::from_static(b"PONG")),
            None
        );
    }
}
