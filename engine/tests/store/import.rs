//! Imports against the model: rows in any order over several files, with live events between and while they are loaded;
//! crashes at every operation.

use std::collections::BTreeMap;

use hitstone_engine::error::ImportError;
use hitstone_engine::event::{Event, Kind, Texts};
use hitstone_engine::lake::Compacted;
use hitstone_engine::schema::Column;
use hitstone_engine::units::{SiteId, VisitorId};
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::import::{Loader, Row, SegmentSize, Taken};
use hitstone_engine::writer::{Core, SealJob};

use crate::compaction::compact;
use crate::crashes::at_every_operation;
use crate::dump::{Content, assert_same, of_model, of_snapshot};
use crate::model::{Model, Session};
use crate::questions;
use crate::setup::open;
use crate::workload::{Rng, SITES, Workload};

const SITE: u32 = SITES[0];
const DAY: i64 = 86_400_000;

/// A row of a file: an event with the file's id of its session.
#[derive(Clone, Debug)]
struct FileRow {
    event: Event,
    session: Option<i64>,
}

impl FileRow {
    fn row(&self) -> Row<'_> {
        Row { session: self.session, ..Row::of_event(&self.event) }
    }
}

/// Sessions of a few visitors with rows in any order, cut into files anywhere.
fn files(rng: &mut Rng, workload: &mut Workload, stable: bool) -> Vec<Vec<FileRow>> {
    let mut rows = Vec::new();
    for session in 0..10 + rng.below(40) {
        let visitor = if stable { 500 + rng.below(6) } else { 1_000 + session };
        let day = 19_950 + rng.below(40) as i64;
        // Now and then over midnight.
        let start = day * DAY + rng.below(DAY as u64) as i64;
        for _ in 0..1 + rng.below(5) {
            let mut event = workload.event();
            event.site = SiteId(SITE);
            event.visitor = VisitorId(visitor);
            (event.previous_visitor, event.user_key) = (None, None);
            event.time = start + rng.below(3 * 3_600_000) as i64;
            rows.push(FileRow { event, session: Some(session as i64 * 1_000_003) });
        }
    }
    match rng.below(3) {
        0 => rows.sort_by_key(|row| row.event.time),
        1 => rows.sort_by_key(|row| -row.event.time),
        _ => (1..rows.len()).for_each(|at| rows.swap(at, rng.below(at as u64 + 1) as usize)),
    }
    let mut files = vec![Vec::new()];
    for row in rows {
        if rng.one_in(40) {
            files.push(Vec::new());
        }
        files.last_mut().unwrap().push(row);
    }
    files
}

/// The sessions that an import of these files makes, without their numbers: by visitor and the file's id.
fn grouped(files: &[Vec<FileRow>]) -> Vec<Session> {
    let mut sessions: BTreeMap<(u64, i64), Session> = BTreeMap::new();
    let mut first: BTreeMap<(u64, i64), i64> = BTreeMap::new();
    for row in files.iter().flatten() {
        let event = &row.event;
        let key = (event.visitor.0, row.session.unwrap());
        let mut single = Model::default();
        single.append(&Event { kind: Kind::PageView, ..event.clone() });
        let mut of_row = single.sessions.remove(0);
        of_row.rows = vec![crate::model::row(event)];
        match sessions.get_mut(&key) {
            None => {
                first.insert(key, event.time);
                sessions.insert(key, of_row);
            }
            Some(session) => {
                if event.time < first[&key] {
                    first.insert(key, event.time);
                    let rows = std::mem::take(&mut session.rows);
                    *session = Session { rows, ..of_row.clone() };
                }
                session.rows.append(&mut of_row.rows);
            }
        }
    }
    for (key, session) in &mut sessions {
        session.day = first[key].div_euclid(DAY);
    }
    sessions.into_values().collect()
}

/// A session without what an import may choose: its number, and whether its visitor is marked.
fn plain(session: &Session) -> String {
    let mut session = session.clone();
    session.rows = session.ordered();
    (session.n, session.user_key) = (0, session.user_key.filter(|&key| key != 0));
    format!("{session:?}")
}

