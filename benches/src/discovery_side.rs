//! Nodes that find, lose and call each other by name: what the times of `courses` are taken from. And the repeater beside a bare thread.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use colugo::{Event, LinkId, MissedTicks, Network, Node, NodeBuilder, RequestError};

use kit::Result;
use kit::Role;
use kit::child::{Link, Spec};
use kit::report::Report;
use kit::stats::{Usage, percentile};

/// What nodes can be asked to do when addresses are not known.
pub const ROLES: &[(&str, Role)] = &[
    ("node.cold", cold),
    ("node.talk", talk),
    ("node.listen", listen),
    ("node.watch", watch),
    ("node.silent", silent),
    ("node.ask", ask),
    ("node.crowd", crowd),
    ("node.member", member),
    ("node.quiet", idle),
    ("node.repeat", repeat),
    ("thread.repeat", repeat_bare),
];

const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "bench";
const TICK: Duration = Duration::from_millis(1);

fn node(spec: &Spec, name: &str) -> Result<Node> {
    Ok(Node::builder(name)
        .namespace(spec.text("ns")?)
        .network(Network::Host)
        .build()?)
}

/// Nothing but a node.
fn cold(spec: &Spec, link: &Link) -> Result<Report> {
    let _node = node(spec, "cold")?;
    link.ready("")?;
    Ok(Report::new())
}

/// Publishes at 1 kHz; leaves properly when told to stop.
fn talk(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec, "talker")?;
    let publisher = node.publisher(TOPIC).build()?;
    link.ready("")?;
    while !link.stopped_within(TICK) {
        publisher.send(b"tick")?;
    }
    node.close().wait()?;
    Ok(Report::new())
}

/// Ready with the first message.
fn listen(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec, "listener")?;
    let subscriber = node.subscriber(TOPIC).build()?;
    subscriber.recv_timeout(PATIENCE)?;
    link.ready("")?;
    Ok(Report::new())
}

/// Ready with the first message; then says `left` when a node has left, `again` when messages come by another link.
fn watch(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec, "watcher")?;
    let events = node.events();
    let subscriber = node.subscriber(TOPIC).build()?;
    let first = subscriber.recv_timeout(PATIENCE)?.meta.link;
    std::thread::spawn(move || {
        while let Some(event) = events.recv() {
            if matches!(event, Event::NodeLeft { .. }) {
                println!("left");
            }
        }
    });
    link.ready("")?;
    let mut current: LinkId = first;
    loop {
        let from = subscriber.recv_timeout(PATIENCE)?.meta.link;
        if from != current {
            current = from;
            link.say("again");
        }
    }
}

/// A server that takes requests and never answers them.
fn silent(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec, "server")?;
    let server = node.reply_server(TOPIC).build()?;
    link.ready("")?;
    let mut kept = Vec::new();
    for _ in 0..spec.count()? {
        kept.push(server.recv_timeout(PATIENCE)?);
    }
    link.say("taken");
    link.wait_for_stop();
    Ok(Report::new())
}

/// So many nodes, each with as many topics, that know nothing but the address of a hub, which starts last: until each knows all of all.
///
/// The sockets are there before the clock starts: to find 10,000 free ports takes the kernel ten times as long as all the rest.
fn crowd(spec: &Spec, link: &Link) -> Result<Report> {
    let (nodes, topics) = (spec.count()?, spec.number("topics", 1)?);
    // Below those that the kernel gives to the topics.
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    let port = (10_000..30_000).find(free).ok_or("no port is free")?;
    let address = format!("tcp://127.0.0.1:{port}");
    let mut crowd = Vec::new();
    for number in 0..nodes {
        let node = builder(spec, &format!("n{number}"), "tcp://127.0.0.1:0")?
            .peer(&address)
            .build()?;
        let publishers = (0..topics)
            .map(|topic| node.publisher(&format!("n{number}/t{topic}")).build())
            .collect::<std::result::Result<Vec<_>, _>>()?;
        crowd.push((node, publishers));
    }
    link.ready("")?;
    let usage = Usage::start();
    let begin = Instant::now();
    let _hub = builder(spec, "hub", &address)?.hub(true).build()?;
    know(crowd.iter().map(|(node, _)| node), nodes * topics, begin)?;
    Ok(usage
        .report()
        .with("ms", begin.elapsed().as_secs_f64() * 1e3))
}

