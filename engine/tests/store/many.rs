//! A thousand sites with a little each day, and one with much: how many files there are, and that nothing is lost.
//!
//! `HITSTONE_DAILY_EVENTS=100` is the long form: the events of each site on a day.

use std::collections::BTreeSet;

use hitstone_engine::compaction::{CompactionJob, Reason, SEGMENTS_MAX, Situation, Step};
use hitstone_engine::event::Event;
use hitstone_engine::parquet::Key;
use hitstone_engine::units::{DayUtc, SiteId};
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::parquet::assert_exported;
use crate::setup::{open, view};
use crate::workload::{Rng, Workload};

const SITES: u32 = 1000;
/// The sites that are compared session by session.
const COMPARED: [u32; 4] = [1, 250, 777, 1000];
const DAY_MS: i64 = 86_400_000;
const WINDOW_MS: i64 = 30 * 60_000;
/// 2026-10-27: the month ends on the fifth day.
const FIRST_DAY: u16 = 20_753;
/// A file of the lake stays mapped only as one of so many.
const OPEN_FILES_MAX: usize = 256;

fn host(site: SiteId) -> Option<String> {
    Some(format!("site{}.example", site.0))
}

fn append(core: &mut Core, batch: &[Event]) {
    core.append_events(batch).unwrap();
    core.commit().unwrap();
    if core.wants_seal() {
        let file = core.begin_seal().unwrap().run().unwrap();
        core.finish_seal(file).unwrap();
    }
}

/// Writes one file; gives how many of its rows came from segments.
fn write(core: &mut Core, step: Step, settled: i64) -> u64 {
    let snapshot = core.snapshot();
    let numbers = core.take_numbers();
    let name = host(step.site).unwrap();
    let job = CompactionJob::new(core.lake_context(), &snapshot, step, name, numbers, settled);
    let made = job.run(&mut || Ok(())).unwrap();
    let rows = made.new_rows;
    core.publish_compacted(made).unwrap();
    rows
}

/// What the background does at a time: all that is due.
fn compact(core: &mut Core, now: i64) -> Vec<Step> {
    let settled = now - WINDOW_MS;
    let mut steps = Vec::new();
    while let Some(step) = Situation::of(&core.snapshot(), &host, settled).next_step(DayUtc::of(now), false) {
        assert_eq!(write(core, step, settled), step.rows, "{step:?}");
        steps.push(step);
    }
    steps
}

fn mapped(core: &Core) -> usize {
    core.lake_context().open_files.mapped()
}

/// The events of all sites on a day, in the order of their times.
fn events_of(day: u16, each: i64, rng: &mut Rng) -> Vec<Event> {
    let mut events = Vec::new();
    for number in 0..each {
        let time = i64::from(day) * DAY_MS + number * DAY_MS / each;
        for site in 1..=SITES {
            let visitor = u64::from(day) << 32 | rng.below(each as u64 / 3 + 1);
            let time = time + i64::from(site) * 20;
            events.push(Event { site: SiteId(site), ..view(visitor, time, &format!("/{}", rng.below(9))) });
        }
    }
    events
}

