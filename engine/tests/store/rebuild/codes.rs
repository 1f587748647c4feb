//! Codes of strings, while a dictionary is lost and after.

use super::*;

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