/// Waits until each of these nodes knows as many announcements.
fn know<'a>(nodes: impl Iterator<Item = &'a Node>, whole: usize, begin: Instant) -> Result<()> {
    for node in nodes {
        while node.graph_size().announcements < whole {
            if begin.elapsed() > PATIENCE {
                return Err(format!("{:?} is all that one knows", node.graph_size()).into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// One of `count` nodes with `topics` topics of its own each, all found by discovery. Ready when it knows all of all.
fn member(spec: &Spec, link: &Link) -> Result<Report> {
    let (nodes, topics) = (spec.count()?, spec.number("topics", 1)?);
    let name = format!("n{}", std::process::id());
    let node = node(spec, &name)?;
    let _publishers = (0..topics)
        .map(|topic| node.publisher(&format!("{name}/t{topic}")).build())
        .collect::<std::result::Result<Vec<_>, _>>()?;
    know([&node].into_iter(), nodes * topics, Instant::now())?;
    link.ready("")?;
    link.wait_for_stop();
    Ok(Report::new())
}

/// A hub and `count` nodes that share no topic, in one process: what goes over the loopback interface while nothing happens, headers included.
fn idle(spec: &Spec, link: &Link) -> Result<Report> {
    const SETTLED: Duration = Duration::from_secs(3);
    let nodes = spec.count()?;
    let hub = builder(spec, "hub", "tcp://127.0.0.1:0")?
        .hub(true)
        .build()?;
    let address = hub.control_address().ok_or("no control port")?;
    let address = format!("tcp://127.0.0.1:{}", address.port());
    let mut idle = Vec::new();
    for number in 0..nodes {
        let node = builder(spec, &format!("n{number}"), "tcp://127.0.0.1:0")?
            .peer(&address)
            .build()?;
        let publisher = node.publisher(&format!("n{number}/t")).build()?;
        idle.push((node, publisher));
    }
    know(idle.iter().map(|(node, _)| node), nodes, Instant::now())?;
    std::thread::sleep(SETTLED);
    link.ready("")?;
    let (before, began) = (loopback_octets()?, Instant::now());
    std::thread::sleep(ticking(spec)?);
    let octets = loopback_octets()? - before;
    Ok(Report::new().with("bytes_s", octets as f64 / began.elapsed().as_secs_f64()))
}

/// What the loopback interface has carried, of all processes, with link headers.
fn loopback_octets() -> Result<u64> {
    let counters = std::fs::read_to_string("/proc/net/dev")?;
    let line = counters
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    let received = line.and_then(|line| line.split_whitespace().next());
    Ok(received
        .ok_or("the system does not count what goes over lo")?
        .parse()?)
}

fn builder(spec: &Spec, name: &str, listen: &str) -> Result<NodeBuilder> {
    Ok(Node::builder(name)
        .namespace(spec.text("ns")?)
        .network(Network::Peers)
        .listen(listen))
}

/// Sends `count` requests that will not be answered, and says how many ended with `Disconnected` when all have ended.
fn ask(spec: &Spec, link: &Link) -> Result<Report> {
    let node = node(spec, "client")?;
    let client = node.request_client(TOPIC).timeout(PATIENCE).build()?;
    client.wait_for_server(PATIENCE)?;
    link.ready("")?;
    let pending: Vec<_> = (0..spec.count()?)
        .map(|_| client.request(b"?").start())
        .collect();
    let mut disconnected = 0;
    let mut others = 0;
    for request in pending {
        match request.wait() {
            Err(RequestError::Disconnected { .. }) => disconnected += 1,
            _ => others += 1,
        }
    }
    Ok(Report::new()
        .with("disconnected", f64::from(disconnected))
        .with("others", f64::from(others)))
}

/// How late the ticks of a repeater are, how many there are, and how many it says it left out.
fn repeat(spec: &Spec, link: &Link) -> Result<Report> {
    let node = Node::builder("repeater").network(Network::Peers).build()?;
    let (sender, ticks) = channel();
    let missed = if spec.flag("skip") {
        MissedTicks::Skip
    } else {
        MissedTicks::Burst
    };
    link.ready("")?;
    let (began, time) = (Instant::now(), ticking(spec)?);
    let repeater = node.repeater(TICK).missed(missed).on_tick(move || {
        let _ = sender.send(Instant::now());
    })?;
    node.run_for(time)?;
    let ticks: Vec<_> = ticks.try_iter().collect();
    let left_out = repeater.stats().lost;
    Ok(lateness(&ticks)
        .with("amiss", amiss(&ticks, left_out, began, time))
        .with("left_out", left_out as f64))
}

/// Ten times as long as other runs: what drifts or is left out adds up.
fn ticking(spec: &Spec) -> Result<Duration> {
    Ok(spec.duration()? * 10)
}

/// The same by a thread that does nothing else.
fn repeat_bare(spec: &Spec, link: &Link) -> Result<Report> {
    link.ready("")?;
    let mut ticks = Vec::new();
    let start = Instant::now();
    let mut due = start;
    let time = ticking(spec)?;
    while start.elapsed() < time {
        due += TICK;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        ticks.push(Instant::now());
    }
    Ok(lateness(&ticks).with("amiss", amiss(&ticks, 0, start, time)))
}

/// How many ticks there were too few or too many, those counted as left out among them.
fn amiss(ticks: &[Instant], left_out: u64, began: Instant, time: Duration) -> f64 {
    let came = ticks.iter().filter(|tick| **tick <= began + time).count();
    (came as f64 + left_out as f64 - time.as_secs_f64() / TICK.as_secs_f64()).abs()
}

/// Against a grid of 1 ms, laid so that the earliest ticks of all are on it: after the longest stretch of the millisecond without any.
fn lateness(ticks: &[Instant]) -> Report {
    let Some(&first) = ticks.first() else {
        return Report::new();
    };
    let period = TICK.as_secs_f64() * 1e6;
    let mut phases: Vec<f64> = ticks
        .iter()
        .map(|tick| ((*tick - first).as_secs_f64() * 1e6).rem_euclid(period))
        .collect();
    phases.sort_by(f64::total_cmp);
    let around = phases.last().map_or(0.0, |last| last - period);
    let gaps = std::iter::once(around)
        .chain(phases.iter().copied())
        .zip(&phases)
        .map(|(before, phase)| (phase - before, *phase));
    let earliest = gaps
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(0.0, |(_, phase)| phase);
    let late: Vec<f64> = phases
        .iter()
        .map(|phase| (phase - earliest).rem_euclid(period))
        .collect();
    let at = |share| percentile(&late, share).unwrap_or(f64::NAN);
    Report::new()
        .with("p50_us", at(0.5))
        .with("p99_us", at(0.99))
        .with("ticks", ticks.len() as f64)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    #[test]
    fn lateness_is_against_the_earliest_ticks_wherever_the_grid_begins() {
        let start = Instant::now();
        let late = [30, 0, 10, 0, 0, 0, 0, 0, 0, 0];
        let ticks: Vec<_> = (0..)
            .zip(late)
            .map(|(n, late)| start + Duration::from_micros(n * 1000 + 990 + late))
            .collect();
        let report = super::lateness(&ticks);
        assert!(report.figure("p50_us").unwrap().abs() < 1e-6, "{report}");
        assert!(
            (report.figure("p99_us").unwrap() - 30.0).abs() < 1e-6,
            "{report}"
        );
    }
}