fn assert_same_sessions(found: &Content, wanted: &[Session], context: &str) {
    let mut found: Vec<String> = found.values().map(|(session, _)| plain(session)).collect();
    let mut wanted: Vec<String> = wanted.iter().map(plain).collect();
    found.sort_unstable();
    wanted.sort_unstable();
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted, "{context}");
    }
    assert_eq!(found.len(), wanted.len(), "{context}");
}

fn loader(core: &mut Core, size: usize) -> Result<Loader, ImportError> {
    let base = core.begin_import(SiteId(SITE))??;
    Loader::new(base, SegmentSize { rows: size, sessions: size }, false)
}

fn hash(at: usize) -> [u8; 32] {
    [at as u8; 32]
}

fn publish(core: &mut Core, loader: &mut Loader, at: usize) -> Result<(), ImportError> {
    let file = loader.finish()?;
    let published = core.publish_import(file, hash(at), false)??;
    loader.published(published)
}

/// Live events, seals when they are due, and compactions.
struct Live {
    workload: Workload,
    model: Model,
    job: Option<SealJob>,
    made: Option<Compacted>,
}

impl Live {
    fn new(seed: u64, visitors: u64) -> Self {
        Self { workload: Workload::new(seed, visitors), model: Model::default(), job: None, made: None }
    }

    /// Writes a file of the lake, or publishes the one that was written, perhaps before an import began.
    fn compact(&mut self, core: &mut Core, rng: &mut Rng) {
        core.end_import();
        if let Some(made) = self.made.take() {
            core.publish_compacted(made).unwrap();
        } else if rng.one_in(2) {
            self.made = compact(core).unwrap();
        }
    }

    fn some(&mut self, core: &mut Core, rng: &mut Rng) {
        for _ in 0..rng.below(4) {
            if rng.one_in(3) {
                self.compact(core, rng);
            }
            let batch = self.workload.batch();
            core.append_events(&batch).unwrap();
            core.commit().unwrap();
            batch.iter().for_each(|event| self.model.append(event));
            if core.wants_seal() && !core.is_sealing() {
                self.job = Some(core.begin_seal().unwrap());
            }
            if rng.one_in(3)
                && let Some(job) = self.job.take()
            {
                core.finish_seal(job.run().unwrap()).unwrap();
            }
        }
    }
}

/// Files with ids of sessions, live events of other visitors between and meanwhile.
fn grouped_history(seed: u64) {
    let mut rng = Rng::new(seed);
    let fs = SimFs::new(seed);
    let seal_rows = 20 + rng.below(60) as usize;
    let mut core = open(&fs, seal_rows).unwrap();
    let mut live = Live::new(seed, 4);
    let mut imported = Vec::new();
    for command in 0..3 {
        live.some(&mut core, &mut rng);
        let mut files = files(&mut rng, &mut Workload::new(seed ^ 99, 5), seed.is_multiple_of(2));
        for row in files.iter_mut().flatten() {
            // Each command has visitors of its own: different commands never share sessions.
            row.event.visitor.0 += 10_000_000 * (command + 1);
        }
        let size = 5 + rng.below(40) as usize;
        let mut loader = loader(&mut core, size).unwrap();
        assert!(matches!(core.begin_import(SiteId(SITE)).unwrap(), Err(ImportError::Busy)));
        for (at, file) in files.iter().enumerate() {
            for row in file {
                assert_eq!(loader.push(&row.row()).unwrap(), Taken::Stored);
                if rng.one_in(10) {
                    live.some(&mut core, &mut rng);
                }
            }
            publish(&mut core, &mut loader, 40 * command as usize + at).unwrap();
            live.some(&mut core, &mut rng);
        }
        imported.extend(grouped(&files));
    }
    // Any number that no other session has.
    (0..).zip(&mut imported).for_each(|(n, session)| session.n = n);
    let context = format!("seed {seed}");
    let check = |core: &mut Core, live: &Live, context: &str| {
        let mut wanted = live.model.sessions.clone();
        wanted.extend(imported.iter().cloned());
        let snapshot = core.snapshot();
        snapshot.verify().unwrap();
        assert_same_sessions(&of_snapshot(&snapshot, &SITES), &wanted, context);
        questions::check(&snapshot, &Model { sessions: wanted }, &mut Rng::new(seed), context);
    };
    check(&mut core, &live, &context);
    (live.job, live.made) = (None, None);
    drop(core);
    let mut core = open(&fs.kill(), seal_rows).unwrap();
    check(&mut core, &live, &format!("{context}, opened again"));
}

