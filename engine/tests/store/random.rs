//! Random batches, seals and restarts, compared with the model after each step that could go wrong.

use std::path::Path;
use std::sync::Arc;

use hitstone_engine::store::StoreOptions;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::workload::{Rng, SITES, Workload};

fn options(seal_rows: usize) -> StoreOptions {
    StoreOptions { seal_rows, ..StoreOptions::default() }
}

fn open(fs: &SimFs, seal_rows: usize) -> Core {
    Core::open(Arc::new(fs.clone()), Path::new("/data"), options(seal_rows)).unwrap()
}

/// One history: batches; now and then a seal (with batches while it runs) and a restart, clean or killed.
fn history(seed: u64, steps: usize) {
    let mut fs = SimFs::new(seed);
    let mut rng = Rng::new(seed ^ 0xabcd);
    let seal_rows = 20 + rng.below(60) as usize;
    let mut core = open(&fs, seal_rows);
    let mut workload = Workload::new(seed, 2 + rng.below(8));
    let mut model = Model::default();
    let mut job = None;
    for step in 0..steps {
        let batch = workload.batch();
        core.append(&batch).unwrap();
        core.commit().unwrap();
        batch.iter().for_each(|event| model.append(event));
        if core.wants_seal() && !core.is_sealing() {
            job = Some(core.begin_seal().unwrap());
        }
        if job.is_some() && rng.one_in(4) {
            let file = job.take().unwrap().run().unwrap();
            core.finish_seal(file).unwrap();
        }
        let restarts = rng.one_in(12);
        if restarts || rng.one_in(3) {
            let found = of_snapshot(&core.snapshot(), &SITES);
            assert_same(&found, &of_model(&model), &format!("seed {seed} step {step}"));
        }
        if restarts {
            job = None;
            drop(core);
            fs = if rng.one_in(2) { fs.kill() } else { fs.crash(rng.next()) };
            core = open(&fs, seal_rows);
            let found = of_snapshot(&core.snapshot(), &SITES);
            assert_same(&found, &of_model(&model), &format!("seed {seed} step {step}, after the restart"));
        }
    }
}

#[test]
fn random_histories_equal_the_model() {
    let histories = std::env::var("HITSTONE_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    for seed in 1..=histories {
        history(seed, 120);
    }
}
