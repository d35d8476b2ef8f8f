//! What is remembered of a node, step by step, for who asks why.

use colugo_graph::{DialFailure, Kind, LeaveReason, Namespace, Noted, Source, Step, limits};

use crate::net::{HostId, MS, Net, SEC};

/// What one host remembers of another.
fn history(net: &mut Net, host: HostId, of: HostId) -> Vec<Noted> {
    let of = net.id(of);
    let graph = net.brain(host).snapshot();
    let of = graph.nodes.into_iter().find(|node| node.id == of);
    of.map(|node| node.history).unwrap_or_default()
}

fn steps(net: &mut Net, host: HostId, of: HostId) -> Vec<Step> {
    let noted = history(net, host, of);
    noted.into_iter().map(|noted| noted.step).collect()
}

#[test]
fn a_life_is_told_from_its_first_record_to_its_end() {
    let mut net = Net::new(1);
    let [a, b] = [net.add(), net.add()];
    net.publish(a, "pose", 5);
    net.want(b, "pose");
    net.advance(2 * SEC);
    let told = steps(&mut net, b, a);
    assert!(told.contains(&Step::Shown(Source::Mdns)), "{told:?}");
    let linked = |step: &Step| matches!(step, Step::Linked { .. });
    let matched = Step::Matched(Kind::Publisher, "pose".parse().unwrap());
    let at = |what: &dyn Fn(&Step) -> bool| told.iter().position(what);
    let (linked, matched) = (at(&linked), at(&|step| *step == matched));
    assert!(linked.is_some() && linked < matched, "{told:?}");
    // What is wanted later is found at once.
    net.publish(a, "later", 6);
    net.advance(SEC);
    net.want(b, "later");
    let later = Step::Matched(Kind::Publisher, "later".parse().unwrap());
    assert_eq!(steps(&mut net, b, a).last(), Some(&later));
    net.kill(a);
    net.advance(SEC);
    let told = steps(&mut net, b, a);
    let end = [
        Step::LinkLost(LeaveReason::Unreachable),
        Step::Dialled(vec![net.host(a).address]),
        Step::NotReached(DialFailure::Refused),
        Step::Left(LeaveReason::Refused),
    ];
    assert!(told.windows(end.len()).any(|some| some == end), "{told:?}");
}

#[test]
fn who_stops_and_goes_on_is_told() {
    let mut net = Net::new(2);
    let [a, b] = [net.add(), net.add()];
    net.advance(2 * SEC);
    net.stop(a);
    let begin = net.now;
    while steps(&mut net, b, a).last() != Some(&Step::Suspect) {
        assert!(net.now < begin + 3 * SEC, "{:?}", steps(&mut net, b, a));
        net.advance(10 * MS);
    }
    net.go_on(a);
    net.advance(SEC);
    assert_eq!(steps(&mut net, b, a).last(), Some(&Step::Recovered));
}

#[test]
fn attempts_that_fail_alike_are_counted_and_not_listed() {
    let mut net = Net::new(3);
    let [a, b] = [net.add(), net.add()];
    net.cut(a, b);
    net.cut(b, a);
    net.advance(60 * SEC);
    let told = history(&mut net, b, a);
    let failed = told
        .iter()
        .find(|noted| matches!(noted.step, Step::NotReached(_)))
        .unwrap();
    assert!(failed.times > 3, "{told:?}");
    assert!(failed.last > failed.first + SEC, "{told:?}");
    assert!(told.len() < 6, "{told:?}");
}

#[test]
fn another_namespace_is_a_reason() {
    let mut net = Net::new(4);
    let a = net.add();
    let b = net.add_with(true, Namespace::new("lab").unwrap());
    net.advance(SEC);
    let told = steps(&mut net, a, b);
    let foreign = |step: &Step| matches!(step, Step::Foreign(why) if why.contains("lab"));
    assert!(told.iter().any(foreign), "{told:?}");
}

#[test]
fn only_the_latest_are_remembered() {
    let mut net = Net::new(5);
    let [a, b] = [net.add(), net.add()];
    for number in 0..2 * limits::HISTORY {
        let topic = format!("t{number}");
        net.publish(a, &topic, 5);
        net.want(b, &topic);
    }
    net.advance(2 * SEC);
    let told = steps(&mut net, b, a);
    assert_eq!(told.len(), limits::HISTORY);
    assert!(told.iter().all(|step| matches!(step, Step::Matched(..))));
}
