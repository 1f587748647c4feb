//! What was stored, written as Parquet and read back, is the same: every session with every column of every row, in
//! order, a session whole in the file of its month. A crash while it is written leaves no half file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hitstone_engine::error::{ParquetError, StorageError};
use hitstone_engine::event::{Event, Kind, Texts, encode_pairs};
use hitstone_engine::parquet::{Folder, LakeRow, Month, Reader, Target, Written};
use hitstone_engine::schema::Column;
use hitstone_engine::snapshot::Snapshot;
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::units::{DayUtc, SessionId, SiteId};
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::vfs::{Fs, OsFs};
use hitstone_engine::writer::Core;

use crate::dump::of_snapshot;
use crate::model::{Model, Row, Session};
use crate::setup::{seeds, store, view};
use crate::workload::{Rng, SITES, Workload};

const HOST: &str = "exämple.com";
const ALL: Range<i64> = i64::MIN..i64::MAX;
const DAY: i64 = 86_400_000;

/// (visitor as the files show it, session id) to the session.
type Content = BTreeMap<(i64, u32), Session>;

/// The sessions of a site as the files should have them.
fn wanted(sessions: impl IntoIterator<Item = Session>, site: u32, span: &Range<i64>) -> Content {
    let mut content = Content::new();
    for mut session in sessions {
        session.rows = session.ordered();
        let last = session.rows.last().unwrap().time;
        if session.site != site || !span.contains(&last) {
            continue;
        }
        for row in &mut session.rows {
            row.received = row.received.filter(|&received| received != row.time);
        }
        let id = SessionId::new(DayUtc(session.day as u16), session.n as u16);
        content.insert((session.visitor.cast_signed(), id.0), session);
    }
    content
}

fn export(
    snapshot: &Snapshot,
    site: u32,
    span: Range<i64>,
    fs: &SimFs,
    path: &Path,
) -> Result<Written, ParquetError> {
    let mut folder = Folder::open(fs.shared(), path)?;
    let written = snapshot.export(SiteId(site), HOST, span, &mut folder, &mut |_| Ok(()))?;
    folder.finish(&[])?;
    Ok(written)
}

/// The files below a folder, with their months.
fn files(fs: &dyn Fs, path: &Path) -> Vec<(Month, PathBuf)> {
    let mut files = Vec::new();
    if !fs.exists(path).unwrap() {
        return files;
    }
    for name in fs.list(path).unwrap() {
        let month = Month::parse(name.strip_prefix("month=").expect("a month's folder")).unwrap();
        for file in fs.list(&path.join(&name)).unwrap() {
            if !file.ends_with(".tmp") {
                assert_eq!(file, format!("{month}.parquet"));
                files.push((month, path.join(&name).join(file)));
            }
        }
    }
    files
}

