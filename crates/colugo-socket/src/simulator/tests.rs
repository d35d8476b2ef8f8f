//! Seeds by the thousand, that a seed is a run, and that what is broken is found.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Run, Sabotage, run};

/// Runs of an ordinary test run, in so many tests, which may have a processor each.
const SEEDS: u64 = 2_000;

fn check(seed: u64) -> Run {
    match run(seed, None) {
        Ok(run) => run,
        Err(what) => panic!(
            "seed {seed}: {what}\nto see all of it: COLUGO_SIM_SEED={seed} cargo test -p colugo-socket --lib simulator::tests::one_seed"
        ),
    }
}

/// The seed that the environment names, else the first.
#[test]
fn one_seed() {
    let named = std::env::var("COLUGO_SIM_SEED").ok();
    let seed = named
        .as_ref()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(0);
    let run = check(seed);
    if named.is_some() {
        for entry in &run.entries {
            println!("{entry:?}");
        }
        println!("{} messages arrived", run.messages);
    }
}

fn eighth(number: u64) {
    let each = SEEDS / 8;
    let mut messages = 0;
    let mut losses = 0;
    for seed in number * each..(number + 1) * each {
        let run = check(seed);
        messages += run.messages;
        losses += run.losses;
    }
    // A simulator in which nothing is said or nothing goes wrong would find nothing.
    assert!(messages > each * 20, "{messages} messages in {each} runs");
    assert!(
        losses > each * 2,
        "{losses} lost connections in {each} runs"
    );
}

#[test]
fn nothing_is_lost_uncounted_first_eighth() {
    eighth(0);
}

#[test]
fn nothing_is_lost_uncounted_second_eighth() {
    eighth(1);
}

#[test]
fn nothing_is_lost_uncounted_third_eighth() {
    eighth(2);
}

#[test]
fn nothing_is_lost_uncounted_fourth_eighth() {
    eighth(3);
}

#[test]
fn nothing_is_lost_uncounted_fifth_eighth() {
    eighth(4);
}

#[test]
fn nothing_is_lost_uncounted_sixth_eighth() {
    eighth(5);
}

#[test]
fn nothing_is_lost_uncounted_seventh_eighth() {
    eighth(6);
}

#[test]
fn nothing_is_lost_uncounted_eighth_eighth() {
    eighth(7);
}

#[test]
fn a_seed_is_the_same_run_each_time() {
    for seed in 0..20 {
        let first = check(seed).entries;
        let second = check(seed).entries;
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        if let Some(at) = differs {
            panic!("seed {seed} differs: {:?} and {:?}", first[at], second[at]);
        }
        assert_eq!(first.len(), second.len());
    }
    let other = |seed| check(seed).entries;
    assert_ne!(other(1), other(2));
}

/// One of the first seeds finds it, and says one of these.
fn finds(broken: Sabotage, saying: &[&str]) {
    let found = (0..300).find_map(|seed| run(seed, Some(broken)).err());
    let Some(what) = found else {
        panic!("{broken:?} is not found");
    };
    assert!(
        saying.iter().any(|words| what.contains(words)),
        "{broken:?} is found, but for another reason: {what}"
    );
}

#[test]
fn a_subscription_that_is_not_renewed_is_found() {
    finds(Sabotage::NoResubscribe, &["subscribers and not"]);
}

#[test]
fn a_message_sent_twice_is_found() {
    finds(Sabotage::SendsTwice, &["arrived already", "but says"]);
}

#[test]
fn a_loss_that_is_not_counted_is_found() {
    finds(Sabotage::CountsNoLoss, &["but says"]);
}

#[test]
fn a_dialler_that_gives_up_is_found() {
    finds(Sabotage::NoRedialAfterNonsense, &["peers and not"]);
}

#[test]
fn a_hole_in_a_connection_is_found() {
    finds(
        Sabotage::LosesABatch,
        &[
            "of its link, after",
            "of a connection",
            "says why not",
            "never went down",
            "has arrived",
            "have not heard",
        ],
    );
}

#[test]
fn a_queue_without_bound_is_found() {
    finds(Sabotage::NoBackpressure, &["in the inbox, the limit is"]);
}

#[test]
fn an_answer_to_another_is_found() {
    finds(Sabotage::AnswersTheFirst, &["which is for"]);
}

#[test]
fn a_task_that_is_left_is_found() {
    finds(Sabotage::LeavesATask, &["tasks are left"]);
}

/// `cargo xtask soak simulator`: so many seeds, from one on, on all processors. Without that command: none but those above.
#[test]
fn soak() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let Some(seeds) = number("COLUGO_SIM_SEEDS") else {
        return;
    };
    let from = number("COLUGO_SIM_FROM").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, messages, losses, slowest_ms) = (
        AtomicU64::new(from),
        AtomicU64::new(0),
        AtomicU64::new(0),
        AtomicU64::new(0),
    );
    let began = Instant::now();
    let failed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || crate::gate::lock(&failed).len() >= 10 {
                        return;
                    }
                    match run(seed, None) {
                        Ok(run) => {
                            messages.fetch_add(run.messages, Ordering::Relaxed);
                            losses.fetch_add(run.losses, Ordering::Relaxed);
                            slowest_ms
                                .fetch_max(run.healed_in.as_millis() as u64, Ordering::Relaxed);
                        }
                        Err(what) => {
                            println!("seed {seed} FAILED: {what}");
                            crate::gate::lock(&failed).push(seed);
                        }
                    }
                }
            });
        }
        let mut told = Instant::now();
        while next.load(Ordering::Relaxed) < from + seeds && crate::gate::lock(&failed).len() < 10 {
            std::thread::sleep(Duration::from_millis(100));
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                let done = next.load(Ordering::Relaxed) - from;
                println!(
                    "{done} of {seeds} seeds, {} failed, {:.0?}",
                    crate::gate::lock(&failed).len(),
                    began.elapsed()
                );
            }
        }
    });
    let failed = crate::gate::lock(&failed).clone();
    println!(
        "{} seeds from {from} in {:.1?}: {} messages arrived, {} connections were lost, everybody was connected again after at most {} ms of \
         virtual time, {} seeds failed",
        next.load(Ordering::Relaxed).min(from + seeds) - from,
        began.elapsed(),
        messages.load(Ordering::Relaxed),
        losses.load(Ordering::Relaxed),
        slowest_ms.load(Ordering::Relaxed),
        failed.len()
    );
    assert!(failed.is_empty(), "seeds {failed:?} failed");
}
