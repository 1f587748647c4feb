//! Items with ids: stored once, however often and whenever they come again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use hitstone_engine::error::StorageError;
use hitstone_engine::event::{Batch, Event, Item, ItemIds};
use hitstone_engine::store::{Receipt, Store, StoreOptions};
use hitstone_engine::units::EventHash;
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::{Core, SealJob};

use crate::crashes::{Crash, SEAL_ROWS, acknowledged, at_every_operation, drive, open};
use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::setup::{FOLDER, seal, seeds, view};
use crate::workload::{Rng, SITES, Workload};

const HOUR: i64 = 3_600_000;
const NOON: i64 = 20_000 * 24 * HOUR + 12 * HOUR;

fn options() -> StoreOptions {
    StoreOptions { seal_rows: SEAL_ROWS, ..StoreOptions::default() }
}

fn hash(id: u64) -> EventHash {
    let mut rng = Rng::new(id + 1);
    let mut bytes = [0; 16];
    bytes.fill_with(|| rng.next() as u8);
    EventHash(bytes)
}

fn ids(ids: &[u64]) -> ItemIds {
    ItemIds::new(ids.iter().map(|id| hash(*id)))
}

/// A batch of events with an id each.
pub fn batch_of(events: Vec<(Event, u64)>, arrived: i64) -> Batch {
    let item = |(event, id)| Item { event: Some(event), ids: ids(&[id]) };
    Batch { items: events.into_iter().map(item).collect(), arrived: Some(arrived), position: None }
}

fn left_out(id: u64, arrived: i64) -> Batch {
    Batch { items: vec![Item { event: None, ids: ids(&[id]) }], arrived: Some(arrived), position: None }
}

fn store(core: &mut Core, batch: &Batch) -> Receipt {
    let receipt = core.append(batch).unwrap();
    core.commit().unwrap();
    receipt
}

fn id_files(fs: &SimFs) -> Vec<PathBuf> {
    let dir = Path::new(FOLDER).join("ids");
    fs.list(&dir).unwrap().iter().map(|name| dir.join(name)).collect()
}

// --- Random histories ---

/// What was sent, with its id, and what the store should know.
struct Sender {
    rng: Rng,
    workload: Workload,
    now: i64,
    next_id: u64,
    sent: Vec<(Option<Event>, u64)>,
    /// The hour in which each id arrived first, as long as it is known.
    known: HashMap<u64, i64>,
    model: Model,
}

impl Sender {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed ^ 0x1d5),
            workload: Workload::new(seed, 5),
            now: NOON,
            next_id: 0,
            sent: Vec::new(),
            known: HashMap::new(),
            model: Model::default(),
        }
    }

    /// An item, new or sent before (lately, mostly); some have no id, some are left out.
    fn item(&mut self) -> Item {
        if !self.sent.is_empty() && self.rng.one_in(3) {
            let reach = if self.rng.one_in(4) { self.sent.len() } else { self.sent.len().min(6) };
            let back = self.rng.below(reach as u64) as usize;
            let (event, id) = self.sent[self.sent.len() - 1 - back].clone();
            return Item { event, ids: ids(&[id]) };
        }
        let event = Some(self.workload.event()).filter(|_| !self.rng.one_in(9));
        if event.is_some() && self.rng.one_in(4) {
            return Item { event, ids: ItemIds::default() };
        }
        let id = self.next_id;
        self.next_id += 1;
        self.sent.push((event.clone(), id));
        Item { event, ids: ids(&[id]) }
    }

    /// A batch, and how many of its items the model takes for repeats.
    fn batch(&mut self) -> (Batch, usize) {
        self.now += match self.rng.below(20) {
            0..14 => 60_000 * self.rng.below(10) as i64,
            14..19 => HOUR * self.rng.below(9) as i64,
            _ => HOUR * (45 + self.rng.below(9) as i64),
        };
        let hour = self.now / HOUR;
        self.known.retain(|_, arrived| hour - *arrived <= 48);
        let count = 1 + self.rng.below(5);
        let items: Vec<Item> = (0..count).map(|_| self.item()).collect();
        let of_hash: HashMap<EventHash, u64> = self.sent.iter().map(|(_, id)| (hash(*id), *id)).collect();
        let mut repeated = 0;
        for item in &items {
            if let Some(id) = item.ids.as_slice().first().map(|hash| of_hash[hash]) {
                if self.known.contains_key(&id) {
                    repeated += 1;
                    continue;
                }
                self.known.insert(id, hour);
            }
            item.event.iter().for_each(|event| self.model.append(event));
        }
        (Batch { items, arrived: Some(self.now), position: None }, repeated)
    }
}

