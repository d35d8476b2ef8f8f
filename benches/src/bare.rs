//! Subscribers of a few dozen octets, the same for every engine: they shake hands, subscribe to everything, and then read nothing.

use std::io::{Read, Write};
use std::net::TcpStream;

use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::report::Report;

/// Who only sits there.
pub const ROLES: &[(&str, Role)] = &[("bare.subscribers", sit)];

const GREETING: usize = 64;
const READY: &[u8] = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB";
const SUBSCRIBE: &[u8] = b"\x00\x01\x01";

/// ZMTP 3.0, security NULL.
fn greeting() -> [u8; GREETING] {
    let mut octets = [0; GREETING];
    octets[0] = 0xff;
    octets[9] = 0x7f;
    octets[10] = 3;
    octets[12..16].copy_from_slice(b"NULL");
    octets
}

/// Subscribes to everything at `address`. As long as the stream is kept, the publisher has a subscriber.
pub fn subscribe(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address.trim_start_matches("tcp://"))?;
    stream.write_all(&greeting())?;
    stream.read_exact(&mut [0; GREETING])?;
    stream.write_all(READY)?;
    let mut header = [0; 2];
    stream.read_exact(&mut header)?;
    if header[0] != READY[0] {
        return Err(format!("a frame of kind {} where READY was due", header[0]).into());
    }
    stream.read_exact(&mut vec![0; usize::from(header[1])])?;
    stream.write_all(SUBSCRIBE)?;
    Ok(stream)
}

fn sit(spec: &Spec, link: &Link) -> Result<Report> {
    let address = spec.text("addr")?;
    let streams: Vec<_> = (0..spec.count()?)
        .map(|_| subscribe(address))
        .collect::<Result<_>>()?;
    link.ready("")?;
    link.wait_for_stop();
    drop(streams);
    Ok(Report::new())
}
