//! Commands, and the subscription messages of ZMTP 3.0.

use colugo_zmtp::{Command, parse_header, parse_subscription_message, put_cancel, put_subscribe};

use crate::memory::within;

/// What is accepted is written back as a frame that says the same.
pub fn commands(data: &[u8]) {
    if let Ok(command) = within(0, || Command::parse(data)) {
        let mut frame = Vec::new();
        command.encode(&mut frame);
        let header = parse_header(&frame).unwrap().unwrap();
        let body = &frame[header.header_len..];
        assert!(header.command && !header.more);
        assert_eq!(header.body_len, body.len() as u64);
        assert_eq!(Command::parse(body), Ok(command));
        assert_eq!(command.name(), &data[1..][..usize::from(data[0])]);
        match command {
            // What is beyond the context's 16 octets, and what later versions add to a stamp, is left out.
            Command::Ping { context, .. } | Command::Pong { context } => {
                assert!(context.len() <= 16 && data.starts_with(body));
            }
            Command::Stamp(stamp) => {
                let sum = stamp
                    .losses
                    .iter()
                    .fold(0, |sum: u64, (_, n)| sum.saturating_add(n));
                assert_eq!(stamp.losses.total(), sum);
            }
            _ => assert_eq!(body, data),
        }
        for len in 0..frame.len() {
            let part = parse_header(&frame[..len]).unwrap();
            assert!(part.is_none_or(|part| part == header));
        }
    }
    if let Some((wanted, topic)) = parse_subscription_message(data) {
        let mut frame = Vec::new();
        match wanted {
            true => put_subscribe(&mut frame, topic, 0),
            false => put_cancel(&mut frame, topic, 0),
        }
        let header = parse_header(&frame).unwrap().unwrap();
        assert!(!header.command && frame[header.header_len..] == *data);
    }
}
