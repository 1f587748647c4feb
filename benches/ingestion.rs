//! Ingestion over HTTP against an empty server of the same make, interleaved in one run: what is left of what HTTP
//! itself allows when events are enriched, stored and synced before they are answered.
//!
//! ```text
//! cargo bench --bench ingestion
//! cargo bench --bench ingestion -- --long 10000000                  # then how rates hold over ten million events
//! cargo bench --bench ingestion -- --against ../before/hitstone     # another Hitstone beside this one
//! cargo bench --bench ingestion -- --only Prisme --connections 64 --seconds 2 --rounds 5
//! ```
//!
//! Rates are events per second of the server's processor time, so the driver, which shares the machine, does not count.
//! Each figure is the median of the rounds, and each ratio the median of the rounds' ratios. In the end what is stored
//! must be what was answered; nothing else is asserted.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a program of its own"
)]

#[path = "ingestion/driver.rs"]
mod driver;
#[path = "ingestion/reference.rs"]
mod reference;
#[path = "ingestion/subject.rs"]
mod subject;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "ingestion/traffic.rs"]
mod traffic;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use driver::{Driver, Load, Outcome};
use subject::Subject;
use support::http::Request;
use traffic::{Route, Traffic};

/// The argument that makes this program the reference server.
const REFERENCE: &str = "--be-the-reference";
/// Connections of singles where nothing else is said.
const CONNECTIONS: &str = "16,64,256,1024";
const BATCH_CONNECTIONS: usize = 16;
const LATENCY_CONNECTIONS: usize = 64;
/// What is posted before each measurement of a subject.
const WARM_UP: Duration = Duration::from_millis(300);

struct Settings {
    hitstone: PathBuf,
    against: Option<PathBuf>,
    round: Duration,
    rounds: usize,
    /// Only what has this in its name.
    only: String,
    long: u64,
    connections: Vec<usize>,
}

impl Settings {
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(REFERENCE) {
        return reference::serve(&arguments.collect::<Vec<_>>());
    }
    let number =
        |name, default: u64| argument(name).map_or(default, |text| text.replace('_', "").parse().unwrap());
    let connections = argument("--connections").unwrap_or_else(|| CONNECTIONS.to_owned());
    let settings = Settings {
        hitstone: argument("--hitstone").map_or_else(|| env!("CARGO_BIN_EXE_hitstone").into(), PathBuf::from),
        against: argument("--against").map(PathBuf::from),
        round: Duration::from_secs(number("--seconds", 3)),
        rounds: number("--rounds", 3) as usize,
        only: argument("--only").unwrap_or_default(),
        long: number("--long", 0),
        connections: connections.split(',').map(|count| count.parse().unwrap()).collect(),
    };
    for route in [Route::Prisme, Route::Pirsch, Route::PirschBatch] {
        if settings.wants(route.name()) {
            compare(&settings, route);
        }
    }
    if settings.long > 0 {
        fill(&settings);
    }
}

fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name)?;
    arguments.next()
}

/// A server with the traffic that only it gets.
struct Runner {
    name: &'static str,
    subject: Subject,
    traffic: Traffic,
    route: Route,
    answered: u64,
}

/// What was measured in one round.
struct Measured {
    outcome: Outcome,
    per_second: f64,
    per_processor_second: f64,
}

impl Runner {
    fn new(name: &'static str, subject: Subject, route: Route, first: u64) -> Self {
        let traffic = Traffic::new(route, subject.access_key(), first);
        Self { name, subject, traffic, route, answered: 0 }
    }

    fn run(&mut self, driver: &mut Driver, load: Load) -> Measured {
        let before = self.subject.processor_seconds();
        let outcome = driver.post(load, &mut self.traffic);
        let spent = self.subject.processor_seconds() - before;
        self.answered += outcome.answered * self.route.events() as u64;
        let events = outcome.answered as f64 * self.route.events() as f64;
        Measured {
            per_second: events / outcome.seconds,
            per_processor_second: events / spent.max(0.01),
            outcome,
        }
    }

