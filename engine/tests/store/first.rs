//! The first questions after a start, in any order: each opens the files that it is about and no others, and counts visitors
//! who recur in several files once, whichever of them are known by then.

use std::collections::BTreeSet;
use std::ops::Range;

use hitstone_engine::event::Event;
use hitstone_engine::query::{Group, Query, Unit};
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::compaction::compact;
use crate::model::Model;
use crate::setup::{open, seal, store, view};
use crate::workload::Rng;

const DAY_MS: i64 = 86_400_000;
/// 2024-01-01.
const FIRST_DAY: i64 = 19_723;
/// First days of months, from the first one.
const MONTHS: [i64; 5] = [0, 31, 60, 91, 121];

fn days(days: Range<i64>) -> Range<i64> {
    (FIRST_DAY + days.start) * DAY_MS..(FIRST_DAY + days.end) * DAY_MS
}

/// Of somebody whose id the site gave, who may come again on any day, or of somebody who comes on two days at most.
fn visit(day: i64, time: i64, rng: &mut Rng) -> Event {
    let given = rng.below(60);
    let minted = 1_000 + 2 * day as u64 + rng.below(4);
    let user_key = rng.one_in(2).then_some(given);
    Event { user_key, ..view(user_key.unwrap_or(minted), (FIRST_DAY + day) * DAY_MS + time, "/") }
}

fn compact_all(core: &mut Core) {
    // Whole: sessions that are carried over would be looked for at the start.
    core.request_seal();
    seal(core);
    while let Some(made) = compact(core).unwrap() {
        core.publish_compacted(made).unwrap();
    }
}

/// Visitors and sessions in a span.
fn wanted(model: &Model, span: &Range<i64>) -> (u64, u64) {
    let placed = model.sessions.iter().filter(|session| span.contains(&session.state().last));
    let visitors: BTreeSet<_> = placed.clone().map(|session| session.visitor).collect();
    (visitors.len() as u64, placed.count() as u64)
}

fn found(core: &mut Core, span: &Range<i64>) -> (u64, u64) {
    let query = Query::new(SiteId(1), span.clone(), Unit::Sessions, Group::All);
    let report = core.snapshot().answer(&query, &|| None).unwrap();
    (report.rows[0].metrics.visitors, report.rows[0].metrics.sessions)
}

fn mapped(core: &Core) -> usize {
    core.lake_context().open_files.mapped()
}

#[test]
fn a_question_opens_the_files_that_it_is_about() {
    for seed in 1..6 {
        let (fs, mut rng, mut model) = (SimFs::new(seed), Rng::new(seed), Model::default());
        let mut core = open(&fs, 1 << 12).unwrap();
        for day in 0..MONTHS[4] {
            let batch: Vec<_> = (0..4).map(|n| visit(day, n * 21_000_000, &mut rng)).collect();
            store(&mut core, &batch, &mut model);
        }
        compact_all(&mut core);
        assert_eq!(core.snapshot().lake().counts().0, 4);
        drop(core);
        let mut core = open(&fs.kill(), 1 << 12).unwrap();
        assert_eq!(mapped(&core), 0, "a start maps nothing");

        let middle = MONTHS[1] + 10;
        let first = days(middle..middle + 2);
        assert_eq!(found(&mut core, &first), wanted(&model, &first));
        assert_eq!(mapped(&core), 1);
        assert!(core.snapshot().incomplete(SiteId(1), &first).is_none());
        assert_eq!(mapped(&core), 1, "nor does it look elsewhere for damage");
        let turn = days(MONTHS[3] - 1..MONTHS[3] + 1);
        assert_eq!(found(&mut core, &turn), wanted(&model, &turn));
        assert_eq!(mapped(&core), 3);

        for round in 0..12 {
            let from = rng.below(MONTHS[4] as u64) as i64;
            let span = days(from..from + 1 + rng.below(90) as i64);
            assert_eq!(found(&mut core, &span), wanted(&model, &span), "seed {seed}, round {round}");
            if round % 4 == 3 {
                // A file is replaced.
                let day = rng.below(MONTHS[4] as u64) as i64;
                let late = visit(day, 80_000_000, &mut rng);
                store(&mut core, &[late], &mut model);
                compact_all(&mut core);
            }
        }
    }
}
