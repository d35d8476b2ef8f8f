//! The scripted bad peers against our sockets; `interop_scripted` has them against libzmq's, and docs/bad-peers.md tells both verdicts.

use colugo_testkit::Alone;
use colugo_testkit::bad_peer::{Whose, check, named};

use crate::target::OurTarget;

fn play(name: &str) {
    let case = named(name);
    let play = || check(&case, Whose::Ours, OurTarget::open);
    if case.weighs() {
        Alone::new().run(&format!("scripted::{name}"), play);
    } else {
        play();
    }
}

colugo_testkit::each_bad_peer!(play);
