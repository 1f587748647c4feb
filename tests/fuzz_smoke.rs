//! Every fuzz target on seeded mutations of its seeds: no input may panic. `HITSTONE_FUZZ_ROUNDS` asks for more of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;
#[path = "support/random.rs"]
#[allow(dead_code, reason = "each test binary uses a part of this")]
mod random;

use std::panic::catch_unwind;

const ROUNDS: usize = 1_000;

#[test]
fn no_input_panics() {
    let mut random = random::Random::from_environment("no_input_panics");
    let rounds = std::env::var("HITSTONE_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds = rounds.unwrap_or(ROUNDS);
    for (name, run, seeds) in fuzz::TARGETS {
        let seeds = seeds();
        for seed in &seeds {
            run(seed);
        }
        for round in 0..rounds {
            let input = match round % 10 {
                0 => random.bytes(round / 2 % 4_096),
                1..5 => random.mutate_in_place(&seeds[round % seeds.len()]),
                _ => random.mutate(&seeds[round % seeds.len()]),
            };
            let outcome = catch_unwind(|| run(&input));
            assert!(outcome.is_ok(), "{name}, round {round}: {:?}", String::from_utf8_lossy(&input));
        }
        println!("{name}: {rounds} mutations of {} seeds", seeds.len());
    }
}
