//! Random batches, seals and restarts, compared with the model after each step that could go wrong.

use std::path::Path;
use std::sync::Arc;

use hitstone_engine::store::StoreOptions;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::vfs::{OsFs, SharedFs};
use hitstone_engine::writer::Core;

use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::questions;
use crate::sessions;
use crate::setup::{seeds, store};
use crate::workload::{Rng, SITES, Workload};

fn options(seal_rows: usize) -> StoreOptions {
    StoreOptions { seal_rows, ..StoreOptions::default() }
}

/// Where a history is written.
enum Disk {
    Simulated(SimFs),
    Real(tempfile::TempDir),
}

impl Disk {
    fn open(&self, seal_rows: usize) -> Core {
        let (fs, folder): (SharedFs, &Path) = match self {
            Disk::Simulated(fs) => (Arc::new(fs.clone()), Path::new("/data")),
            Disk::Real(folder) => (Arc::new(OsFs), folder.path()),
        };
        Core::open(fs, folder, options(seal_rows)).unwrap()
    }

    /// What is left after the process was killed, or the power went.
    fn after_end(self, rng: &mut Rng) -> Self {
        match self {
            Disk::Simulated(fs) if rng.one_in(2) => Disk::Simulated(fs.kill()),
            Disk::Simulated(fs) => Disk::Simulated(fs.crash(rng.next())),
            real => real,
        }
    }
}

/// One history: batches; now and then a seal (with batches while it runs) and a restart, clean or killed.
fn history(mut disk: Disk, seed: u64, steps: usize) {
    let mut rng = Rng::new(seed ^ 0xabcd);
    let seal_rows = 20 + rng.below(60) as usize;
    let mut core = disk.open(seal_rows);
    let mut workload = Workload::new(seed, 2 + rng.below(8));
    let mut model = Model::default();
    let mut job = None;
    for step in 0..steps {
        store(&mut core, &workload.batch(), &mut model);
        if core.wants_seal() && !core.is_sealing() {
            job = Some(core.begin_seal().unwrap());
        }
        if job.is_some() && rng.one_in(4) {
            let file = job.take().unwrap().run().unwrap();
            core.finish_seal(file).unwrap();
        }
        let restarts = rng.one_in(12);
        if restarts || rng.one_in(3) {
            let (snapshot, context) = (core.snapshot(), format!("seed {seed} step {step}"));
            assert_same(&of_snapshot(&snapshot, &SITES), &of_model(&model), &context);
            questions::check(&snapshot, &model, &mut rng, &context);
            sessions::check(&snapshot, &model, &mut rng, &context);
        }
        if restarts {
            job = None;
            drop(core);
            disk = disk.after_end(&mut rng);
            core = disk.open(seal_rows);
            let found = of_snapshot(&core.snapshot(), &SITES);
            assert_same(&found, &of_model(&model), &format!("seed {seed} step {step}, after the restart"));
        }
    }
}

#[test]
fn random_histories_equal_the_model() {
    for seed in seeds("HITSTONE_HISTORIES", 60) {
        history(Disk::Simulated(SimFs::new(seed)), seed, 120);
    }
}

#[test]
fn histories_on_a_real_disk_equal_the_model() {
    for seed in 1..=8 {
        history(Disk::Real(tempfile::tempdir().unwrap()), seed, 120);
    }
}
