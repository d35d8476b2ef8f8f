//! Trunks: what the other side says, and what the sockets of the lanes do meanwhile.

use std::collections::HashMap;

use colugo_socket::fuzzing::Trunked;
use colugo_socket::limits::LANE_WINDOW;
use colugo_zmtp::{TrunkFrame, parse_header};

use crate::input::Input;
use crate::memory::within;

/// Frames that were said on both sides are well formed, no lane brings more than it was given credit for, and memory is bounded by the lanes.
pub fn trunk(data: &[u8]) {
    // Each lane that was opened has a window each way; it takes some octets to open one.
    let lanes = 8 + data.len() / 8;
    within((8 << 20) + lanes * 2 * LANE_WINDOW, || run(data));
}

fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut trunk = Trunked::default();
    // What each lane may still send us.
    let mut credit: HashMap<u32, usize> = HashMap::new();
    while !input.is_empty() {
        let what = input.octet();
        let lane = u32::from(input.octet() % 8);
        let mut said = Vec::new();
        match what % 8 {
            0 => TrunkFrame::Open {
                lane,
                address: b"a",
            }
            .encode(&mut said),
            1 | 2 => {
                let octets = vec![what; usize::from(input.octet()) << 6];
                TrunkFrame::Data {
                    lane,
                    octets: &octets,
                }
                .encode(&mut said);
            }
            3 => {
                let octets = u32::from(input.octet()) << 10;
                if let Some(credit) = credit.get_mut(&lane) {
                    *credit += octets as usize;
                }
                TrunkFrame::Credit { lane, octets }.encode(&mut said);
            }
            4 => TrunkFrame::End { lane }.encode(&mut said),
            5 => said.extend_from_slice(input.octets()),
            _ => trunk.act(lane as u8, what >> 3),
        }
        let (answer, lives) = trunk.hear(&said);
        check(&answer, &mut credit);
        if !lives {
            return;
        }
        assert!(trunk.lanes() <= 4096);
    }
}

fn check(mut answer: &[u8], credit: &mut HashMap<u32, usize>) {
    while !answer.is_empty() {
        let header = parse_header(answer).unwrap().expect("a whole header");
        let end = header.header_len + usize::try_from(header.body_len).unwrap();
        let body = answer.get(header.header_len..end).expect("a whole frame");
        assert!(!header.command && !header.more);
        match TrunkFrame::parse(body).expect("what a version says") {
            TrunkFrame::Accept { lane } => {
                // Numbers may be used again.
                credit.insert(lane, LANE_WINDOW);
            }
            TrunkFrame::Data { lane, octets } => {
                let left = credit.get_mut(&lane).expect("a lane that was accepted");
                *left = left.checked_sub(octets.len()).expect("within the credit");
            }
            TrunkFrame::Credit { octets, .. } => assert!(octets as usize <= LANE_WINDOW),
            TrunkFrame::End { .. } => {}
            other => panic!("{other:?} from who accepted"),
        }
        answer = &answer[end..];
    }
}
