//! What is derived from the lake's Parquet files is damaged, made anew, and as it was: every block of it, with sessions that
//! have left the lake, with rows in the log, with crashes at every operation, with events between.

mod codes;
mod numbers;
mod running;
mod unsound;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hitstone_engine::error::{CompactionError, StorageError};
use hitstone_engine::event::Event;
use hitstone_engine::lake::{LiveFile, dictionary_path, index_path, remove_temporaries, temporary_path};
use hitstone_engine::manifest::Manifest;
use hitstone_engine::rebuild::{Extent, Means, RebuildJob, look_for_damage, wanted};
use hitstone_engine::segment::layout::read_directory;
use hitstone_engine::snapshot::Snapshot;
use hitstone_engine::store::{CompactionSettings, Store, StoreOptions};
use hitstone_engine::units::{SiteId, VisitorId};
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::compaction::compact;
use crate::dump::{Content, assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::questions;
use crate::setup::view;
use crate::workload::{Rng, SITES, Workload};

const FOLDER: &str = "/data";
const SITE: SiteId = SiteId(SITES[0]);
const DAY: i64 = 86_400_000;
const NOON: i64 = 20_000 * DAY + DAY / 2;

fn open(fs: &SimFs) -> Result<Core, StorageError> {
    let options = StoreOptions { seal_rows: 40, ..StoreOptions::default() };
    Core::open(Arc::new(fs.clone()), Path::new(FOLDER), options)
}

fn seal(core: &mut Core) {
    core.request_seal();
    if core.wants_seal() {
        let file = core.begin_seal().unwrap().run().unwrap();
        core.finish_seal(file).unwrap();
    }
}

fn store(core: &mut Core, events: &[Event]) {
    core.append_events(events).unwrap();
    core.commit().unwrap();
}

fn compact_all(core: &mut Core) {
    seal(core);
    while let Some(made) = compact(core).unwrap() {
        core.publish_compacted(made).unwrap();
    }
}

/// What happens beside a rebuild: before the writer is told of codes, and after.
type Beside<'b> = &'b mut dyn FnMut(&mut Core, &str);

/// Makes anew what a site has; whether it could be published.
fn rebuild_beside(
    core: &mut Core,
    site: SiteId,
    extent: Extent,
    beside: Beside<'_>,
) -> Result<bool, CompactionError> {
    let snapshot = Arc::new(core.snapshot());
    let job = RebuildJob::new(core.lake_context(), &snapshot, site, extent).expect("a lake");
    let shared = RefCell::new((core, beside));
    let mut means = Means {
        number: &mut || Ok(shared.borrow_mut().0.take_number()),
        codes: &mut |column| {
            let (core, beside) = &mut *shared.borrow_mut();
            beside(core, "before");
            core.reserve_codes(site, column).ok_or(StorageError::Busy)
        },
        agree: &mut |dictionary| {
            let (core, beside) = &mut *shared.borrow_mut();
            core.begin_rebuild(dictionary);
            let snapshot = Arc::new(core.snapshot());
            beside(core, "after");
            Ok(snapshot)
        },
        watch: &mut || Ok(()),
    };
    let made = job.run(&mut means)?;
    let (core, _) = shared.into_inner();
    if made.files.is_empty() {
        return Ok(false);
    }
    Ok(core.publish_rebuilt(made)?)
}

/// Makes anew what is found damaged; gives what that was.
fn mend(core: &mut Core) -> Result<Vec<(SiteId, Extent)>, CompactionError> {
    let snapshot = core.snapshot();
    look_for_damage(&snapshot);
    let damaged = wanted(&snapshot);
    for &(site, extent) in &damaged {
        let is_done = match rebuild_beside(core, site, extent, &mut |_, _| ()) {
            Err(CompactionError::Codes(_)) => rebuild_beside(core, site, Extent::Everything, &mut |_, _| ())?,
            result => result?,
        };
        assert!(is_done, "nothing is in the way");
    }
    Ok(damaged)
}

/// A folder with files of the lake, some of whose sessions have left since: into segments, and into the log.
fn filled(seed: u64) -> (SimFs, Model, Workload) {
    let fs = SimFs::new(seed);
    let mut core = open(&fs).unwrap();
    let (mut workload, mut model) = (Workload::new(seed, 5), Model::default());
    for at in 0..60 {
        let batch = workload.batch();
        store(&mut core, &batch);
        batch.iter().for_each(|event| model.append(event));
        if core.wants_seal() {
            seal(&mut core);
        }
        if at == 25 || at == 45 {
            compact_all(&mut core);
        }
    }
    drop(core);
    (fs.kill(), model, workload)
}

fn content(core: &mut Core) -> Content {
    of_snapshot(&core.snapshot(), &SITES)
}

fn incomplete(snapshot: &Snapshot) -> Option<String> {
    SITES.iter().find_map(|&site| snapshot.incomplete(SiteId(site), &(i64::MIN..i64::MAX)))
}

fn files(core: &mut Core) -> Vec<LiveFile> {
    core.snapshot().lake().sites().flat_map(|(_, site)| site.files.clone()).collect()
}

/// The indexes and dictionaries, and what they are made in.
fn derived(fs: &SimFs) -> Vec<PathBuf> {
    let is_such =
        |name: &String| ["index-", "dictionary-", "gathering-"].iter().any(|prefix| name.starts_with(prefix));
    let names = fs.list(Path::new(FOLDER)).unwrap().into_iter().filter(is_such);
    names.map(|name| Path::new(FOLDER).join(name)).collect()
}

/// Writes other bytes in a file's place; `None`: it goes.
fn put(fs: &SimFs, path: &Path, bytes: Option<&[u8]>) {
    if fs.exists(path).unwrap() {
        fs.remove(path).unwrap();
    }
    if let Some(bytes) = bytes {
        let mut file = fs.create_new(path, false).unwrap();
        file.append(bytes).unwrap();
        file.sync_data().unwrap();
    }
    fs.sync_dir(path.parent().unwrap()).unwrap();
}

/// A byte in the middle of each block, of the header, the directory and the trailer.
fn places(path: &Path, bytes: &[u8]) -> Vec<usize> {
    let directory = read_directory(path, bytes).unwrap();
    let blocks = directory.sites.iter().flat_map(|site| &site.blocks).filter(|block| block.len > 0);
    let inside = blocks.map(|block| (block.offset + block.len / 2) as usize);
    inside.chain([3, 17, bytes.len() - 100, bytes.len() - 45, bytes.len() - 20, bytes.len() - 1]).collect()
}

/// All ways in which a file may be damaged.
fn damages(path: &Path, bytes: &[u8]) -> Vec<(String, Option<Vec<u8>>)> {
    let mut all: Vec<(String, Option<Vec<u8>>)> = places(path, bytes)
        .into_iter()
        .map(|at| {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0x14;
            (format!("byte {at} of {}", bytes.len()), Some(damaged))
        })
        .collect();
    let longer = [bytes, &[0; 8]].concat();
    all.extend([
        ("missing".to_owned(), None),
        ("empty".to_owned(), Some(Vec::new())),
        ("cut short".to_owned(), Some(bytes[..bytes.len() / 2].to_vec())),
        ("longer".to_owned(), Some(longer)),
    ]);
    all
}

/// All is there as the model has it, now and later.
fn assert_whole(core: &mut Core, model: &Model, context: &str) {
    let snapshot = core.snapshot();
    assert_eq!(incomplete(&snapshot), None, "{context}");
    assert_eq!(snapshot.damage().count(), 0, "{context}");
    assert_same(&content(core), &of_model(model), context);
    let mut rng = Rng::new(7);
    questions::check(&snapshot, model, &mut rng, context);
}

#[test]
fn whatever_is_damaged_of_an_index_or_a_dictionary_it_is_made_anew() {
    let (mut damaged, mut superseded) = (0, 0);
    for seed in 1..=3 {
        let (fs, model, workload) = filled(seed);
        let mut core = open(&fs).unwrap();
        assert_whole(&mut core, &model, "at first");
        superseded += files(&mut core).iter().map(|live| live.superseded.len()).sum::<u64>();
        assert!(core.snapshot().open_rows() > 3, "seed {seed}");
        drop(core);
        let fs = fs.kill();
        for path in derived(&fs) {
            let original = fs.read(&path).unwrap();
            for (what, bytes) in damages(&path, &original) {
                let context = format!("seed {seed}, {} {what}", path.display());
                let fs = fs.kill();
                put(&fs, &path, bytes.as_deref());
                let mut core = open(&fs).unwrap();
                let told = incomplete(&core.snapshot());
                assert!(told.is_some(), "{context}: nobody is told");
                damaged += 1;
                assert_eq!(mend(&mut core).unwrap().len(), 1, "{context}");
                assert_whole(&mut core, &model, &context);
                assert_eq!(mend(&mut core).unwrap(), [], "{context}");
                drop(core);
                let mut core = open(&fs.kill()).unwrap();
                assert_whole(&mut core, &model, &format!("{context}, opened again"));
                assert_eq!(derived(&fs).len(), derived(&fs.kill()).len(), "{context}: files are left");
                if damaged % 7 == 0 {
                    go_on(&mut core, &model, &mut workload.clone(), &context);
                }
            }
        }
    }
    assert!(damaged > 100 && superseded > 1, "{damaged}, {superseded}");
}

/// Every row with its visitor, in order; sessions are others than the model's where events could not find theirs.
fn rows(content: &Content) -> Vec<(u64, i64, Vec<String>)> {
    let mut rows: Vec<(u64, i64, Vec<String>)> = content
        .iter()
        .flat_map(|((_, visitor, ..), (session, _))| {
            session.rows.iter().map(|row| (*visitor, row.time, row.texts.to_vec()))
        })
        .collect();
    rows.sort();
    rows
}

fn wanted_site(core: &mut Core) -> SiteId {
    let snapshot = core.snapshot();
    look_for_damage(&snapshot);
    wanted(&snapshot)[0].0
}

/// More events, which join sessions of the lake, and all of it into the lake.
fn go_on(core: &mut Core, model: &Model, workload: &mut Workload, context: &str) {
    let mut model = model.clone();
    for at in 0..20 {
        let batch = workload.batch();
        store(core, &batch);
        batch.iter().for_each(|event| model.append(event));
        if at % 7 == 6 {
            compact_all(core);
        }
    }
    assert_whole(core, &model, &format!("{context}, later"));
}

#[test]
fn an_index_is_the_same_but_for_its_number() {
    let (fs, ..) = filled(4);
    for path in derived(&fs).iter().filter(|path| path.to_str().unwrap().contains("index-")) {
        let original = fs.read(path).unwrap();
        let fs = fs.kill();
        put(&fs, path, None);
        let before = derived(&fs);
        let mut core = open(&fs).unwrap();
        mend(&mut core).unwrap();
        let new: Vec<PathBuf> = derived(&fs).into_iter().filter(|path| !before.contains(path)).collect();
        let made = fs.read(&new[0]).unwrap();
        assert_eq!((new.len(), made.len()), (1, original.len()));
        let other = made.iter().zip(&original).filter(|(a, b)| a != b).count();
        // The number twice, and the checksum of what says it.
        assert!((1..=20).contains(&other), "{other} bytes differ");
    }
}

/// Everything that can be lost at once.
#[test]
fn all_indexes_and_dictionaries_are_made_from_nothing() {
    for seed in 5..8 {
        let (fs, model, mut workload) = filled(seed);
        derived(&fs).iter().for_each(|path| put(&fs, path, None));
        let mut core = open(&fs).unwrap();
        assert!(incomplete(&core.snapshot()).is_some());
        mend(&mut core).unwrap();
        assert_whole(&mut core, &model, &format!("seed {seed}"));
        go_on(&mut core, &model, &mut workload, &format!("seed {seed}"));
    }
}

fn broken(seed: u64, prefix: &str) -> (SimFs, Model) {
    let (fs, model, _) = filled(seed);
    let path = derived(&fs).into_iter().find(|path| path.to_str().unwrap().contains(prefix)).unwrap();
    let bytes = fs.read(&path).unwrap();
    put(&fs, &path, Some(&bytes[..bytes.len() - 1]));
    (fs.kill(), model)
}

#[test]
fn a_crash_at_any_operation_leaves_the_damage_or_what_was_made_anew() {
    let mut points = 0;
    for (seed, prefix) in [(8, "index-"), (9, "dictionary-")] {
        let (broken, model) = broken(seed, prefix);
        let run = |fs: &SimFs| {
            let mut core = open(fs)?;
            mend(&mut core).map(drop).map_err(|error| match error {
                CompactionError::Storage(error) => error,
                error => panic!("{error}"),
            })
        };
        let fs = broken.kill();
        run(&fs).unwrap();
        for at in 0..fs.operation_count() {
            let fs = broken.kill();
            fs.set_crash_at(at);
            assert!(run(&fs).is_err(), "{prefix} {at}");
            let context = format!("{prefix}, crash at operation {at}");
            let mut core = open(&fs.crash(seed ^ at)).unwrap_or_else(|error| panic!("{context}: {error}"));
            mend(&mut core).unwrap();
            assert_whole(&mut core, &model, &context);
            points += 1;
        }
    }
    assert!(points > 30, "{points}");
}

/// A failed operation leaves all as it was, and the store writing.
#[test]
fn a_failure_costs_nothing_but_the_attempt() {
    let (broken, model) = broken(10, "dictionary-");
    let fs = broken.kill();
    let mut core = open(&fs).unwrap();
    // The first site's file takes five operations, its dictionary three, the folder one.
    for ahead in 0..9 {
        fs.fail_at(fs.operation_count() + ahead, std::io::ErrorKind::StorageFull);
        let before = derived(&fs);
        assert!(mend(&mut core).is_err());
        core.end_rebuild();
        assert_eq!(derived(&fs), before, "failure {ahead}: files are left");
    }
    mend(&mut core).unwrap();
    assert_whole(&mut core, &model, "after failures");
}

/// A session left the lake by an event that only the log has; replaying it finds no index that could be told.
#[test]
fn sessions_that_left_while_nobody_could_see_do_not_count_twice() {
    let fs = SimFs::new(11);
    let mut core = open(&fs).unwrap();
    let mut model = Model::default();
    let first: Vec<Event> = (1..=6).map(|visitor| view(visitor, NOON, "/first")).collect();
    store(&mut core, &first);
    compact_all(&mut core);
    let later: Vec<Event> = (1..=3).map(|visitor| view(visitor, NOON + 60_000, "/later")).collect();
    store(&mut core, &later);
    first.iter().chain(&later).for_each(|event| model.append(event));
    drop(core);
    let fs = fs.kill();
    let index = derived(&fs).into_iter().find(|path| path.to_str().unwrap().contains("index-")).unwrap();
    let original = fs.read(&index).unwrap();
    put(&fs, &index, None);
    for is_sealed in [false, true] {
        for is_put_back in [false, true] {
            let context = format!("sealed {is_sealed}, put back {is_put_back}");
            let fs = fs.kill();
            let mut core = open(&fs).unwrap();
            assert!(incomplete(&core.snapshot()).is_some(), "{context}");
            if is_sealed {
                // The log that says what has left is gone after this.
                seal(&mut core);
            }
            drop(core);
            let fs = fs.kill();
            if is_put_back {
                put(&fs, &index, Some(&original));
            }
            let mut core = open(&fs).unwrap();
            mend(&mut core).unwrap();
            assert_whole(&mut core, &model, &context);
            compact_all(&mut core);
            assert_whole(&mut core, &model, &format!("{context}, compacted"));
        }
    }
}

/// A file cannot be opened for a moment, as too many are. It is no damage, and nothing gets the name of what is in it.
#[test]
fn what_cannot_be_opened_for_a_moment_is_not_damaged() {
    for part in ["index-", "dictionary-", ".parquet"] {
        let fs = SimFs::new(27);
        let mut core = open(&fs).unwrap();
        let mut model = Model::default();
        let events = |minutes: i64| [1, 2].map(|visitor| view(visitor, NOON + minutes * 60_000, "/"));
        events(0).iter().for_each(|event| model.append(event));
        store(&mut core, &events(0));
        compact_all(&mut core);
        drop(core);
        let fs = fs.kill();
        let mut core = open(&fs).unwrap();
        fs.fail_reads_of(Some(part));
        look_for_damage(&core.snapshot());
        assert_eq!(core.snapshot().damage().count(), 0, "{part}");
        for minutes in [3, 300] {
            store(&mut core, &events(minutes));
            events(minutes).iter().for_each(|event| model.append(event));
        }
        fs.fail_reads_of(None);
        // Strings got codes that the dictionary knows nothing of.
        let wanted = if part == "dictionary-" { vec![(SITE, Extent::Everything)] } else { vec![] };
        assert_eq!(mend(&mut core).unwrap(), wanted, "{part}");
        assert_eq!(incomplete(&core.snapshot()), None, "{part}");
        assert_eq!(rows(&content(&mut core)), rows(&of_model(&model)), "{part}");
        compact_all(&mut core);
        assert_eq!(rows(&content(&mut core)), rows(&of_model(&model)), "{part}, compacted");
    }
}

/// What an import goes by is not taken away under it.
#[test]
fn nothing_is_published_while_an_import_is_under_way() {
    use hitstone_engine::writer::import::{Loader, SegmentSize};
    let (fs, model) = broken(16, "index-");
    let mut core = open(&fs).unwrap();
    let site = wanted_site(&mut core);
    let base = core.begin_import(site).unwrap().unwrap();
    let size = SegmentSize { rows: 100, sessions: 100 };
    let loader = Loader::new(base, size, false).unwrap();
    let before = derived(&fs);
    assert!(!rebuild_beside(&mut core, site, Extent::Indexes, &mut |_, _| ()).unwrap());
    assert!(
        rebuild_beside(&mut core, site, Extent::Everything, &mut |_, _| ()).is_ok_and(|done| !done)
            || core.reserve_codes(site, hitstone_engine::schema::Column::Path).is_none()
    );
    assert_eq!(derived(&fs), before, "files are left");
    drop(loader);
    core.end_import();
    mend(&mut core).unwrap();
    assert_whole(&mut core, &model, "after the import");
}

/// Ids that an import has marked, as they recur on days far apart; only indexes say so.
#[test]
fn visitors_that_recur_far_apart_are_marked_again() {
    use hitstone_engine::writer::import::{Loader, Row, SegmentSize};
    let fs = SimFs::new(18);
    let mut core = open(&fs).unwrap();
    let base = core.begin_import(SITE).unwrap().unwrap();
    let mut loader = Loader::new(base, SegmentSize { rows: 100, sessions: 100 }, false).unwrap();
    for day in [0, 1, 40, 80] {
        for visitor in 0..20u64 {
            // Visitor 5 comes once, visitor 6 on days that are near each other, 7 in one file only.
            let comes = match visitor {
                5 => day == 0,
                6 => day < 2,
                7 => day == 40,
                _ => true,
            };
            if comes {
                let event = view(visitor, NOON + day * DAY + visitor as i64, "/");
                loader.push(&Row { session: Some(day), ..Row::of_event(&event) }).unwrap();
            }
        }
    }
    let file = loader.finish().unwrap();
    core.publish_import(file, [1; 32], false).unwrap().unwrap();
    drop(loader);
    core.end_import();
    compact_all(&mut core);
    let before = content(&mut core);
    let marked = before.values().filter(|(session, _)| session.user_key.is_some()).count();
    assert_eq!((before.len(), marked), (17 * 4 + 4, 17 * 4));
    drop(core);
    let fs = fs.kill();
    let all = derived(&fs);
    for lost in 1..1 << all.len() {
        let fs = fs.kill();
        let lost = all.iter().enumerate().filter(|(at, _)| lost >> at & 1 == 1);
        lost.for_each(|(_, path)| put(&fs, path, None));
        let mut core = open(&fs).unwrap();
        mend(&mut core).unwrap();
        assert_same(&content(&mut core), &before, "marks");
    }
}

/// Both are named as they are kept.
#[test]
fn paths_of_what_is_made_anew() {
    let (fs, ..) = filled(23);
    let mut core = open(&fs).unwrap();
    let snapshot = core.snapshot();
    for (_, lake) in snapshot.lake().sites() {
        let (number, _) = lake.dictionary.as_ref().unwrap().name();
        assert!(fs.exists(&dictionary_path(Path::new(FOLDER), number)).unwrap());
        for live in &lake.files {
            assert!(fs.exists(&index_path(Path::new(FOLDER), live.file.number())).unwrap());
        }
    }
}
