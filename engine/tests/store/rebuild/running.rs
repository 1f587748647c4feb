//! A store that runs mends by itself, and says why when it cannot.

use super::*;

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
