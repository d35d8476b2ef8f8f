//! The scripted bad peers against libzmq's sockets, unchanged; `scripted` has them against ours.

use colugo_testkit::ZmqPeer;
use colugo_testkit::bad_peer::{LibzmqTarget, Whose, check, named};

fn play(name: &str) {
    let Some(libzmq) = ZmqPeer::start() else {
        return;
    };
    let open = |settings: &_| LibzmqTarget::open(&libzmq, settings);
    check(&named(name), Whose::Libzmq, open);
}

colugo_testkit::each_bad_peer!(play);
