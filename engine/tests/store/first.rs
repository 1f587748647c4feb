//! The first questions after a start, in any order: each opens the files that it is about and no others, and counts visitors
//! who recur in several files once, whichever of them are known by then.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use hitstone_engine::event::Event;
use hitstone_engine::query::{Group, Query, Unit};
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;
use hitstone_engine::writer::import::{Loader, Row, SegmentSize};

use crate::compaction::compact;
use crate::model::Model;
use crate::setup::{FOLDER, open, seal, store, view};
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

/// A session that an import names may be longer than others: its later rows are found, too.
#[test]
fn rows_far_from_their_file_are_found() {
    let fs = SimFs::new(9);
    let mut core = open(&fs, 1 << 12).unwrap();
    let (start, later) = (days(25..26).start, days(45..46));
    let base = core.begin_import(SiteId(1)).unwrap().unwrap();
    let mut loader = Loader::new(base, SegmentSize { rows: 100, sessions: 100 }, false).unwrap();
    for time in [start, later.start + 3_000] {
        let event = view(7, time, "/");
        let row = Row { session: Some(5), ..Row::of_event(&event) };
        loader.push(&row).unwrap();
    }
    let file = loader.finish().unwrap();
    core.publish_import(file, [1; 32], false).unwrap().unwrap();
    drop(loader);
    compact_all(&mut core);
    assert_eq!(core.snapshot().lake().counts(), (1, 2));
    drop(core);
    let mut core = open(&fs.kill(), 1 << 12).unwrap();
    assert_eq!(found(&mut core, &later), (1, 1));
    assert_eq!(found(&mut core, &days(60..61)), (0, 0));
}

/// Of files of which one is damaged the first question says so when it is about that one's days, and no other does.
#[test]
fn the_first_question_tells_of_damage_in_its_days() {
    let (fs, mut model) = (SimFs::new(11), Model::default());
    let mut core = open(&fs, 1 << 12).unwrap();
    for day in 0..MONTHS[3] {
        store(&mut core, &[view(1_000 + day as u64, (FIRST_DAY + day) * DAY_MS, "/")], &mut model);
    }
    compact_all(&mut core);
    drop(core);
    let fs = fs.kill();
    let indexes: Vec<String> = {
        let all = fs.list(Path::new(FOLDER)).unwrap();
        all.into_iter().filter(|name| name.starts_with("index-")).collect()
    };
    assert_eq!(indexes.len(), 3);
    let spans = [days(3..20), days(40..50), days(70..80)];
    // How often so many of the months were told to be damaged. Some bytes only fill up.
    let mut counts = [0; 4];
    for index in &indexes {
        let path = Path::new(FOLDER).join(index);
        let len = fs.read(&path).unwrap().len() as u64;
        for offset in (0..len).step_by(97) {
            let fs = fs.kill();
            assert!(fs.flip_bits(&path, offset, 4));
            let mut damaged = 0;
            for span in &spans {
                let mut core = open(&fs.kill(), 1 << 12).unwrap();
                let snapshot = core.snapshot();
                let found = found(&mut core, span);
                if snapshot.incomplete(SiteId(1), span).is_some() {
                    damaged += 1;
                } else {
                    assert_eq!(found, wanted(&model, span), "{index}, byte {offset}");
                }
            }
            counts[damaged] += 1;
        }
    }
    // Where the times of its days cannot be read any more, days that are near may be told of, too.
    assert!(counts[1] > counts[0] && counts[2] + counts[3] > 0, "{counts:?}");
}
