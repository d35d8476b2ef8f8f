//! What becomes of requests, without sockets or clocks.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn peer(link: u64, socket_type: &'static str, node: Option<u8>) -> Arc<Peer> {
    let node = node.map(|n| NodeId([n; 16]));
    Arc::new(Peer {
        link: LinkId::from_u64(link),
        node,
        addr: None,
        socket_type,
        outgoing: true,
    })
}

fn server(link: u64) -> Arc<Peer> {
    peer(link, "ROUTER", Some(9))
}

fn reply() -> Outcome {
    Ok(RawMessage::from("reply"))
}

fn sent(begun: Begun) -> Assigned {
    match begun {
        Begun::Send(assigned) => assigned,
        Begun::Wait(_) => panic!("no link"),
        Begun::Failed(failure, _) => panic!("{failure:?}"),
    }
}

fn start(now: Instant, deadline: Instant, give_up: Instant, avoid: Option<NodeId>) -> Start {
    Start {
        now,
        deadline,
        give_up,
        avoid,
        waiter: Waiter::Nobody,
        watch: true,
    }
}

fn begin(pending: &mut Pending, now: Instant) -> Begun {
    pending
        .begin(start(now, now + SECOND, now + SECOND, None))
        .0
}

fn waiting(begun: Begun) -> u64 {
    match begun {
        Begun::Wait(id) => id,
        Begun::Send(assigned) => panic!("{assigned:?}"),
        Begun::Failed(failure, _) => panic!("{failure:?}"),
    }
}

#[test]
fn ids_are_never_used_again() {
    let now = Instant::now();
    let mut pending = Pending::new(10);
    pending.link_up(server(1));
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1000 {
        let id = sent(begin(&mut pending, now)).id;
        assert!(seen.insert(id));
        assert!(
            pending.expects(id, LinkId::from_u64(1)) && !pending.expects(id, LinkId::from_u64(2))
        );
        pending.finish(id, reply());
        assert!(pending.finish(id, reply()).is_none(), "a second reply");
        assert!(matches!(pending.take(id), Some(Ok(_))));
        assert!(pending.take(id).is_none() && !pending.expects(id, LinkId::from_u64(1)));
    }
    assert_eq!((pending.in_flight(), pending.slots.len()), (0, 1));
}

#[test]
fn links_take_turns_also_when_some_come_and_go() {
    let now = Instant::now();
    let mut pending = Pending::new(100);
    for link in 1..=3 {
        pending.link_up(server(link));
    }
    let turn = |pending: &mut Pending| sent(begin(pending, now)).link.as_u64();
    assert_eq!(
        (0..6).map(|_| turn(&mut pending)).collect::<Vec<_>>(),
        [1, 2, 3, 1, 2, 3]
    );
    assert_eq!(turn(&mut pending), 1);
    assert_eq!(pending.link_down(LinkId::from_u64(1)).len(), 3);
    assert_eq!(
        (0..4).map(|_| turn(&mut pending)).collect::<Vec<_>>(),
        [2, 3, 2, 3]
    );
    pending.link_up(server(4));
    let mut next: Vec<_> = (0..3).map(|_| turn(&mut pending)).collect();
    next.sort_unstable();
    assert_eq!(next, [2, 3, 4]);
}

#[test]
fn a_plain_router_has_one_request_at_a_time_and_is_dialled_again_after_a_timeout() {
    let now = Instant::now();
    let mut pending = Pending::new(10);
    pending.link_up(peer(1, "ROUTER", None));
    let link = LinkId::from_u64(1);
    let first = sent(begin(&mut pending, now));
    assert!(first.plain && pending.is_plain(link));
    assert_eq!(pending.plain_id(link), Some(first.id));
    assert!(matches!(
        begin(&mut pending, now),
        Begun::Failed(Failure::Busy, _)
    ));
    pending.finish(first.id, reply());
    assert!(pending.take_done_links().is_empty());
    let second = sent(begin(&mut pending, now));
    pending.expire(now + SECOND);
    assert!(matches!(
        pending.take(second.id),
        Some(Err(Failure::TimedOut))
    ));
    assert_eq!(
        pending
            .take_done_links()
            .iter()
            .map(|(peer, again)| (peer.link, *again))
            .collect::<Vec<_>>(),
        [(link, true)]
    );
    assert_eq!(pending.ready_links(), 0);
}