fn read_all(fs: &dyn Fs, path: &Path, mut take: impl FnMut(&LakeRow<'_>)) -> u64 {
    let mut reader = Reader::open(fs, path).unwrap();
    let mut count = 0;
    while let Some(batch) = reader.next_batch().unwrap() {
        (0..batch.len()).for_each(|row| take(&batch.row(row).unwrap()));
        count += batch.len() as u64;
    }
    assert_eq!(count, reader.row_count());
    count
}

/// Reads a file and checks what holds of every one: its order, its month, sessions in one piece.
fn read_file(fs: &dyn Fs, site: u32, month: Month, path: &Path, content: &mut Content) -> u64 {
    let mut last: Option<(u16, i64, u32, i64)> = None;
    read_all(fs, path, |row| {
        let id = SessionId(u32::try_from(row.session.unwrap()).unwrap());
        let visitor = row.visitor.0.cast_signed();
        assert_eq!(row.site, Some(HOST));
        assert_eq!(Month::of(id.day()), month);
        let place = (id.day().0, visitor, id.0, row.time);
        assert!(last.is_none_or(|last| last <= place), "{last:?} before {place:?}");
        let begins = last.is_none_or(|last| (last.1, last.2) != (visitor, id.0));
        last = Some(place);
        let attributes: Vec<String> =
            Column::attributes().iter().map(|&column| row.text(column).to_owned()).collect();
        let fresh = Session {
            site,
            visitor: row.visitor.0,
            day: i64::from(id.day().0),
            n: u32::from(id.n()),
            user_key: row.user_key,
            attributes: attributes.clone(),
            rows: Vec::new(),
        };
        if begins {
            let doubled = content.insert((visitor, id.0), fresh);
            assert!(doubled.is_none(), "a session is in two places");
        }
        let session = content.get_mut(&(visitor, id.0)).unwrap();
        assert_eq!((&session.attributes, session.user_key), (&attributes, row.user_key));
        session.rows.push(Row {
            time: row.time,
            kind: row.kind as u8,
            quiet: row.non_interactive,
            duration: row.event_duration,
            status: row.status,
            received: row.received,
            texts: Column::row_texts().iter().map(|&column| row.text(column).to_owned()).collect(),
        });
    })
}

fn read_folder(fs: &dyn Fs, site: u32, path: &Path) -> (Content, Written) {
    let (mut content, mut counts) = (Content::new(), Written::default());
    for (month, file) in files(fs, path) {
        counts.files += 1;
        counts.bytes += fs.read(&file).unwrap().len() as u64;
        counts.rows += read_file(fs, site, month, &file, &mut content);
    }
    counts.sessions = content.len() as u64;
    (content, counts)
}

fn assert_same(found: &Content, wanted: &Content, context: &str) {
    for (key, session) in wanted {
        assert_eq!(found.get(key), Some(session), "{context}: session {key:?}");
    }
    assert_eq!(found.len(), wanted.len(), "{context}: sessions were invented");
}

/// The export of a site is what the model has of it.
pub fn assert_exported(snapshot: &Snapshot, model: &Model, site: u32, span: &Range<i64>, context: &str) {
    let (out, path) = (SimFs::new(1), Path::new("/out/site=x"));
    let written = export(snapshot, site, span.clone(), &out, path).unwrap();
    let (found, counts) = read_folder(&out, site, path);
    assert_same(&found, &wanted(model.sessions.clone(), site, span), context);
    assert_eq!(written, counts, "{context}");
}

#[test]
fn random_histories_come_back() {
    for seed in seeds("HITSTONE_HISTORIES", 25) {
        let mut rng = Rng::new(seed ^ 0x77);
        let disk = SimFs::new(seed);
        let options = StoreOptions { seal_rows: 15 + rng.below(80) as usize, ..StoreOptions::default() };
        let mut core = Core::open(disk.shared(), Path::new("/data"), options).unwrap();
        let mut workload = Workload::new(seed, 2 + rng.below(30));
        let mut model = Model::default();
        let mut job = None;
        for _ in 0..50 + rng.below(100) {
            store(&mut core, &workload.batch(), &mut model);
            if core.wants_seal() && !core.is_sealing() {
                job = Some(core.begin_seal().unwrap());
            }
            if rng.one_in(3)
                && let Some(job) = job.take()
            {
                core.finish_seal(job.run().unwrap()).unwrap();
            }
        }
        // The live store, with a seal perhaps under way, and what the folder says of itself once it is left alone.
        let live = core.snapshot();
        drop(core);
        let before = disk.operation_count();
        let left = Store::read(disk.kill().shared(), Path::new("/data")).unwrap();
        assert_eq!(of_snapshot(&left, &SITES), of_snapshot(&live, &SITES), "seed {seed}");
        assert_eq!(disk.operation_count(), before, "reading changes nothing");
        let middle = (20_000 + rng.below(30) as i64) * DAY;
        for (name, snapshot, span) in [
            ("live", &live, ALL),
            ("left", &left, ALL),
            ("old", &live, 0..middle),
            ("new", &left, middle..i64::MAX),
        ] {
            for site in SITES {
                assert_exported(snapshot, &model, site, &span, &format!("seed {seed}, site {site}, {name}"));
            }
        }
    }
}

/// A store with one session a day on each of these days, and two rows in it.
fn store_of_days(days: &[i64]) -> Snapshot {
    let disk = SimFs::new(3);
    let mut core = Core::open(disk.shared(), Path::new("/data"), StoreOptions::default()).unwrap();
    for &day in days {
        for minute in [0, 1] {
            core.append_events(&[view(7, day * DAY + minute * 60_000, &format!("/{day}"))]).unwrap();
        }
    }
    core.commit().unwrap();
    core.snapshot()
}

#[test]
fn a_crash_at_any_operation_leaves_whole_files() {
    let path = Path::new("/out/site=x");
    // The earlier export has a month that the new one has not, and one that is longer in the new one.
    let (old, new) = (store_of_days(&[19_000, 20_000]), store_of_days(&[20_000, 20_001, 20_050, 20_100]));
    let all = |snapshot: &Snapshot| {
        let sessions = of_snapshot(snapshot, &[1]).into_values().map(|(session, _)| session);
        wanted(sessions, 1, &ALL)
    };
    let (in_old, in_new) = (all(&old), all(&new));
    for with_old in [false, true] {
        let begin = || {
            let fs = SimFs::new(5);
            if with_old {
                export(&old, 1, ALL, &fs, path).unwrap();
            }
            fs
        };
        let whole = begin();
        let first = whole.operation_count();
        export(&new, 1, ALL, &whole, path).unwrap();
        let operations = whole.operation_count() - first;
        assert_same(&read_folder(&whole, 1, path).0, &in_new, "undisturbed");
        for at in 0..operations {
            for kind in [None, Some(std::io::ErrorKind::StorageFull)] {
                let fs = begin();
                match kind {
                    None => fs.set_crash_at(first + at),
                    Some(kind) => fs.fail_at(first + at, kind),
                }
                let failed = export(&new, 1, ALL, &fs, path);
                assert!(failed.is_err(), "operation {at} of {operations} failed and nobody noticed");
                for seed in 0..4 {
                    let context = format!("{kind:?} at operation {at} of {operations}, seed {seed}");
                    let after = fs.crash(seed);
                    for (month, file) in files(&after, path) {
                        let mut found = Content::new();
                        read_file(&after, 1, month, &file, &mut found);
                        let of = |content: &Content| {
                            let of_month = content
                                .clone()
                                .into_iter()
                                .filter(|(key, _)| Month::of(SessionId(key.1).day()) == month);
                            of_month.collect::<Content>()
                        };
                        assert!(found == of(&in_new) || with_old && found == of(&in_old), "{context}");
                    }
                    export(&new, 1, ALL, &after, path).unwrap_or_else(|error| panic!("{context}: {error}"));
                    assert_same(&read_folder(&after, 1, path).0, &in_new, &context);
                }
            }
        }
    }
}

#[test]
fn what_no_export_wrote_is_not_touched() {
    let snapshot = store_of_days(&[20_000]);
    let month = Month::of(DayUtc(20_000));
    let ours = format!("month={month}/{month}.parquet");
    for foreign in ["notes.txt", "month=2024-13/x", "month=2024-10/other.parquet", ours.as_str()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site=x");
        let file = path.join(foreign);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let refused = Folder::open(Arc::new(OsFs), &path).map(drop);
        assert!(matches!(refused, Err(ParquetError::Foreign { .. })), "{foreign}: {refused:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/site=x");
    for _ in 0..2 {
        let mut target = Folder::open(Arc::new(OsFs), &path).unwrap();
        snapshot.export(SiteId(1), HOST, ALL, &mut target, &mut |_| Ok(())).unwrap();
        target.finish(&[]).unwrap();
        assert!(path.join(&ours).is_file());
    }
}

/// Of months that could not be read wholly the files of an earlier export stay, whether the new one has something of them
/// or nothing; others are replaced or removed.
#[test]
fn what_could_not_be_read_stays() {
    let (old, new) =
        (store_of_days(&[19_000, 19_500, 20_000, 20_050]), store_of_days(&[20_000, 20_001, 20_050]));
    let path = Path::new("/out/site=x");
    let fs = SimFs::new(5);
    export(&old, 1, ALL, &fs, path).unwrap();
    let month = |day: u16| Month::of(DayUtc(day));
    let bytes = |day: u16| fs.read(&path.join(format!("month={0}/{0}.parquet", month(day)))).ok();
    let before = [19_000, 19_500, 20_000, 20_050].map(bytes);
    let mut folder = Folder::open(fs.shared(), path).unwrap();
    new.export(SiteId(1), HOST, ALL, &mut folder, &mut |_| Ok(())).unwrap();
    // Until the end nothing is another one.
    assert_eq!([19_000, 19_500, 20_000, 20_050].map(bytes), before);
    let kept = folder.finish(&[month(19_000)..=month(19_000), month(20_000)..=month(20_001)]).unwrap();
    assert_eq!(kept, [month(19_000), month(20_000)]);
    assert_eq!((bytes(19_000), bytes(20_000)), (before[0].clone(), before[2].clone()));
    assert_eq!(bytes(19_500), None);
    assert!(bytes(20_050).is_some());
    let leftover = path.join(format!("month={0}/{0}.parquet.tmp", month(20_000)));
    assert!(!fs.exists(&leftover).unwrap());
    // Nobody can tell: everything stays.
    let folder = Folder::open(fs.shared(), path).unwrap();
    assert_eq!(folder.finish(&[month(0)..=month(u16::MAX)]).unwrap().len(), 3);
    assert_eq!(bytes(19_000), before[0]);
}

/// Ids and times at their ends, long and strange texts, many pairs, a session that is long.
#[test]
fn extremes_come_back() {
    let disk = SimFs::new(9);
    let mut core = Core::open(disk.shared(), Path::new("/data"), StoreOptions::default()).unwrap();
    let mut model = Model::default();
    let long = "ü\u{10ffff}\0\n\"'".repeat(4_000);
    let many: Vec<(String, String)> = (0..300)
        .map(|n| (format!("key {n}"), if n % 3 == 0 { String::new() } else { format!("{n}€") }))
        .collect();
    let (first, last) = (0, 65_535 * DAY + DAY - 1);
    for (at, visitor) in [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1].into_iter().enumerate() {
        for (n, time) in [first, 1, last - 1, last].into_iter().enumerate() {
            let mut texts = Texts::new();
            texts.set(Column::Path, if n == 0 { "" } else { &long });
            texts.set(Column::Title, &long);
            texts.set(Column::City, "日本 🏙");
            texts.set(Column::EventName, "é");
            texts.set(Column::EventMeta, &encode_pairs(&many));
            texts.set(Column::Tags, &encode_pairs(&[("", ""), ("\0", &long)]));
            let event = Event {
                kind: [Kind::PageView, Kind::Event][(at + n) % 2],
                received: [None, Some(last), Some(1)][n % 3],
                user_key: [None, Some(u64::MAX), Some(1)][at % 3],
                event_duration: [None, Some(0), Some(i32::MAX as u32)][n % 3],
                status: [None, Some(1), Some(u16::MAX)][n % 3],
                non_interactive: n % 2 == 1,
                may_be_assumed: false,
                texts,
                ..view(visitor, time, "")
            };
            model.append(&event);
            core.append_events(&[event]).unwrap();
        }
    }
    for n in 0..20_000 {
        core.append_events(&[view(5, 40_000 * DAY + n * 4_000, &format!("/{}", n % 7))]).unwrap();
    }
    core.commit().unwrap();
    let snapshot = core.snapshot();
    let sessions = of_snapshot(&snapshot, &[1]).into_values().map(|(session, _)| session);
    let wanted = wanted(sessions, 1, &ALL);
    let (out, path) = (SimFs::new(1), Path::new("/out"));
    export(&snapshot, 1, ALL, &out, path).unwrap();
    let (found, _) = read_folder(&out, 1, path);
    assert_same(&found, &wanted, "extremes");
    let months: Vec<String> = files(&out, path).iter().map(|(month, _)| month.to_string()).collect();
    assert_eq!(months, ["1970-01", "2079-07", "2149-06"]);
}

/// What a target refuses ends the writing, as does a reason to stop.
#[test]
fn a_refusal_ends_it() {
    struct Refuses;
    impl Target for Refuses {
        fn begin(&mut self, _: Month) -> Result<(), StorageError> {
            Ok(())
        }
        fn append(&mut self, _: &[u8]) -> Result<(), StorageError> {
            Err(StorageError::Closed)
        }
        fn end(&mut self) -> Result<(), StorageError> {
            Ok(())
        }
    }
    let snapshot = store_of_days(&[20_000]);
    let refused = snapshot.export(SiteId(1), HOST, ALL, &mut Refuses, &mut |_| Ok(()));
    assert!(matches!(refused, Err(ParquetError::Storage(StorageError::Closed))), "{refused:?}");
    let (fs, path) = (SimFs::new(1), Path::new("/out"));
    let mut folder = Folder::open(fs.shared(), path).unwrap();
    let stopped = snapshot.export(SiteId(1), HOST, ALL, &mut folder, &mut |_| Err("enough"));
    assert!(matches!(stopped, Err(ParquetError::Stopped("enough"))), "{stopped:?}");
    drop(folder);
    assert_eq!(files(&fs, path), []);
}
