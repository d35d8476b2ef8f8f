//! The first octets of a connection.

use colugo_zmtp::{GREETING_LEN, Greeting};

use crate::memory::within;

/// Once the octets so far decide, more of them change nothing; and a greeting is written back as it was read.
pub fn greeting(data: &[u8]) {
    let mut decided = None;
    for len in 0..=data.len().min(GREETING_LEN + 8) {
        let parsed = within(0, || Greeting::parse(&data[..len]));
        if let Some(decided) = &decided {
            assert_eq!(&parsed, decided, "{len} octets");
        } else if parsed != Ok(None) {
            decided = Some(parsed);
        }
    }
    match decided {
        None => assert!(data.len() < GREETING_LEN),
        Some(Ok(Some(greeting))) => {
            let written = greeting.encode();
            assert_eq!(Greeting::parse(&written), Ok(Some(greeting)));
            assert_eq!(written[10..32], data[10..32], "version and mechanism");
            assert!(greeting.major >= 3 && greeting.common_minor() <= 1);
            let name = greeting.mechanism.to_string();
            assert!(name.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
        }
        Some(Ok(None)) => unreachable!(),
        Some(Err(error)) => assert!(!error.to_string().is_empty()),
    }
}
