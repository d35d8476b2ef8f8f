//! What peers of a ROUTER are called, and what becomes of a second one of the same name (RFC 28).

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use colugo_socket::{
    Builder, Bytes, DealerSocket, DownReason, RefusedWhy, RepSocket, ReqSocket, RouterSocket,
    SendError, SocketEvent, kind::Router,
};
use colugo_testkit::wait_until;

use crate::{PATIENCE, Transport};

over_every_transport! {
    a_second_peer_of_a_name_is_refused_until_the_first_has_left_and_loses_nothing
    with_handover_the_newcomer_takes_over_and_the_first_is_disconnected
    a_peer_that_claims_the_octets_of_a_made_up_identity_gets_nothing_meant_for_its_owner
    identities_of_any_octets_up_to_255_are_taken
    two_askers_of_one_name_are_both_answered
}

fn dealer(identity: impl Into<Bytes>) -> DealerSocket {
    DealerSocket::builder()
        .identity(identity)
        .reconnect(Duration::from_millis(5), Duration::from_millis(50))
        .build()
        .unwrap()
}

fn watched(builder: Builder<Router>) -> (RouterSocket, Receiver<SocketEvent>) {
    let (tell, told) = channel();
    let builder = builder.on_event(move |event| {
        let _ = tell.send(event.clone());
    });
    (builder.build().unwrap(), told)
}

fn send(router: &RouterSocket, identity: &Bytes, text: &'static str) -> Result<(), SendError> {
    router.send(&[identity.clone(), Bytes::from_static(text.as_bytes())])
}

fn a_second_peer_of_a_name_is_refused_until_the_first_has_left_and_loses_nothing(at: Transport) {
    let (router, events) = watched(RouterSocket::builder());
    let endpoint = router.bind(at.any()).unwrap();
    let name = Bytes::from_static(b"robot");
    let first = dealer("robot");
    first.connect(&endpoint).unwrap();
    assert!(router.wait_for_peers(1, PATIENCE));
    let second = dealer("robot");
    second.connect(&endpoint).unwrap();
    second.send("from the second").unwrap();
    loop {
        if let SocketEvent::PeerRefused(peer, why) = events.recv_timeout(PATIENCE).unwrap() {
            assert_eq!((peer.identity(), why), (&name, RefusedWhy::IdentityTaken));
            break;
        }
    }
    assert!(router.stats().refused_peers >= 1);
    send(&router, &name, "for the first").unwrap();
    assert_eq!(
        first.recv_timeout(PATIENCE).unwrap().payload(),
        "for the first"
    );
    assert!(second.peers().is_empty(), "it never was connected");
    drop(first);
    let message = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.frames(), [&name[..], b"from the second"]);
    send(&router, &name, "for the second").unwrap();
    assert_eq!(
        second.recv_timeout(PATIENCE).unwrap().payload(),
        "for the second"
    );
}

fn with_handover_the_newcomer_takes_over_and_the_first_is_disconnected(at: Transport) {
    let (router, events) = watched(RouterSocket::builder().handover(true));
    let endpoint = router.bind(at.any()).unwrap();
    let name = Bytes::from_static(b"robot");
    // It does not come back during the test: it would take over again.
    let first = DealerSocket::builder()
        .identity("robot")
        .reconnect(Duration::from_secs(3600), Duration::from_secs(3600))
        .build()
        .unwrap();
    first.connect(&endpoint).unwrap();
    first.send("one").unwrap();
    let before = router.recv_timeout(PATIENCE).unwrap().link();
    let second = dealer("robot");
    second.connect(&endpoint).unwrap();
    second.send("two").unwrap();
    let message = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(message.frames(), [&name[..], b"two"]);
    assert_ne!(message.link(), before);
    loop {
        if let SocketEvent::Disconnected(peer, why) = events.recv_timeout(PATIENCE).unwrap() {
            assert_eq!((peer.id(), why), (before, DownReason::Replaced));
            break;
        }
    }
    send(&router, &name, "for who has it").unwrap();
    assert_eq!(
        second.recv_timeout(PATIENCE).unwrap().payload(),
        "for who has it"
    );
    assert_eq!(router.peers().len(), 1);
    assert_eq!(router.stats().refused_peers, 0);
}

/// The octets of a made-up identity are told to nobody, but suppose somebody guessed them.
fn a_peer_that_claims_the_octets_of_a_made_up_identity_gets_nothing_meant_for_its_owner(
    at: Transport,
) {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind(at.any()).unwrap();
    let nameless = DealerSocket::new().unwrap();
    nameless.connect(&endpoint).unwrap();
    nameless.send("hello").unwrap();
    let hello = router.recv_timeout(PATIENCE).unwrap();
    let identity = hello.frames()[0].clone();
    assert_eq!((identity.len(), identity[0]), (9, 0));
    let thief = dealer(identity.clone());
    thief.connect(&endpoint).unwrap();
    thief.send("it is me").unwrap();
    let claim = router.recv_timeout(PATIENCE).unwrap();
    assert_eq!(claim.frames()[0], identity, "the octets are equal");
    assert_ne!(claim.link(), hello.link(), "the peers are not");
    send(&router, &identity, "secret").unwrap();
    router.send_to(claim.link(), "by your link").unwrap();
    assert_eq!(nameless.recv_timeout(PATIENCE).unwrap().payload(), "secret");
    assert_eq!(
        thief.recv_timeout(PATIENCE).unwrap().payload(),
        "by your link"
    );
    assert_eq!(router.stats().refused_peers, 0);
    drop(thief);
    wait_until("the end of the thief", || {
        (router.peers().len() == 1).then_some(())
    });
    send(&router, &identity, "still yours").unwrap();
    assert_eq!(
        nameless.recv_timeout(PATIENCE).unwrap().payload(),
        "still yours"
    );
}

fn identities_of_any_octets_up_to_255_are_taken(at: Transport) {
    let router = RouterSocket::new().unwrap();
    let endpoint = router.bind(at.any()).unwrap();
    for identity in [&[0][..], &[0, 0, 0, 7], &[0xff; 255], b"x"] {
        let named = dealer(Bytes::copy_from_slice(identity));
        named.connect(&endpoint).unwrap();
        named.send("q").unwrap();
        let question = router.recv_timeout(PATIENCE).unwrap();
        assert_eq!(question.frames()[0], identity);
        router.send(question.frames()).unwrap();
        assert_eq!(named.recv_timeout(PATIENCE).unwrap().payload(), "q");
    }
}

/// A REP answers whoever asked, by its link: names do not matter to it.
fn two_askers_of_one_name_are_both_answered(at: Transport) {
    let rep = RepSocket::new().unwrap();
    let endpoint = rep.bind(at.any()).unwrap();
    let named = || ReqSocket::builder().identity("same").build().unwrap();
    let askers = [named(), named()];
    for asker in &askers {
        asker.connect(&endpoint).unwrap();
    }
    assert!(rep.wait_for_peers(2, PATIENCE));
    for (i, asker) in askers.iter().enumerate() {
        asker.send(&[i as u8]).unwrap();
        let question = rep.recv_timeout(PATIENCE).unwrap();
        rep.send(question.payload().clone()).unwrap();
        let answer = asker.recv_timeout(PATIENCE).unwrap();
        assert_eq!(answer.payload()[..], [i as u8]);
    }
}
