//! What is derived from the lake's Parquet files is damaged, made anew, and as it was: every block of it, with sessions that
//! have left the lake, with rows in the log, with crashes at every operation, with events between.

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

/// The indexes and dictionaries.
fn derived(fs: &SimFs) -> Vec<PathBuf> {
    let is_such = |name: &String| name.starts_with("index-") || name.starts_with("dictionary-");
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
    let begun = fs.operation_count();
    for ahead in 0..4 {
        fs.fail_at(fs.operation_count() + ahead, std::io::ErrorKind::StorageFull);
        let before = derived(&fs);
        assert!(mend(&mut core).is_err());
        core.end_rebuild();
        assert_eq!(derived(&fs), before, "failure {ahead}: files are left");
    }
    assert!(fs.operation_count() > begun);
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

/// A visitor whose session nobody can find opened another one of the same number; the first one was void then.
#[test]
fn sessions_that_are_opened_meanwhile_have_numbers_of_their_own() {
    for prefix in ["index-", "dictionary-"] {
        let fs = SimFs::new(12);
        let mut core = open(&fs).unwrap();
        store(&mut core, &[view(1, NOON, "/"), view(2, NOON, "/")]);
        compact_all(&mut core);
        drop(core);
        let fs = fs.kill();
        let path = derived(&fs).into_iter().find(|path| path.to_str().unwrap().contains(prefix)).unwrap();
        put(&fs, &path, None);
        let mut core = open(&fs).unwrap();
        // Near the session that nobody can find, and far from it.
        store(&mut core, &[view(1, NOON + 60_000, "/near"), view(2, NOON + 3 * 3_600_000, "/far")]);
        seal(&mut core);
        store(&mut core, &[view(2, NOON + 5 * 3_600_000, "/further"), view(3, NOON, "/")]);
        mend(&mut core).unwrap();
        store(&mut core, &[view(2, NOON + 7 * 3_600_000, "/last")]);
        let numbers = |core: &mut Core| -> Vec<(u64, u32)> {
            content(core).into_keys().map(|(_, visitor, _, n)| (visitor, n)).collect()
        };
        // Without the dictionary the index still tells of sessions, though not whether an event may join them.
        let last = u32::from(prefix == "index-");
        let wanted = [(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (2, 3), (3, last)];
        assert_eq!(numbers(&mut core), wanted, "{prefix}");
        compact_all(&mut core);
        assert_eq!(numbers(&mut core), wanted, "{prefix}, compacted");
    }
}

/// Events of the same visitors come live, or with an import.
#[derive(Debug, Clone, Copy)]
enum Way {
    Live,
    Import,
}

fn bring(core: &mut Core, events: &[Event], way: Way) {
    use hitstone_engine::writer::import::{Loader, Row, SegmentSize};
    let Way::Import = way else { return store(core, events) };
    let base = core.begin_import(SITE).unwrap().unwrap();
    let mut loader = Loader::new(base, SegmentSize { rows: 100, sessions: 100 }, false).unwrap();
    for event in events {
        loader.push(&Row::of_event(event)).unwrap();
    }
    let file = loader.finish().unwrap();
    let mut content = [0; 32];
    content[..8].copy_from_slice(&events[0].time.to_le_bytes());
    core.publish_import(file, content, false).unwrap().unwrap();
    drop(loader);
    core.end_import();
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

/// The numbers that are given to sessions while a file cannot be read had always been the same, so that what came
/// during damage was lost when damage came again.
#[test]
fn nothing_is_lost_however_often_a_file_is_damaged() {
    for lost in ["index-", "dictionary-", "parquet", "all"] {
        for way in [Way::Live, Way::Import] {
            for is_compacted in [true, false] {
                repeat_damage(lost, way, is_compacted);
            }
        }
    }
}

fn repeat_damage(lost: &str, way: Way, is_compacted: bool) {
    let mut fs = SimFs::new(25);
    let mut core = open(&fs).unwrap();
    let mut model = Model::default();
    let of_round = |round: i64| -> Vec<Event> {
        (1..=10).map(|visitor| view(visitor, NOON + round * 60_000, &format!("/{round}"))).collect()
    };
    for round in 0..5 {
        let context = format!("{lost}, {way:?}, compacted {is_compacted}, round {round}");
        let parquet: Vec<PathBuf> =
            files(&mut core).iter().map(|live| live.file.parquet().to_path_buf()).collect();
        drop(core);
        fs = fs.kill();
        let hurt = |path: &PathBuf| lost == "all" || path.to_str().unwrap().contains(lost);
        let hurt: Vec<PathBuf> = derived(&fs).into_iter().chain(parquet).filter(hurt).collect();
        let saved: Vec<Vec<u8>> = hurt.iter().map(|path| fs.read(path).unwrap()).collect();
        hurt.iter().for_each(|path| put(&fs, path, None));
        core = open(&fs).unwrap();
        let events = of_round(round);
        if matches!(way, Way::Import) && matches!(lost, "dictionary-" | "all") && round > 0 {
            // An import is refused then.
            assert!(incomplete(&core.snapshot()).is_some(), "{context}");
            store(&mut core, &events);
        } else {
            bring(&mut core, &events, way);
        }
        events.iter().for_each(|event| model.append(event));
        if round % 2 == 1 {
            seal(&mut core);
        }
        drop(core);
        fs = fs.kill();
        if matches!(lost, "parquet" | "all") {
            hurt.iter().zip(&saved).for_each(|(path, bytes)| put(&fs, path, Some(bytes)));
        }
        core = open(&fs).unwrap();
        mend(&mut core).unwrap();
        for state in ["mended", "compacted", "opened again"] {
            match state {
                "compacted" if is_compacted || round % 3 == 0 => compact_all(&mut core),
                "opened again" => {
                    drop(core);
                    fs = fs.kill();
                    core = open(&fs).unwrap();
                }
                _ => {}
            }
            let context = format!("{context}, {state}");
            let snapshot = core.snapshot();
            assert_eq!(incomplete(&snapshot), None, "{context}");
            assert_eq!(rows(&content(&mut core)), rows(&of_model(&model)), "{context}");
        }
    }
}

/// A number was given twice all the same, as programs before this one did. Neither session is void, and it is told.
#[test]
fn a_session_of_the_same_number_is_no_copy() {
    let fs = SimFs::new(26);
    let mut core = open(&fs).unwrap();
    store(&mut core, &[view(1, NOON, "/first"), view(2, NOON, "/first")]);
    compact_all(&mut core);
    drop(core);
    let fs = fs.kill();
    let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
    let entry = &mut manifest.lake.values_mut().next().unwrap().files[0];
    assert_eq!(std::mem::take(&mut entry.numbers_end), 1);
    manifest.write(&fs, Path::new(FOLDER)).unwrap();
    let index = derived(&fs).into_iter().find(|path| path.to_str().unwrap().contains("index-")).unwrap();
    put(&fs, &index, None);
    let mut core = open(&fs).unwrap();
    store(&mut core, &[view(1, NOON + 60_000, "/second")]);
    let site = wanted_site(&mut core);
    assert!(!rebuild_beside(&mut core, site, Extent::Indexes, &mut |_, _| ()).unwrap());
    let damage = core.snapshot().damage().next().unwrap().to_string();
    assert!(damage.contains("session 1310720000 of visitor 1"), "{damage}");
    assert_eq!(core.snapshot().open_rows(), 1);
    assert!(incomplete(&core.snapshot()).is_some());
    let manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
    assert!(manifest.lake.values().all(|site| site.files[0].superseded.is_empty()));
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

/// Strings get other codes while the dictionary is lost; whatever becomes of it then, none is believed twice.
#[test]
fn codes_of_a_lost_dictionary_are_not_mixed_with_others() {
    let path = |n: u64| format!("/{n}");
    // Ids that come on days far apart would be given ones.
    let visitor = |day: u64, n: u64| day * 1_000 + n;
    for is_index_lost in [false, true] {
        for is_put_back in [false, true] {
            let context = format!("index lost {is_index_lost}, dictionary put back {is_put_back}");
            let fs = SimFs::new(13);
            let mut core = open(&fs).unwrap();
            let mut model = Model::default();
            let old: Vec<Event> = (0..20).map(|n| view(visitor(0, n), NOON, &path(n))).collect();
            store(&mut core, &old);
            compact_all(&mut core);
            drop(core);
            let fs = fs.kill();
            let originals: Vec<(PathBuf, Vec<u8>)> =
                derived(&fs).into_iter().map(|path| (path.clone(), fs.read(&path).unwrap())).collect();
            for (path, _) in &originals {
                if is_index_lost || path.to_str().unwrap().contains("dictionary-") {
                    put(&fs, path, None);
                }
            }
            // New strings under codes of old ones, and old strings under new codes, of other days.
            let mut core = open(&fs).unwrap();
            let new: Vec<Event> =
                (10..40).rev().map(|n| view(visitor(40, n), NOON + 40 * DAY, &path(n))).collect();
            store(&mut core, &new);
            seal(&mut core);
            let more: Vec<Event> = (5..50).map(|n| view(visitor(41, n), NOON + 41 * DAY, &path(n))).collect();
            store(&mut core, &more);
            old.iter().chain(&new).chain(&more).for_each(|event| model.append(event));
            drop(core);
            let fs = fs.kill();
            if is_put_back {
                originals.iter().for_each(|(path, bytes)| put(&fs, path, Some(bytes)));
            }
            let mut core = open(&fs).unwrap();
            let damaged = mend(&mut core).unwrap();
            assert_eq!(damaged, [(SITE, Extent::Everything)], "{context}");
            assert_whole(&mut core, &model, &context);
            compact_all(&mut core);
            assert_whole(&mut core, &model, &format!("{context}, compacted"));
            assert_eq!(core.snapshot().sealed_counts().0, 0, "{context}: something was not compacted");
        }
    }
}

/// A folder in which codes are mixed already: a compaction finds it, and everything is made anew by its strings.
#[test]
fn mixed_codes_are_found_by_a_compaction_and_put_right() {
    let fs = SimFs::new(14);
    let mut core = open(&fs).unwrap();
    let mut model = Model::default();
    let old: Vec<Event> = (0..20).map(|n| view(n + 1, NOON, &format!("/{n}"))).collect();
    store(&mut core, &old);
    compact_all(&mut core);
    drop(core);
    let fs = fs.kill();
    let originals: Vec<(PathBuf, Vec<u8>)> =
        derived(&fs).into_iter().map(|path| (path.clone(), fs.read(&path).unwrap())).collect();
    let lake = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap().lake;
    originals.iter().for_each(|(path, _)| put(&fs, path, None));
    let mut core = open(&fs).unwrap();
    let new: Vec<Event> = (30..60).map(|n| view(n + 1, NOON, &format!("/{n}"))).collect();
    store(&mut core, &new);
    seal(&mut core);
    drop(core);
    old.iter().chain(&new).for_each(|event| model.append(event));
    let fs = fs.kill();
    // The manifest believes the dictionary again, which no program does any more.
    let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
    assert_ne!(manifest.lake, lake, "it was believed");
    manifest.lake = lake;
    manifest.write(&fs, Path::new(FOLDER)).unwrap();
    originals.iter().for_each(|(path, bytes)| put(&fs, path, Some(bytes)));
    let mut core = open(&fs).unwrap();
    assert_eq!(mend(&mut core).unwrap(), [], "each file is sound");
    let error = compact_with_codes(&mut core).expect("codes that do not fit");
    assert!(matches!(error, CompactionError::Codes(SITE)), "{error}");
    assert!(rebuild_beside(&mut core, SITE, Extent::Everything, &mut |_, _| ()).unwrap());
    let numbers = |core: &mut Core| -> Vec<(u64, usize)> {
        content(core)
            .into_iter()
            .map(|((_, visitor, ..), (session, _))| (visitor, session.rows.len()))
            .collect()
    };
    let wanted: Vec<(u64, usize)> = of_model(&model)
        .into_iter()
        .map(|((_, visitor, ..), (session, _))| (visitor, session.rows.len()))
        .collect();
    assert_eq!(numbers(&mut core), wanted);
    compact_all(&mut core);
    assert_eq!(numbers(&mut core), wanted, "compacted");
    assert_eq!(core.snapshot().sealed_counts().0, 0, "something was not compacted");
}

/// Why the next file cannot be written.
fn compact_with_codes(core: &mut Core) -> Option<CompactionError> {
    use hitstone_engine::compaction::{CompactionJob, Situation};
    use hitstone_engine::units::DayUtc;
    let snapshot = core.snapshot();
    let situation = Situation::of(&snapshot, &|_| Some("site".into()), i64::MAX);
    let step = situation.next_step(DayUtc(20_000), true).expect("something waits");
    let numbers = core.take_numbers();
    let job = CompactionJob::new(core.lake_context(), &snapshot, step, "site".into(), numbers, i64::MAX);
    job.run(&mut || Ok(())).err()
}

/// Events come while files are read, with strings that the lake has and that no segment has.
#[test]
fn strings_that_come_meanwhile_have_one_code() {
    let (fs, ..) = filled(15);
    let mut core = open(&fs).unwrap();
    compact_all(&mut core);
    drop(core);
    let fs = fs.kill();
    let dictionary = derived(&fs).into_iter().find(|path| path.to_str().unwrap().contains("dictionary-"));
    put(&fs, &dictionary.unwrap(), None);
    let mut core = open(&fs).unwrap();
    let mut next = 0u64;
    let mut beside = |core: &mut Core, when: &str| {
        let paths = match when {
            "before" => ["/prices/ü", "/x/y/z", "/new before"],
            _ => ["/prices/ü", "/über/uns", "/new after"],
        };
        for path in paths {
            next += 1;
            store(core, &[view(1_000_000 + next, NOON + next as i64 * DAY, path)]);
        }
        if when == "after" {
            seal(core);
            store(core, &[view(3_000_000, NOON, "/prices/ü")]);
        }
    };
    let site = wanted_site(&mut core);
    assert!(rebuild_beside(&mut core, site, Extent::Everything, &mut beside).unwrap());
    assert!(next > 8);
    // It looks at all codes.
    let found = content(&mut core);
    compact_all(&mut core);
    assert_same(&content(&mut core), &found, "compacted");
}

fn wanted_site(core: &mut Core) -> SiteId {
    let snapshot = core.snapshot();
    look_for_damage(&snapshot);
    wanted(&snapshot)[0].0
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

/// A Parquet file that is not what was written is named, whether or not its index is there; the rest is made anew.
#[test]
fn a_parquet_file_that_is_not_sound_is_set_aside() {
    let (fs, _, _) = filled(17);
    let mut core = open(&fs).unwrap();
    let parquet = files(&mut core)[0].file.parquet().to_path_buf();
    drop(core);
    let original = fs.read(&parquet).unwrap();
    let reversed = reversed(&original);
    let mut flipped = original.clone();
    flipped[original.len() / 2] ^= 1;
    let cases = [
        ("missing", None, false),
        ("cut short", Some(&original[..original.len() / 2]), false),
        ("flipped", Some(&flipped[..]), false),
        ("in another order", Some(&reversed[..]), true),
    ];
    for (what, bytes, is_in_manifest) in cases {
        for prefix in ["index-", "dictionary-"] {
            let context = format!("{what}, {prefix}");
            let fs = fs.kill();
            put(&fs, &parquet, bytes);
            derived(&fs)
                .iter()
                .filter(|path| path.to_str().unwrap().contains(prefix))
                .for_each(|path| put(&fs, path, None));
            if let (true, Some(bytes)) = (is_in_manifest, bytes) {
                let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
                let entry = &mut manifest.lake.values_mut().next().unwrap().files[0];
                entry.parquet_len = bytes.len() as u64;
                entry.parquet_end_crc = hitstone_engine::lake::end_crc(bytes);
                manifest.write(&fs, Path::new(FOLDER)).unwrap();
            }
            let mut core = open(&fs).unwrap();
            let snapshot = core.snapshot();
            look_for_damage(&snapshot);
            for (site, extent) in wanted(&snapshot) {
                rebuild_beside(&mut core, site, extent, &mut |_, _| ()).unwrap();
            }
            let damage: Vec<String> = core.snapshot().damage().map(|damage| damage.to_string()).collect();
            assert_eq!(damage.len(), 1, "{context}: {damage:?}");
            assert!(damage[0].contains(parquet.to_str().unwrap()), "{context}: {damage:?}");
            assert_eq!(wanted(&core.snapshot()), [], "{context}: it is tried again and again");
            drop(core);
            if is_in_manifest {
                continue;
            }
            // From a copy.
            put(&fs, &parquet, Some(&original));
            let mut core = open(&fs.kill()).unwrap();
            mend(&mut core).unwrap();
            assert_eq!(core.snapshot().damage().count(), 0, "{context}");
            content(&mut core);
        }
    }
}

/// What is left of a damaged index still tells of damage in the Parquet file that no decoding would find.
#[test]
fn checksums_of_a_damaged_index_are_believed() {
    let (fs, ..) = filled(24);
    let mut core = open(&fs).unwrap();
    let live = files(&mut core)[0].clone();
    drop(core);
    let fs = fs.kill();
    let index = index_path(Path::new(FOLDER), live.file.number());
    let place = places(&index, &fs.read(&index).unwrap())[0];
    assert!(fs.flip_bits(&index, place as u64, 1));
    let parquet = live.file.parquet();
    let len = fs.read(parquet).unwrap().len() as u64;
    for at in (0..len).step_by(211) {
        let fs = fs.kill();
        assert!(fs.flip_bits(parquet, at, 4));
        // Its end is as the manifest says.
        let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
        let entry = &mut manifest.lake.values_mut().next().unwrap().files[0];
        entry.parquet_end_crc = hitstone_engine::lake::end_crc(&fs.read(parquet).unwrap());
        manifest.write(&fs, Path::new(FOLDER)).unwrap();
        let mut core = open(&fs).unwrap();
        let site = wanted_site(&mut core);
        let is_done = rebuild_beside(&mut core, site, Extent::Indexes, &mut |_, _| ()).unwrap();
        let damage: Vec<String> = core.snapshot().damage().map(|damage| damage.to_string()).collect();
        assert!(!is_done && damage[0].contains(".parquet"), "byte {at} of {len}: {damage:?}");
    }
}

/// The rows of a Parquet file from the last one to the first.
fn reversed(bytes: &[u8]) -> Vec<u8> {
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let input = bytes::Bytes::copy_from_slice(bytes);
    let batches: Vec<_> = ParquetRecordBatchReaderBuilder::try_new(input)
        .unwrap()
        .build()
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batches[0].schema(), None).unwrap();
    for batch in batches.iter().rev() {
        (0..batch.num_rows()).rev().for_each(|row| writer.write(&batch.slice(row, 1)).unwrap());
    }
    writer.into_inner().unwrap()
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

#[test]
fn parquet_files_that_a_crash_has_left_are_removed() {
    let (fs, model, _) = filled(19);
    let mut core = open(&fs).unwrap();
    let first = files(&mut core)[0].file.parquet().to_path_buf();
    assert_eq!(remove_temporaries(&fs, Path::new(FOLDER)).unwrap(), 0);
    // Of a key that has a file, and of a site and a month that have none.
    let other = Path::new(FOLDER).join("lake/site=other.example/month=2024-01/2024-01.parquet");
    fs.create_dir_all(other.parent().unwrap()).unwrap();
    let left = [temporary_path(&first), temporary_path(&other)];
    left.iter().for_each(|path| put(&fs, path, Some(b"PAR1")));
    assert_eq!(remove_temporaries(&fs, Path::new(FOLDER)).unwrap(), 2);
    assert!(left.iter().all(|path| !fs.exists(path).unwrap()));
    assert_whole(&mut core, &model, "after it");
    drop(core);
    // A start with a thread for it does so.
    let fs = fs.kill();
    left.iter().for_each(|path| put(&fs, path, Some(b"PAR1")));
    let (told, _) = mpsc::channel();
    let store = store_with_compaction(&fs, told);
    wait_until("files are left", || left.iter().all(|path| !fs.exists(path).unwrap()));
    store.close().unwrap();
}

fn store_with_compaction(fs: &SimFs, told: mpsc::Sender<String>) -> Store {
    let store = Store::open(fs.shared(), Path::new(FOLDER), StoreOptions::default()).unwrap();
    let told = std::sync::Mutex::new(told);
    let settings = CompactionSettings {
        host_of: Arc::new(|site| Some(format!("site{}.example", site.0))),
        days_of: Arc::new(|_, _| None),
        clock: Arc::new(|| 0),
        aggregate_rows_min: u64::MAX,
        share: 1.0,
        tell: Arc::new(move |what| drop(told.lock().unwrap().send(what.to_owned()))),
    };
    store.start_compaction(settings).unwrap();
    store
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Nobody has to ask for it, and nobody has to start anything again.
#[test]
fn a_running_store_mends_what_a_query_finds() {
    for prefix in ["index-", "dictionary-"] {
        let (fs, model) = broken(20, prefix);
        let (told, telling) = mpsc::channel();
        let store = store_with_compaction(&fs, told);
        assert!(incomplete(&store.snapshot()).is_some());
        wait_until("it is not mended", || incomplete(&store.snapshot()).is_none());
        assert_same(&of_snapshot(&store.snapshot(), &SITES), &of_model(&model), prefix);
        // It is told, and counted, just after it is to be seen.
        let words = telling.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(words.contains(&prefix[..5]) && words.contains(".example"), "{words}");
        assert!(store.status().compaction.rebuilt > 0);
        assert_eq!(store.status().damaged_files, 0);
        store.close().unwrap();
        let mut core = open(&fs.kill()).unwrap();
        assert_whole(&mut core, &model, prefix);
    }
}

/// Why something cannot be done is told once, until it has been done.
#[test]
fn the_operator_is_told_why_nothing_is_made_anew() {
    let (fs, _) = broken(28, "dictionary-");
    let (told, telling) = mpsc::channel();
    let store = store_with_compaction(&fs, told);
    fs.fail_reads_of(Some(".parquet"));
    store.compact(&mut |_| ()).unwrap_err();
    store.compact(&mut |_| ()).unwrap_err();
    let mut words: Vec<String> = telling.try_iter().collect();
    let count = words.len();
    assert!(
        words.iter().any(|words| words.contains("cannot make") && words.contains(".example")),
        "{words:?}"
    );
    assert!(words.iter().all(|words| words.contains("simulated failure")), "{words:?}");
    words.sort();
    words.dedup();
    assert_eq!(words.len(), count, "something is told twice");
    assert!(store.status().compaction.failures > count as u64);
    fs.fail_reads_of(None);
    store.compact(&mut |_| ()).unwrap();
    let mut words = std::iter::from_fn(|| telling.recv_timeout(Duration::from_secs(60)).ok());
    assert!(words.any(|words| words.contains("made the dictionary")));
    store.close().unwrap();
}

/// Somebody asks for everything before anybody has met the damage.
#[test]
fn compacting_on_demand_looks_for_damage_and_mends_it() {
    let (fs, _) = broken(21, "index-");
    let (told, telling) = mpsc::channel();
    let store = store_with_compaction(&fs, told);
    store.compact(&mut |_| ()).unwrap();
    assert_eq!(store.status().compaction.rebuilt, 1);
    assert!(incomplete(&store.snapshot()).is_none());
    telling.recv_timeout(Duration::from_secs(10)).unwrap();
    store.close().unwrap();
}

/// Moving a session met damage in the lake, and the store took no more events.
#[test]
fn damage_that_the_writer_meets_does_not_stop_it() {
    for prefix in ["dictionary-", "parquet"] {
        let fs = SimFs::new(22);
        let mut core = open(&fs).unwrap();
        store(&mut core, &[view(1, NOON, "/")]);
        compact_all(&mut core);
        let parquet = files(&mut core)[0].file.parquet().to_path_buf();
        drop(core);
        let fs = fs.kill();
        let damaged = match prefix {
            "parquet" => parquet,
            _ => derived(&fs).into_iter().find(|path| path.to_str().unwrap().contains(prefix)).unwrap(),
        };
        assert!(fs.flip_bits(&damaged, 200, 1));
        let mut core = open(&fs).unwrap();
        let mut event = view(1, NOON + 60_000, "/next");
        event.visitor = VisitorId(1);
        store(&mut core, &[event]);
        assert_eq!(core.snapshot().open_rows(), 1, "{prefix}");
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
