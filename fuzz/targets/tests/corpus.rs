//! Without a fuzzer: each target gets the seeds, the corpus, and octets changed by rule and seed, so that something is tried everywhere.
//!
//! `COLUGO_FUZZ_MILLIS` is how long each target is tried with changed octets; the default is half a second. `COLUGO_FUZZ_CORPUS` is a
//! folder with more inputs, a folder per target.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use colugo_fuzz_targets::{TARGETS, seeds};

/// Longest input: what the targets make of more is the same, slower.
const MOST: usize = 2048;

/// Small, and the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// One to four changes: an octet, a bit, a piece doubled, removed or from another input.
fn change(random: &mut Random, input: &[u8], other: &[u8]) -> Vec<u8> {
    const TELLING: [u8; 12] = [0, 1, 2, 4, 5, 9, 0x7f, 0x80, 0xfe, 0xff, b'=', b'.'];
    let mut octets = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(octets.len() + 1);
        let len = 1 + random.below(8);
        let end = (at + len).min(octets.len());
        match random.below(6) {
            0 if at < octets.len() => octets[at] = random.below(256) as u8,
            1 if at < octets.len() => octets[at] = TELLING[random.below(TELLING.len())],
            2 if at < octets.len() => octets[at] ^= 1 << random.below(8),
            3 => drop(octets.drain(at..end)),
            4 => {
                let piece = octets[at..end].to_vec();
                octets.splice(at..at, piece);
            }
            _ => {
                let from = random.below(other.len() + 1);
                let piece = other[from..(from + len * 4).min(other.len())].to_vec();
                octets.splice(at..at, piece);
            }
        }
    }
    octets.truncate(MOST);
    octets
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let more = std::env::var_os("COLUGO_FUZZ_CORPUS").map(PathBuf::from);
    let folders = more.into_iter().chain([ours]);
    let mut inputs: Vec<Vec<u8>> = seeds()
        .into_iter()
        .filter(|(of, _)| *of == target)
        .map(|(_, input)| input)
        .collect();
    let mut paths: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(folder.join(target)))
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    inputs.extend(
        paths
            .iter()
            .map(|path| std::fs::read(path).expect("a file")),
    );
    inputs.push(Vec::new());
    inputs
}

/// Says which input it was when a target panics.
struct Trying<'a>(&'a str, &'a [u8]);

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} with b\"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

fn try_it(name: &str, target: fn(&[u8]), input: &[u8]) {
    let trying = Trying(name, input);
    target(input);
    drop(trying);
}

#[test]
fn every_target_holds_for_its_corpus_and_for_changes_of_it() {
    let millis = std::env::var("COLUGO_FUZZ_MILLIS");
    let millis = millis.ok().and_then(|text| text.parse().ok());
    let limit = Duration::from_millis(millis.unwrap_or(500));
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(inputs.len() > 1, "{name} has no corpus");
        for input in &inputs {
            try_it(name, target, input);
        }
        let (started, mut tried) = (Instant::now(), 0);
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        while started.elapsed() < limit {
            let input = &inputs[random.below(inputs.len())];
            let other = &inputs[random.below(inputs.len())];
            try_it(name, target, &change(&mut random, input, other));
            tried += 1;
        }
        println!(
            "{name:<17} {:>5} inputs {tried:>8} changed ones",
            inputs.len()
        );
    }
}

/// `COLUGO_FUZZ_SEEDS` is a folder into which the seeds are to be written, a folder per target.
#[test]
fn seeds_can_be_written_for_a_fuzzer() {
    let Some(folder) = std::env::var_os("COLUGO_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    for (n, (target, input)) in seeds().into_iter().enumerate() {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("seed-{n}")), input).unwrap();
    }
}
