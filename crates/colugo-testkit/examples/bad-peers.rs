//! Prints docs/bad-peers.md: what Colugo's sockets and libzmq's do to the scripted bad peers, and why where they differ.

fn main() {
    print!("{}", colugo_testkit::bad_peer::table());
}