fn daily_events() -> i64 {
    std::env::var("HITSTONE_DAILY_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

#[test]
fn a_thousand_small_sites_have_a_file_a_month() {
    let (fs, mut rng, mut model) = (SimFs::new(3), Rng::new(3), Model::default());
    let each = daily_events();
    let mut core = open(&fs, (SITES as usize) * each as usize / 2).unwrap();
    for day in FIRST_DAY..FIRST_DAY + 8 {
        for batch in events_of(day, each, &mut rng).chunks(1000) {
            append(&mut core, batch);
            batch
                .iter()
                .filter(|event| COMPARED.contains(&event.site.0))
                .for_each(|event| model.append(event));
        }
        let (now, number) = ((i64::from(day) + 1) * DAY_MS, day - FIRST_DAY);
        let steps = compact(&mut core, now);
        let segments = core.snapshot().sealed_counts().0;
        println!("day {number}: {} files, {segments} segments, {} mapped", steps.len(), mapped(&core));
        // October ends with the fifth day, and a day of grace is given.
        let wanted = if number == 5 { SITES as usize } else { 0 };
        assert_eq!(steps.len(), wanted, "day {number}");
        assert!(steps.iter().all(|step| step.reason == Reason::Over && step.key.to_string() == "2026-10"));
        assert!(segments <= SEGMENTS_MAX && mapped(&core) <= OPEN_FILES_MAX, "{segments} segments");
    }
    assert_eq!(core.snapshot().lake().counts().0, SITES as usize);
    assert_same(&of_snapshot(&core.snapshot(), &COMPARED), &of_model(&model), "at the end");
    drop(core);
    let mut core = open(&fs.kill(), 1 << 18).unwrap();
    assert_eq!(mapped(&core), 0, "a start maps nothing");
    assert_same(&of_snapshot(&core.snapshot(), &COMPARED), &of_model(&model), "opened again");
    let all: Vec<u32> = (1..=SITES).collect();
    let rows: usize =
        of_snapshot(&core.snapshot(), &all).values().map(|(session, _)| session.rows.len()).sum();
    assert_eq!(rows as i64, i64::from(SITES) * each * 8);
    assert!(mapped(&core) <= OPEN_FILES_MAX, "{} mapped after all were asked for", mapped(&core));
}

/// Segments that are many are emptied, though nothing is over.
#[test]
fn a_crowd_of_segments_does_not_stay() {
    let (fs, mut rng, mut model) = (SimFs::new(4), Rng::new(4), Model::default());
    let mut core = open(&fs, 40).unwrap();
    let (mut crowds, mut most) = (0, 0);
    for number in 0..4000 {
        // Two weeks of a month that goes on.
        let time = (i64::from(FIRST_DAY) - 20) * DAY_MS + number * 300_000;
        let site = 1 + rng.below(5) as u32;
        let event = Event { site: SiteId(site), ..view(rng.below(50), time, "/") };
        append(&mut core, std::slice::from_ref(&event));
        model.append(&event);
        let steps = compact(&mut core, time);
        assert!(steps.iter().all(|step| step.reason == Reason::Crowded));
        crowds += usize::from(!steps.is_empty());
        let segments = core.snapshot().sealed_counts().0;
        most = most.max(segments);
        assert!(segments <= SEGMENTS_MAX, "{segments} segments after {number} events");
    }
    assert!(most == SEGMENTS_MAX && crowds > 2, "{most} segments at most, {crowds} crowds");
    println!("{crowds} crowds in 4000 events");
    assert_same(&of_snapshot(&core.snapshot(), &[1, 2, 3, 4, 5]), &of_model(&model), "a crowd");
}

/// A month that was begun by days is kept by days, late events go to the file of their day.
#[test]
fn a_month_by_days_stays_so() {
    let (mut fs, mut workload, mut model) = (SimFs::new(5), Workload::new(5, 5), Model::default());
    let mut core = open(&fs, 30).unwrap();
    let mut by_days: BTreeSet<String> = BTreeSet::new();
    for round in 0..120 {
        let batch = workload.batch();
        append(&mut core, &batch);
        batch.iter().for_each(|event| model.append(event));
        if round % 10 != 9 {
            continue;
        }
        while let Some(mut step) = Situation::of(&core.snapshot(), &host, i64::MAX).next_step(DayUtc(0), true)
        {
            let lake = core.snapshot().lake().site(step.site).cloned();
            let has_month =
                lake.is_some_and(|lake| lake.files.iter().any(|f| f.key.month() == step.key.month()));
            if let (false, Key::Month(month)) = (has_month, step.key) {
                // As if it were a busy one.
                let days = (0..u16::MAX).map(DayUtc).filter(|day| Key::Month(month).contains(*day));
                let waiting = Situation::of(&core.snapshot(), &host, i64::MAX).waiting;
                let day = days.into_iter().find(|day| waiting.contains_key(&(step.site, *day))).unwrap();
                (step.key, step.rows) = (Key::Day(day), waiting[&(step.site, day)].rows);
            }
            assert!(matches!(step.key, Key::Day(_)), "round {round}: {step:?}");
            assert_eq!(write(&mut core, step, i64::MAX), step.rows, "round {round}: {step:?}");
            by_days.insert(format!("{} {}", step.site.0, step.key));
        }
        assert_same(&of_snapshot(&core.snapshot(), &[1, 7]), &of_model(&model), &format!("round {round}"));
        drop(core);
        fs = fs.kill();
        core = open(&fs, 30).unwrap();
        assert_same(&of_snapshot(&core.snapshot(), &[1, 7]), &of_model(&model), "opened again");
    }
    let files = core.snapshot().lake().counts().0;
    assert!(files == by_days.len() && files > 8, "{files} files, {by_days:?} were written");
    // What has come since is in segments, beside the files of days.
    let batch = workload.batch();
    append(&mut core, &batch);
    batch.iter().for_each(|event| model.append(event));
    [1, 7]
        .iter()
        .for_each(|&site| assert_exported(&core.snapshot(), &model, site, &(i64::MIN..i64::MAX), "by days"));
}