    /// As fast as answers come, on connections of its own, warm.
    fn run_freely(&mut self, connections: usize, time: Duration) -> Measured {
        let mut driver = Driver::connect(self.subject.address, connections);
        let load = Load { time: WARM_UP, requests: u64::MAX, rate: None };
        self.run(&mut driver, load);
        self.run(&mut driver, Load { time, ..load })
    }

    /// At a fixed rate of requests.
    fn run_at(&mut self, rate: f64, time: Duration) -> Measured {
        let mut driver = Driver::connect(self.subject.address, LATENCY_CONNECTIONS);
        self.run(&mut driver, Load { time, requests: u64::MAX, rate: Some(rate) })
    }

    fn check_stored(&self) {
        let stored = self.subject.stored();
        assert_eq!(stored, self.answered, "{}: stored, and answered", self.name);
        println!("{}: {stored} events answered, as many stored", self.name);
    }
}

/// Hitstone, the reference and perhaps another Hitstone, round by round.
fn compare(settings: &Settings, route: Route) {
    let hitstone = Runner::new("Hitstone", Subject::hitstone(&settings.hitstone), route, 0);
    let mut sample = Vec::new();
    let mut traffic = Traffic::new(route, hitstone.subject.access_key(), 1 << 40);
    traffic.write(&mut sample);
    let reference = Runner::new("empty server", Subject::reference(&hitstone.subject, &sample), route, 0);
    let mut runners = vec![hitstone, reference];
    runners[0].answered += route.events() as u64;
    let other = settings.against.as_ref().map(|program| Subject::hitstone(program));
    runners.extend(other.map(|subject| Runner::new("other Hitstone", subject, route, 0)));

    println!("\n{}, durable answers", route.name());
    println!(
        "{:>12} {:>15} {:>12} {:>14} {:>9} {:>9} {:>9} {:>9} {:>22}",
        "connections", "", "events/s", "events/CPU-s", "ratio", "p50 ms", "p99 ms", "p99.9 ms", "rounds"
    );
    let batched = [BATCH_CONNECTIONS];
    let connections = if route == Route::PirschBatch { &batched[..] } else { &settings.connections };
    let tops = connections.iter().map(|count| (*count, measure(settings, &mut runners, *count)));
    let tops: Vec<(usize, f64)> = tops.collect();
    let at = tops.iter().find(|(count, _)| *count == LATENCY_CONNECTIONS).or(tops.first());
    let top = at.map_or(0.0, |(_, top)| *top);
    for runner in runners.iter_mut().filter(|runner| runner.name != "empty server") {
        let rate = top / 2.0 / route.events() as f64;
        let measured = runner.run_at(rate, settings.round * 2);
        println!("at a fixed rate, half of the top:");
        line(LATENCY_CONNECTIONS, runner.name, &[measured], None);
        runner.check_stored();
        println!("{}: {}", runner.name, runner.subject.memory());
    }
}

/// Gives the first one's events a second.
fn measure(settings: &Settings, runners: &mut [Runner], connections: usize) -> f64 {
    let mut all: Vec<Vec<Measured>> = runners.iter().map(|_| Vec::new()).collect();
    for _ in 0..settings.rounds {
        for (runner, measured) in runners.iter_mut().zip(&mut all) {
            measured.push(runner.run_freely(connections, settings.round));
        }
    }
    for (at, runner) in runners.iter().enumerate() {
        let ratio = median(
            all[at]
                .iter()
                .zip(&all[1])
                .map(|(own, empty)| own.per_processor_second / empty.per_processor_second),
        );
        line(connections, runner.name, &all[at], (at != 1).then_some(ratio));
    }
    median(all[0].iter().map(|measured| measured.per_second))
}