#[test]
fn files_with_ids_of_sessions_equal_the_model() {
    for seed in 1..=60 {
        grouped_history(seed);
    }
}

/// Events without ids of sessions join what is stored and what comes meanwhile as they would have live.
fn ruled_history(seed: u64) {
    let mut rng = Rng::new(seed);
    let fs = SimFs::new(seed);
    let seal_rows = 20 + rng.below(60) as usize;
    let mut core = open(&fs, seal_rows).unwrap();
    let mut live = Live::new(seed, 4);
    for command in 0..4 {
        live.some(&mut core, &mut rng);
        live.some(&mut core, &mut rng);
        let mut loader = loader(&mut core, 5 + rng.below(40) as usize).unwrap();
        for file in 0..1 + rng.below(3) as usize {
            for _ in 0..rng.below(60) {
                let mut event = live.workload.event();
                event.site = SiteId(SITE);
                let before = live.model.sessions.len();
                let rows: usize = live.model.sessions.iter().map(|session| session.rows.len()).sum();
                live.model.append(&event);
                let after: usize = live.model.sessions.iter().map(|session| session.rows.len()).sum();
                let wanted = if rows == after { Taken::NoSession } else { Taken::Stored };
                assert_eq!(loader.push_event(&event).unwrap(), wanted, "seed {seed} {before}");
            }
            publish(&mut core, &mut loader, 10 * command + file).unwrap();
        }
        drop(loader);
        let context = format!("seed {seed} command {command}");
        let mut found = of_snapshot(&core.snapshot(), &SITES);
        unmark(&mut found);
        assert_same(&found, &of_model(&live.model), &context);
    }
    (live.job, live.made) = (None, None);
    drop(core);
    let mut core = open(&fs.kill(), seal_rows).unwrap();
    let mut found = of_snapshot(&core.snapshot(), &SITES);
    unmark(&mut found);
    assert_same(&found, &of_model(&live.model), &format!("seed {seed}, opened again"));
}

/// Whether an import marked a visitor is no matter here.
fn unmark(content: &mut Content) {
    for (session, _) in content.values_mut() {
        session.user_key = session.user_key.filter(|&key| key != 0);
    }
}

#[test]
fn events_without_ids_of_sessions_equal_the_model() {
    for seed in 1..=60 {
        ruled_history(seed);
    }
}