fn history(seed: u64, steps: usize) {
    let mut fs = SimFs::new(seed);
    let mut core = open(&fs).unwrap();
    let mut sender = Sender::new(seed);
    let mut rng = Rng::new(seed);
    let mut job: Option<SealJob> = None;
    for step in 0..steps {
        let context = format!("seed {seed} step {step}");
        // Some wait for one commit together: a repeat may come while the first one is in flight.
        for _ in 0..1 + rng.below(3) {
            let (batch, repeated) = sender.batch();
            assert_eq!(core.append(&batch).unwrap().repeated, repeated, "{context}");
        }
        core.commit().unwrap();
        if !core.is_sealing() && (core.wants_seal() || rng.one_in(12)) {
            job = Some(core.begin_seal().unwrap());
        }
        if rng.one_in(3)
            && let Some(job) = job.take()
        {
            let file = job.run().unwrap();
            core.finish_seal(file).unwrap();
        }
        if rng.one_in(8) {
            job = None;
            drop(core);
            fs = if rng.one_in(2) { fs.kill() } else { fs.crash(rng.next()) };
            core = open(&fs).unwrap();
            assert_eq!(core.ids().damage().count(), 0);
            assert_same(&of_snapshot(&core.snapshot(), &SITES), &of_model(&sender.model), &context);
        }
    }
    assert_same(&of_snapshot(&core.snapshot(), &SITES), &of_model(&sender.model), &format!("seed {seed}"));
}

#[test]
fn random_histories_with_repeats_equal_the_model() {
    for seed in seeds("HITSTONE_HISTORIES", 40) {
        history(seed, 120);
    }
}

// --- Crashes ---

/// Batches whose items all have ids; some items come twice in a batch or again in a later one.
fn script(seed: u64, count: usize) -> (Vec<Batch>, Model) {
    let (mut workload, mut rng) = (Workload::new(seed, 4), Rng::new(seed));
    let (mut model, mut sent): (Model, Vec<(Event, u64)>) = (Model::default(), Vec::new());
    let batches = (0..count)
        .map(|at| {
            let mut items = Vec::new();
            for _ in 0..1 + rng.below(4) {
                if !sent.is_empty() && rng.one_in(4) {
                    items.push(sent[rng.below(sent.len() as u64) as usize].clone());
                } else {
                    let item = (workload.event(), sent.len() as u64);
                    model.append(&item.0);
                    sent.push(item.clone());
                    items.push(item);
                }
            }
            // Forty batches, in as many hours (many files) or in a few (files are merged): nothing is over.
            let step = if seed % 2 == 1 { HOUR } else { HOUR / 20 };
            batch_of(items, NOON + at as i64 * step)
        })
        .collect();
    (batches, model)
}

fn with_ids(core: &mut Core, batch: &Batch) -> Result<(), StorageError> {
    core.append(batch).map(drop)
}