fn line(connections: usize, name: &str, rounds: &[Measured], ratio: Option<f64>) {
    let of = |figure: &dyn Fn(&Measured) -> f64| median(rounds.iter().map(figure));
    let each: Vec<String> =
        rounds.iter().map(|round| format!("{:.0}k", round.per_processor_second / 1e3)).collect();
    println!(
        "{connections:>12} {name:>15} {:>12.0} {:>14.0} {:>9} {:>9.2} {:>9.2} {:>9.2} {:>22}",
        of(&|round| round.per_second),
        of(&|round| round.per_processor_second),
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        of(&|round| round.outcome.percentile(0.5)),
        of(&|round| round.outcome.percentile(0.99)),
        of(&|round| round.outcome.percentile(0.999)),
        each.join(" "),
    );
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Fills one server in ten steps, and measures singles after each; then beside statistics and compaction.
fn fill(settings: &Settings) {
    let subject = Subject::hitstone(&settings.hitstone);
    println!("\nfilled with {} events; idle at first: {}", settings.long, subject.memory());
    println!(
        "{:>12} {:>15} {:>14} | {:>15} {:>14} {:>9}",
        "events", "batches, ev/s", "ev/CPU-s", "singles, ev/s", "ev/CPU-s", "p99 ms"
    );
    let mut batches = Runner::new("Hitstone", subject, Route::PirschBatch, 0);
    let mut singles = Traffic::new(Route::Prisme, "", 1 << 40);
    let mut single = |batches: &mut Runner, time: Duration| {
        // The same server under other traffic.
        std::mem::swap(&mut batches.traffic, &mut singles);
        batches.route = Route::Prisme;
        let measured = batches.run_freely(LATENCY_CONNECTIONS, time);
        std::mem::swap(&mut batches.traffic, &mut singles);
        batches.route = Route::PirschBatch;
        measured
    };
    for step in 1..=10 {
        let requests =
            (settings.long * step / 10).saturating_sub(batches.answered) / traffic::BATCH_ITEMS as u64;
        let mut driver = Driver::connect(batches.subject.address, BATCH_CONNECTIONS);
        let time = Duration::from_secs(3600);
        let load = Load { time, requests, rate: None };
        let filled = batches.run(&mut driver, load);
        let measured = single(&mut batches, settings.round);
        println!(
            "{:>12} {:>15.0} {:>14.0} | {:>15.0} {:>14.0} {:>9.2}",
            batches.answered,
            filled.per_second,
            filled.per_processor_second,
            measured.per_second,
            measured.per_processor_second,
            measured.outcome.percentile(0.99)
        );
    }
    println!("{}", batches.subject.memory());
    println!("singles on {LATENCY_CONNECTIONS} connections:");
    for _ in 0..settings.rounds {
        line(LATENCY_CONNECTIONS, "alone", &[single(&mut batches, settings.round)], None);
        let mut asked = 0;
        let measured = {
            let (stop, mut connection) = (AtomicBool::new(false), batches.subject.open());
            let targets =
                ["total", "visitor", "page", "referrer"].map(|path| batches.subject.statistic(path));
            let token = batches.subject.token();
            std::thread::scope(|scope| {
                let asking = scope.spawn(|| {
                    let mut count = 0;
                    for target in targets.iter().cycle() {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let request = Request::get(target, &token).header("Cache-Control", "no-cache");
                        assert_eq!(connection.send(&request).status, 200, "{target}");
                        count += 1;
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    count
                });
                let measured = single(&mut batches, settings.round);
                stop.store(true, Ordering::Relaxed);
                asked = asking.join().expect("a client of statistics");
                measured
            })
        };
        line(LATENCY_CONNECTIONS, "with statistics", &[measured], None);
        println!("{:>12} ({asked} statistics were asked; {})", "", batches.subject.memory());
        let start = Instant::now();
        let mut compaction = batches.subject.compact();
        let measured = single(&mut batches, settings.round);
        line(LATENCY_CONNECTIONS, "with compaction", &[measured], None);
        let status = compaction.wait().expect("hitstone compact");
        let took = start.elapsed().as_secs_f64();
        println!("{:>12} (hitstone compact took {took:.1} s, {status}; {})", "", batches.subject.memory());
    }
    batches.check_stored();
    println!("{}", batches.subject.memory());
}