/// Live events and a file's reach the same visitors and sessions: nothing is lost or doubled, numbers stay unique.
#[test]
fn what_both_sides_touch_is_mended() {
    for seed in 1..=80 {
        let mut rng = Rng::new(seed);
        let fs = SimFs::new(seed);
        let mut core = open(&fs, 30).unwrap();
        let mut live = Live::new(seed, 3);
        live.some(&mut core, &mut rng);
        let mut names = BTreeMap::new();
        let mut count = |event: &Event| {
            if event.kind != Kind::Ping {
                *names
                    .entry((event.site.0, event.time, event.texts.get(Column::Source).to_owned()))
                    .or_insert(0) += 1;
            }
        };
        let mut loader = loader(&mut core, 25).unwrap();
        let mut both = Workload::new(seed ^ 7, 3);
        let before = of_snapshot(&core.snapshot(), &SITES);
        for file in 0..3 {
            for _ in 0..40 {
                let mut event = both.event();
                (event.site, event.kind) = (SiteId(SITE), Kind::PageView);
                if rng.one_in(2) {
                    event.texts.set(Column::Source, "import");
                    count(&event);
                    assert_eq!(loader.push_event(&event).unwrap(), Taken::Stored);
                } else {
                    if rng.one_in(4) {
                        live.compact(&mut core, &mut rng);
                    }
                    count(&event);
                    core.append_events(std::slice::from_ref(&event)).unwrap();
                    core.commit().unwrap();
                    if core.wants_seal() && !core.is_sealing() {
                        live.job = Some(core.begin_seal().unwrap());
                    } else if let Some(job) = live.job.take() {
                        core.finish_seal(job.run().unwrap()).unwrap();
                    }
                }
            }
            publish(&mut core, &mut loader, file).unwrap();
        }
        let check = |core: &mut Core, context: &str| {
            let mut found = BTreeMap::new();
            for (session, _) in of_snapshot(&core.snapshot(), &SITES).values() {
                for row in &session.rows {
                    *found.entry((session.site, row.time, row.texts[7].clone())).or_insert(0) += 1;
                }
            }
            for (session, _) in before.values() {
                for row in &session.rows {
                    *found.get_mut(&(session.site, row.time, row.texts[7].clone())).unwrap() -= 1;
                }
            }
            found.retain(|_, count| *count != 0);
            assert_eq!(found, names, "{context}");
        };
        check(&mut core, &format!("seed {seed}"));
        drop(core);
        check(&mut open(&fs.kill(), 30).unwrap(), &format!("seed {seed}, opened again"));
    }
}

/// An event of a visitor with a file's id of its session, and nothing else.
fn simple(visitor: u64, time: i64, session: i64) -> FileRow {
    let mut event = Workload::new(1, 1).event();
    event.site = SiteId(SITE);
    (event.visitor, event.previous_visitor, event.time) = (VisitorId(visitor), None, time);
    (event.kind, event.texts, event.user_key) = (Kind::PageView, Texts::new(), None);
    event.texts.set(Column::Path, &format!("/{time}"));
    FileRow { event, session: Some(session) }
}

/// What of an import with live events was done.
#[derive(Clone, Copy, Default)]
struct Done {
    acknowledged: usize,
    published: usize,
}

/// An import with live events is cut off at each operation: each file is there whole or not at all, once.
#[test]
fn a_crash_leaves_all_of_a_file_or_nothing() {
    let mut rng = Rng::new(5);
    let files: Vec<Vec<FileRow>> = files(&mut rng, &mut Workload::new(5, 5), false);
    let batches: Vec<Vec<Event>> = {
        let mut workload = Workload::new(9, 4);
        (0..20).map(|_| workload.batch()).collect()
    };
    let drive = |fs: &SimFs, done: &mut Done| -> Result<(), ImportError> {
        let mut core = open(fs, 24)?;
        let mut live = batches.iter();
        let mut loader = loader(&mut core, 20)?;
        for (at, file) in files.iter().enumerate() {
            for (n, row) in file.iter().enumerate() {
                loader.push(&row.row())?;
                if n % 8 == 0
                    && let Some(batch) = live.next()
                {
                    core.append_events(batch)?;
                    core.commit()?;
                    done.acknowledged += 1;
                }
            }
            if core.wants_seal() {
                let file = core.begin_seal()?.run()?;
                core.finish_seal(file)?;
            }
            publish(&mut core, &mut loader, at)?;
            done.published += 1;
        }
        Ok(())
    };
    let run = |fs: &SimFs| {
        let mut done = Done::default();
        let _ = drive(fs, &mut done);
        done
    };
    let all = at_every_operation(5, run, |crash| {
        let (Done { acknowledged, published }, context) = (crash.done, &crash.context);
        let mut core = open(&crash.disk(), 24).unwrap_or_else(|error| panic!("{context}: {error}"));
        let found = of_snapshot(&core.snapshot(), &SITES);
        core.snapshot().verify().unwrap();
        let done = (0..files.len()).filter(|&at| core.has_imported(SiteId(SITE), &hash(at))).count();
        assert!(done == published || done == published + 1, "{context}: {done} of {published}");
        let possible = [acknowledged, (acknowledged + 1).min(batches.len())].map(|count| {
            let mut model = Model::default();
            batches[..count].iter().flatten().for_each(|event| model.append(event));
            model.sessions.extend(grouped(&files[..done]));
            model.sessions
        });
        let as_text = |sessions: &[Session]| {
            let mut texts: Vec<String> = sessions.iter().map(plain).collect();
            texts.sort_unstable();
            texts
        };
        let found: Vec<Session> = found.into_values().map(|(session, _)| session).collect();
        let found = as_text(&found);
        assert!(possible.iter().any(|wanted| as_text(wanted) == found), "{context}");
    });
    assert_eq!(all.published, files.len());
}

