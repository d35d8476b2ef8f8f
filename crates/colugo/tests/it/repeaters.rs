//! Repeaters and delays on the virtual clock; and one second of real ticks.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use colugo::testing::Net;
use colugo::{MissedTicks, Network, Node};

use crate::{Done, SOON, ms};

/// Ticks every 10 ms; the third one takes 35 ms. Returns when they came.
fn ticks(missed: MissedTicks) -> Result<Vec<u128>, Box<dyn std::error::Error>> {
    let net = Net::new();
    let node = net.node("a")?;
    let never = node.subscriber("never").build()?;
    let times = Arc::new(Mutex::new(Vec::new()));
    let (seen, clock, begun) = (times.clone(), net.clone(), net.now());
    let repeater = node.repeater(ms(10)).missed(missed).on_tick(move || {
        let mut times = seen.lock().unwrap();
        times.push((clock.now() - begun).as_millis());
        let third = times.len() == 3;
        drop(times);
        if third {
            never.recv_timeout(ms(35)).ok();
        }
    })?;
    net.advance(ms(100));
    assert_eq!(
        repeater.stats().received as usize,
        times.lock().unwrap().len()
    );
    let times = times.lock().unwrap().clone();
    Ok(times)
}

#[test]
fn due_times_are_exact_whatever_is_done_with_missed_ticks() -> Done {
    assert_eq!(ticks(MissedTicks::Skip)?, [10, 20, 30, 65, 70, 80, 90, 100]);
    assert_eq!(
        ticks(MissedTicks::Burst)?,
        [10, 20, 30, 65, 65, 65, 70, 80, 90, 100]
    );
    assert_eq!(ticks(MissedTicks::Delay)?, [10, 20, 30, 65, 75, 85, 95]);
    Ok(())
}

#[test]
fn a_repeater_stops_and_starts_and_counts_from_its_start() -> Done {
    let net = Net::new();
    let node = net.node("a")?;
    let times = Arc::new(Mutex::new(Vec::new()));
    let (seen, clock, begun) = (times.clone(), net.clone(), net.now());
    let repeater = node
        .repeater(ms(10))
        .on_tick(move || seen.lock().unwrap().push((clock.now() - begun).as_millis()))?;
    net.advance(ms(25));
    repeater.stop();
    net.advance(ms(28));
    repeater.start();
    repeater.start();
    net.advance(ms(22));
    assert_eq!(*times.lock().unwrap(), [10, 20, 63, 73]);
    drop(repeater);
    net.advance(ms(100));
    assert_eq!(times.lock().unwrap().len(), 4);
    Ok(())
}

#[test]
fn timers_of_several_nodes_fire_in_the_order_they_are_due() -> Done {
    let net = Net::new();
    let (a, b) = (net.node("a")?, net.node("b")?);
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let order = order.clone();
        move || order.lock().unwrap().push(name)
    };
    let _guards = [
        a.after(ms(20), note("a20"))?,
        b.after(ms(10), note("b10"))?,
        a.after(ms(15), note("a15"))?,
        b.after(ms(15), note("b15"))?,
    ];
    drop(a.after(ms(12), note("cancelled"))?);
    net.advance(ms(50));
    assert_eq!(*order.lock().unwrap(), ["b10", "a15", "b15", "a20"]);
    Ok(())
}

#[test]
fn a_thousand_real_ticks_at_1_khz_are_none_early_and_none_missed() -> Done {
    let node = Node::builder("ticks").network(Network::Peers).build()?;
    let (stop, early) = (node.stop_handle(), Arc::new(AtomicU32::new(0)));
    let (mut ticks, counted) = (0, early.clone());
    let begun = Instant::now();
    let repeater = node
        .repeater(ms(1))
        .missed(MissedTicks::Burst)
        .on_tick(move || {
            ticks += 1;
            counted.fetch_add(u32::from(begun.elapsed() < ms(ticks)), Ordering::Relaxed);
            if ticks == 1_000 {
                stop.stop();
            }
        })?;
    node.run_for(SOON)?;
    assert_eq!(
        (repeater.stats().received, early.load(Ordering::Relaxed)),
        (1_000, 0)
    );
    Ok(())
}

#[test]
#[ignore = "takes ten seconds of a quiet machine"]
fn ten_seconds_at_1_khz_have_ten_thousand_ticks() -> Done {
    let node = Node::builder("ticks").network(Network::Peers).build()?;
    let repeater = node
        .repeater(ms(1))
        .missed(MissedTicks::Burst)
        .on_tick(|| {})?;
    node.run_for(SOON)?;
    let ticks = repeater.stats().received;
    assert!((9_998..=10_002).contains(&ticks), "{ticks}");
    Ok(())
}
