//! The process is killed while it brings what it has into the lake, in the background or because somebody asks for it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hitstone_engine::parquet::Reader;
use hitstone_engine::vfs::OsFs;

use crate::support::random::Random;
use crate::support::{Folder, Server, files_below, hitstone};
use crate::{HOST, Ledger, compare, load_until_killed, start};

/// Small, so that there soon are more segments than may stay.
const SEAL_ROWS: &str = "40";

#[test]
fn killed_while_compacting() {
    let rounds = if std::env::var_os("HITSTONE_TEST_ALL").is_some() { 10 } else { 4 };
    let mut random = Random::from_environment("killed_while_compacting");
    let mut folder = Folder::new();
    let site = folder.create_site(HOST);
    let mut ledger = Ledger::default();
    let (mut asked, mut temporary, mut lake_rows) = (0, 0, 0);
    for round in 0..rounds {
        let server = start(folder, SEAL_ROWS);
        let client = server.log_in(&site);
        let delay = Duration::from_millis(1200 + random.below(1500) as u64);
        let ended = AtomicBool::new(false);
        let lake = server.folder().data().join("lake");
        let wait = || {
            thread::sleep(delay);
            // The moment is any in every third round; in the others a file is being written, if one is.
            if round % 3 > 0 {
                wait_for_temporary(&lake);
            }
            // Nobody asks any more once the server is gone: the command would do the work itself.
            ended.store(true, Ordering::SeqCst);
        };
        let load = |server: Server| load_until_killed(server, &client.token, round, wait);
        let (killed, sent) = if round % 2 == 0 {
            load(server)
        } else {
            let (sent, count) = while_asking(server, &ended, load);
            asked += count;
            sent
        };
        folder = killed;
        for (group, name, acknowledged) in sent {
            ledger.add(&group, &name, acknowledged);
        }
        temporary += check_files(&folder, round);

        let server = start(folder, SEAL_ROWS);
        let problems = compare(&mut server.log_in(&site), &ledger);
        assert!(problems.is_empty(), "round {round}, killed after {delay:?}:\n{}", problems.join("\n"));
        lake_rows = rows_in_lake(&server);
        folder = if round % 3 == 0 { server.stop() } else { server.kill() };
        check_files(&folder, round);
    }
    folder.run_json(&["compact", "--json"]);
    let server = start(folder, SEAL_ROWS);
    // The kills may all have come before a file was published; now there is one.
    let all_rows = rows_in_lake(&server);
    let problems = compare(&mut server.log_in(&site), &ledger);
    assert!(problems.is_empty(), "all compacted:\n{}", problems.join("\n"));
    println!(
        "killed_while_compacting: {rounds} rounds, {} acknowledged, {asked} compactions asked for, {temporary} \
         temporary files left, {lake_rows} rows in the lake before the last compaction",
        ledger.count(true)
    );
    assert!(asked > 0 && all_rows > 0, "nothing was compacted");
}

/// Waits a while for a file that is being written.
fn wait_for_temporary(lake: &Path) {
    let (begun, site) = (Instant::now(), lake.join(format!("site={HOST}")));
    let names_in = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    while begun.elapsed() < Duration::from_secs(3) {
        let mut files = names_in(&site).flat_map(|month| names_in(&month.path()));
        if files.any(|file| file.path().extension().is_some_and(|tail| tail == "tmp")) {
            return;
        }
    }
}

/// Asks for compaction again and again while a server runs that is killed; gives how often.
fn while_asking<T>(server: Server, ended: &AtomicBool, run: impl FnOnce(Server) -> T) -> (T, usize) {
    let data = server.folder().data();
    thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut count = 0;
            while !ended.load(Ordering::SeqCst) {
                // It fails when the server is killed meanwhile.
                let output = hitstone().args(["compact", "--json", "--data"]).arg(&data).output();
                drop(output.expect("running hitstone"));
                count += 1;
            }
            count
        });
        let result = run(server);
        (result, asking.join().expect("the one who asks"))
    })
}

/// What readers of `*.parquet` see is whole. Gives how many temporary files there are.
fn check_files(folder: &Folder, round: usize) -> usize {
    let files = files_below(&folder.data().join("lake"));
    let is_parquet = |path: &Path| path.extension().is_some_and(|extension| extension == "parquet");
    for (path, _) in files.iter().filter(|(path, _)| is_parquet(path)) {
        let mut reader = Reader::open(&OsFs, path)
            .unwrap_or_else(|error| panic!("round {round}: {}: {error}", path.display()));
        let mut rows = 0;
        while let Some(batch) = reader.next_batch().unwrap_or_else(|error| panic!("round {round}: {error}")) {
            rows += batch.len();
        }
        assert!(rows > 0, "round {round}: {} is empty", path.display());
    }
    let others: Vec<String> = files
        .iter()
        .filter(|(path, _)| !is_parquet(path))
        .map(|(path, _)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert!(others.iter().all(|name| name.ends_with(".parquet.tmp")), "round {round}: {others:?}");
    others.len()
}

fn rows_in_lake(server: &Server) -> u64 {
    let metrics = server.connect().get("/metrics", "").text();
    let rows = metrics.lines().find_map(|line| line.strip_prefix("hitstone_lake_rows "));
    rows.and_then(|rows| rows.parse().ok()).expect("a number of rows")
}