/// Stable ids on days far apart are told to be the same, in whatever file or segment they are.
#[test]
fn visitors_that_recur_are_marked_in_all_their_sessions() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, 1000).unwrap();
    let base = 20_000 * DAY;
    let mut sessions = 0;
    for (at, days) in [vec![0, 1, 2], vec![2, 3], vec![40, 41], vec![80]].into_iter().enumerate() {
        let mut loader = loader(&mut core, 7).unwrap();
        for day in days {
            for visitor in 0..20 {
                // Visitor 5 comes once, visitor 6 on days that are near each other.
                if (visitor == 5 && day > 0) || (visitor == 6 && day > 2) {
                    continue;
                }
                let row = simple(visitor, base + day * DAY + visitor as i64, day);
                loader.push(&row.row()).unwrap();
                sessions += 1;
            }
        }
        publish(&mut core, &mut loader, at).unwrap();
    }
    let found = of_snapshot(&core.snapshot(), &SITES);
    assert_eq!(found.len(), sessions);
    for (session, _) in found.values() {
        let marked = session.user_key.is_some();
        assert_eq!(marked, !matches!(session.visitor, 5 | 6), "{session:?}");
    }
}

#[test]
fn a_content_is_imported_once() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, 1000).unwrap();
    let import = |core: &mut Core, again: bool| {
        let mut loader = loader(core, 100).unwrap();
        loader.push(&simple(1, 20_000 * DAY, 1).row()).unwrap();
        let file = loader.finish().unwrap();
        core.publish_import(file, hash(1), again).unwrap().map(drop)
    };
    import(&mut core, false).unwrap();
    assert!(matches!(import(&mut core, false), Err(ImportError::Repeated)));
    assert_eq!(of_snapshot(&core.snapshot(), &SITES).len(), 1);
    import(&mut core, true).unwrap();
    assert_eq!(of_snapshot(&core.snapshot(), &SITES).len(), 2);
    drop(core);
    let mut core = open(&fs.kill(), 1000).unwrap();
    assert!(matches!(import(&mut core, false), Err(ImportError::Repeated)));
}

/// A session takes no more rows than any other, and spans no more time than its rows can say.
#[test]
fn sessions_are_cut_where_they_must_be() {
    let fs = SimFs::new(1);
    let mut core = open(&fs, 1000).unwrap();
    let mut loader = loader(&mut core, 200_000).unwrap();
    let base = 20_000 * DAY;
    for at in 0..70_000 {
        loader.push(&simple(1, base + at, 1).row()).unwrap();
    }
    for day in [0, 30, 60] {
        loader.push(&simple(2, base + day * DAY, 1).row()).unwrap();
    }
    publish(&mut core, &mut loader, 1).unwrap();
    let found = of_snapshot(&core.snapshot(), &SITES);
    let counts: Vec<_> = found.values().map(|(session, _)| (session.visitor, session.rows.len())).collect();
    assert_eq!(counts, [(1, 65_536), (1, 4_464), (2, 2), (2, 1)]);
}
