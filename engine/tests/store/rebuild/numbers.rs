//! Sessions that are opened while a file cannot be read have numbers of their own, however often that happens.

use super::*;

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
