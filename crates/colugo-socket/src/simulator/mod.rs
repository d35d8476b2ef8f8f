//! The simulator: real sockets of ours, the whole of their dialling, listening, handshakes, sessions and queues, on a virtual network and in
//! virtual time, in one thread. A seed decides what they say and what goes wrong: delays, resets, connections that one side forgets,
//! silence one way or both ways, stalls, slow readers, restarts with and without a word and elsewhere, strangers who break the protocol.
//! `history` says what must be true of each run. A run that fails prints its seed; the same seed is the same run.
//!
//! Only in tests: time comes from `clock`, chance from `random`, and connections from `inproc`, each with one place where a run steps in.

mod dice;
mod history;
mod impostor;
mod network;
mod node;
mod sabotage;
#[cfg(test)]
mod tests;
mod traffic;
mod wire;
mod world;

use std::time::Duration;

use dice::Dice;
use history::Entry;
pub(crate) use network::Network;
pub(crate) use sabotage::{
    Sabotage, gives_up, is as is_sabotaged, one_in as is_sabotaged_one_in, redirected,
};
use world::World;

use crate::clock::simulated;
use crate::random::seeded;
use crate::runtime::pretend_data_thread;

/// How a run went well.
#[derive(Debug, Default)]
struct Run {
    entries: Vec<Entry>,
    messages: u64,
    losses: u64,
    healed_in: Duration,
}

/// One run from its seed. The error is what was not true.
fn run(seed: u64, broken: Option<Sabotage>) -> Result<Run, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| error.to_string())?;
    let result = runtime.block_on(async {
        let mut dice = Dice::new(seed);
        seeded::set(Some(dice.seed()));
        simulated::set(Some(*dice.pick(&[7_000, 15_000, 30_000, 70_000])));
        sabotage::set(broken);
        crate::spares::clear();
        pretend_data_thread(true);
        play(dice).await
    });
    drop(runtime);
    seeded::set(None);
    simulated::set(None);
    sabotage::set(None);
    pretend_data_thread(false);
    result
}

async fn play(dice: Dice) -> Result<Run, String> {
    let mut world = World::new(dice);
    let mut ended = through_trouble(&mut world).await;
    if ended.is_ok() {
        ended = world.close().await;
    }
    let history = world.history;
    match ended {
        Err(what) => Err(told(what, &history.entries)),
        Ok(()) => Ok(Run {
            messages: history.messages(),
            losses: history.losses(),
            healed_in: world.healed_in,
            entries: history.entries,
        }),
    }
}

async fn through_trouble(world: &mut World) -> Result<(), String> {
    let steps = world.dice.within(10, 50);
    for _ in 0..steps {
        let pause = match world.dice.below(4) {
            0 => Duration::ZERO,
            1 => world.dice.ms(200, 800),
            _ => world.dice.ms(1, 50),
        };
        tokio::time::sleep(pause).await;
        world.tick()?;
        world.act()?;
    }
    world.heal().await?;
    world.probe().await
}

/// What was not true, after what had happened last.
fn told(what: String, entries: &[Entry]) -> String {
    let shown = if std::env::var_os("COLUGO_SIM_SEED").is_some() {
        entries.len()
    } else {
        12
    };
    let from = entries.len().saturating_sub(shown);
    let last: String = entries[from..]
        .iter()
        .map(|entry| format!("\n  {entry:?}"))
        .collect();
    format!("{what}; before that:{last}")
}