#[test]
fn a_plain_rep_takes_ids() {
    let mut pending = Pending::new(10);
    pending.link_up(peer(1, "REP", None));
    let now = Instant::now();
    assert!(!sent(begin(&mut pending, now)).plain && !sent(begin(&mut pending, now)).plain);
}

#[test]
fn requests_without_a_server_wait_in_order_and_end_without_one() {
    let now = Instant::now();
    let mut pending = Pending::new(10);
    let ids: Vec<u64> = (0..3)
        .map(|n| {
            let id = waiting(
                pending
                    .begin(start(now, now + 3 * SECOND, now + SECOND, None))
                    .0,
            );
            pending.keep_body(id, vec![Bytes::from(vec![n])]);
            id
        })
        .collect();
    pending.cancel(ids[1]);
    let ready = pending.link_up(server(1));
    let bodies: Vec<_> = ready
        .iter()
        .map(|(assigned, body)| (assigned.id, body[0][0]))
        .collect();
    assert_eq!(bodies, [(ids[0], 0), (ids[2], 2)]);
    pending.link_down(LinkId::from_u64(1));
    let late = waiting(
        pending
            .begin(start(now, now + 3 * SECOND, now + SECOND, None))
            .0,
    );
    let (notices, again) = pending.expire(now + SECOND);
    assert!(notices.len() == 1 && again.is_none());
    assert!(matches!(pending.take(late), Some(Err(Failure::NoServer))));
    assert!(matches!(
        pending.begin(start(now, now + SECOND, now, None)).0,
        Begun::Failed(Failure::NoServer, _)
    ));
}

#[test]
fn a_server_that_leaves_gets_nothing_new_and_is_hung_up_when_it_owes_nothing() {
    let now = Instant::now();
    let mut pending = Pending::new(10);
    pending.link_up(server(1));
    pending.link_up(server(2));
    let (first, second) = (
        sent(begin(&mut pending, now)),
        sent(begin(&mut pending, now)),
    );
    pending.leave(|peer| peer.link == first.link);
    assert!(pending.take_done_links().is_empty());
    assert_eq!(sent(begin(&mut pending, now)).link, second.link);
    pending.finish(first.id, reply());
    assert_eq!(
        pending
            .take_done_links()
            .iter()
            .map(|(peer, again)| (peer.link, *again))
            .collect::<Vec<_>>(),
        [(first.link, false)]
    );
    assert!(matches!(pending.take(first.id), Some(Ok(_))));
}

#[test]
fn the_own_node_is_avoided_where_it_could_not_answer() {
    let now = Instant::now();
    let own = Some(NodeId([7; 16]));
    let mut pending = Pending::new(10);
    pending.link_up(peer(1, "ROUTER", Some(7)));
    assert!(matches!(
        pending.begin(start(now, now + SECOND, now, own)).0,
        Begun::Failed(Failure::WouldDeadlock, _)
    ));
    pending.link_up(peer(2, "ROUTER", Some(8)));
    for _ in 0..3 {
        assert_eq!(
            sent(pending.begin(start(now, now + SECOND, now, own)).0).link,
            LinkId::from_u64(2)
        );
    }
}

#[test]
fn times_of_ended_requests_do_not_pile_up() {
    let now = Instant::now();
    let mut pending = Pending::new(100);
    pending.link_up(server(1));
    let mut armed = 0;
    for n in 0..100_000 {
        let (begun, due) = pending.begin(start(
            now,
            now + SECOND + Duration::from_nanos(n),
            now,
            None,
        ));
        let id = sent(begun).id;
        armed += usize::from(due.is_some());
        pending.finish(id, reply());
        pending.take(id);
    }
    assert!(pending.deadlines.len() <= 66, "{}", pending.deadlines.len());
    assert_eq!(armed, 1, "the timer is asked once for all that come later");
    assert!(pending.expire(now + 2 * SECOND).0.is_empty());
}

#[test]
fn closing_ends_everything() {
    let now = Instant::now();
    let mut pending = Pending::new(10);
    let waiting = begin(&mut pending, now);
    pending.link_up(server(1));
    let flying = sent(begin(&mut pending, now));
    assert_eq!(pending.close().len(), 2);
    assert!(matches!(waiting, Begun::Wait(_)));
    assert!(matches!(
        pending.take(flying.id),
        Some(Err(Failure::Closed))
    ));
    assert!(matches!(
        begin(&mut pending, now),
        Begun::Failed(Failure::Closed, _)
    ));
}