/// After the crash all that was acknowledged is known; the client sends some of it again, and all the rest.
fn check_after_crash(crash: &Crash<usize>, batches: &[Batch], model: &Model) {
    let (fs, context) = (crash.disk(), &crash.context);
    let mut core = open(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(core.ids().damage().count(), 0, "{context}");
    for batch in &batches[..crash.done] {
        let receipt = core.append(batch).unwrap();
        assert_eq!((receipt.repeated, receipt.rows), (batch.items.len(), 0), "{context}");
    }
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    let from = crash.done.saturating_sub(3);
    drive(&mut core, &batches[from..], &mut 0, with_ids).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_same(&of_snapshot(&core.snapshot(), &SITES), &of_model(model), context);
}

#[test]
fn a_crash_at_any_operation_stores_every_retried_item_once() {
    for seed in seeds("HITSTONE_CRASH_SEEDS", 2) {
        let (batches, model) = script(seed, 40);
        let mut in_recovery = 0;
        let all = at_every_operation(
            seed,
            |fs| acknowledged(fs, |core, count| drive(core, &batches, count, with_ids)),
            |crash| {
                check_after_crash(crash, &batches, &model);
                if crash.at % 17 == 0 {
                    in_recovery += crash.in_recovery(|crash| check_after_crash(crash, &batches, &model));
                }
            },
        );
        assert_eq!(all, batches.len());
        println!("seed {seed}: {in_recovery} more crash points during recovery");
    }
}

// --- One thing at a time ---

fn rows(core: &mut Core) -> usize {
    of_snapshot(&core.snapshot(), &SITES).values().map(|(session, _)| session.rows.len()).sum()
}

#[test]
fn what_is_no_repeat_in_a_batch_is_stored() {
    let mut core = open(&SimFs::new(1)).unwrap();
    let event = |n: u64| (view(n, NOON, "/"), n);
    assert_eq!(store(&mut core, &batch_of(vec![event(1), event(2), event(1)], NOON)).repeated, 1);
    let receipt = store(&mut core, &batch_of(vec![event(2), event(3), event(1), event(4)], NOON));
    assert_eq!((receipt.repeated, receipt.stored), (2, 2));
    assert_eq!(rows(&mut core), 4);
}

/// Of an item that left nothing to store its id is on disk all the same, before the answer.
#[test]
fn an_id_without_an_event_survives() {
    let fs = SimFs::new(1);
    let mut core = open(&fs).unwrap();
    assert_eq!(store(&mut core, &left_out(7, NOON)).repeated, 0);
    drop(core);
    for seed in 0..20 {
        let mut core = open(&fs.crash(seed)).unwrap();
        assert_eq!(store(&mut core, &batch_of(vec![(view(1, NOON, "/"), 7)], NOON)).repeated, 1);
        assert_eq!(rows(&mut core), 0);
        seal(&mut core);
        assert_eq!(store(&mut core, &left_out(7, NOON)).repeated, 1);
    }
}

/// Each id of an item stands for it, and those that come with a repeat are remembered too.
#[test]
fn an_item_goes_by_each_of_its_ids() {
    let fs = SimFs::new(1);
    let mut core = open(&fs).unwrap();
    let send = |core: &mut Core, of: &[u64]| {
        let item = Item { event: Some(view(1, NOON, "/")), ids: ids(of) };
        store(core, &Batch { items: vec![item], arrived: Some(NOON), position: None }).repeated
    };
    assert_eq!(send(&mut core, &[1]), 0);
    assert_eq!(send(&mut core, &[1, 2]), 1);
    drop(core);
    let mut core = open(&fs.crash(5)).unwrap();
    assert_eq!(send(&mut core, &[2, 3]), 1);
    assert_eq!(send(&mut core, &[3]), 1);
    assert_eq!(send(&mut core, &[4, 5]), 0);
    assert_eq!(send(&mut core, &[5]), 1);
    assert_eq!(rows(&mut core), 2);
}

#[test]
fn after_48_hours_an_item_is_a_new_one() {
    for restarts in [false, true] {
        let fs = SimFs::new(1);
        let mut core = open(&fs).unwrap();
        let at = |hours: i64| batch_of(vec![(view(1, NOON, "/"), 1)], NOON + hours * HOUR);
        assert_eq!(store(&mut core, &at(0)).repeated, 0);
        for hours in [1, 47, 48] {
            if restarts {
                drop(core);
                core = open(&fs.kill()).unwrap();
            }
            assert_eq!(store(&mut core, &at(hours)).repeated, 1, "after {hours} hours");
            if hours == 1 && !restarts {
                seal(&mut core);
            }
        }
        assert_eq!(store(&mut core, &at(49)).repeated, 0);
        assert_eq!(store(&mut core, &at(49)).repeated, 1);
        assert_eq!(rows(&mut core), 2);
    }
}

#[test]
fn beyond_the_bound_the_oldest_hour_is_forgotten() {
    let fs = SimFs::new(1);
    let options = StoreOptions { event_ids_max: 10, ..options() };
    let mut core = Core::open(Arc::new(fs.clone()), Path::new(FOLDER), options).unwrap();
    let batch = |hour: u64| {
        let events = (0..6).map(|n| (view(n, NOON, "/"), hour * 6 + n)).collect();
        batch_of(events, NOON + hour as i64 * HOUR)
    };
    assert_eq!(store(&mut core, &batch(0)).repeated, 0);
    seal(&mut core);
    assert_eq!(store(&mut core, &batch(1)).repeated, 0);
    assert_eq!(store(&mut core, &batch(1)).repeated, 6, "the bound is kept with the next batch");
    assert_eq!((core.ids().count(), core.ids().dropped_early()), (6, 6));
    assert!(id_files(&fs).is_empty());
    assert_eq!(store(&mut core, &Batch { arrived: Some(NOON + HOUR), ..batch(0) }).repeated, 0);
}

#[test]
fn a_damaged_id_file_never_stops_the_start() {
    let fs = SimFs::new(1);
    let mut core = open(&fs).unwrap();
    let batch = batch_of(vec![(view(1, NOON, "/"), 1), (view(2, NOON, "/"), 2)], NOON);
    store(&mut core, &batch);
    seal(&mut core);
    drop(core);
    let file = id_files(&fs).remove(0);
    let len = fs.read(&file).unwrap().len() as u64;
    for offset in 0..len {
        let fs = fs.kill();
        assert!(fs.flip_bits(&file, offset, 1));
        // The version is believed: that of a newer program stops the start. Bit 0 makes 1 smaller in the lowest byte.
        if (9..12).contains(&offset) {
            assert!(matches!(open(&fs).err(), Some(StorageError::Version { .. })), "byte {offset}");
            continue;
        }
        let mut core = open(&fs).unwrap();
        let damage: Vec<String> = core.ids().damage().map(ToString::to_string).collect();
        assert!(damage.len() == 1 && damage[0].contains(file.to_str().unwrap()), "{damage:?}");
        assert_eq!(store(&mut core, &batch).repeated, 0, "they are stored again");
        assert_eq!(store(&mut core, &batch).repeated, 2);
        seal(&mut core);
        drop(core);
        let mut core = open(&fs.kill()).unwrap();
        assert_eq!(store(&mut core, &batch).repeated, 2);
    }
}

// --- The store with its threads ---

fn send(store: &Store, batch: Batch) -> mpsc::Receiver<Result<Receipt, StorageError>> {
    let (done, answer) = mpsc::channel();
    let queued = store.append(batch, Box::new(move |result| drop(done.send(result))));
    if let Err(error) = queued {
        let (refuse, refused) = mpsc::channel();
        refuse.send(Err(error)).unwrap();
        return refused;
    }
    answer
}

/// The same item is sent three times at once, and any one operation of the disk fails: no copy is acknowledged unless
/// the item is on disk, and after a retry it is there once.
#[test]
fn a_repeat_is_not_acknowledged_when_the_first_one_fails() {
    let wait = |answer: &mpsc::Receiver<Result<Receipt, StorageError>>| {
        answer.recv_timeout(Duration::from_secs(30)).expect("the writer answers")
    };
    let batch = |n: u64| batch_of(vec![(view(n, NOON, &format!("/{n}")), n)], NOON);
    let mut acknowledged_once = 0;
    for at in 0..40 {
        let fs = SimFs::new(at);
        fs.fail_at(at, std::io::ErrorKind::StorageFull);
        let mut acknowledged = Vec::new();
        if let Ok(store) = Store::open(Arc::new(fs.clone()), Path::new(FOLDER), options()) {
            for n in 0..6 {
                let answers: Vec<_> = (0..3).map(|_| send(&store, batch(n))).collect();
                let results: Vec<_> = answers.iter().map(wait).collect();
                let done = results.iter().filter(|result| result.is_ok()).count();
                let stored: usize = results.iter().flatten().map(|receipt| receipt.stored).sum();
                assert!(done == 0 || stored == 1, "operation {at}, item {n}: {results:?}");
                acknowledged.extend((done > 0).then_some(n));
            }
            let _ = store.close();
        }
        acknowledged_once += usize::from(!acknowledged.is_empty());
        let mut core = open(&fs.crash(at)).unwrap();
        let found = rows(&mut core);
        assert!(found >= acknowledged.len(), "operation {at}: {found} rows of {acknowledged:?}");
        for n in 0..6 {
            let repeated = store_in(&mut core, &batch(n));
            assert!(
                repeated || !acknowledged.contains(&n),
                "operation {at}: {n} was acknowledged and is gone"
            );
        }
        assert_eq!(rows(&mut core), 6, "operation {at}");
    }
    assert!(acknowledged_once > 3 && acknowledged_once < 40, "{acknowledged_once}");
}

fn store_in(core: &mut Core, batch: &Batch) -> bool {
    store(core, batch).repeated > 0
}
