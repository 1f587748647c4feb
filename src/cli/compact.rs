//! `compact`: brings everything that is stored into the lake, by the server that runs on the folder, else here.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgMatches, Command};
use hitstone_engine::error::StorageError;
use hitstone_engine::vfs::{OsFs, SharedFs};

use super::args::plain;
use crate::cli::reach::here_or_there;
use crate::cli::{Failure, data_folder, say};
use crate::compaction::{CompactionDone, CompactionSign, in_words, open_store};
use crate::control;
use crate::versions;

/// The command as it is typed.
pub(super) fn command() -> Command {
    plain(
        "compact",
        "Brings everything that is stored into the Parquet files under DIR/lake/; makes damaged indexes of them anew",
    )
}

/// `hitstone compact`
pub(super) fn compact(matches: &ArgMatches) -> Result<(), Failure> {
    let folder = data_folder(matches)?;
    let json = matches.get_flag("json");
    let on_terminal = !json && std::io::stderr().is_terminal();
    let progress = RefCell::new(|sign: CompactionSign| match sign {
        CompactionSign::Waiting(what) => eprintln!("hitstone: waiting for {what}"),
        CompactionSign::Progress(files, events) if on_terminal => {
            eprint!("\rcompacting: {events} events in {files} files ");
            let _ = std::io::stderr().flush();
        }
        CompactionSign::Progress(..) => {}
    });
    let fs: SharedFs = Arc::new(OsFs);
    if !fs.exists(&folder).map_err(failed)? {
        return Err(Failure::Failed(format!("there is no data folder {}", folder.display())));
    }
    let done = here_or_there(
        &folder,
        || here(&fs, &folder, &mut *progress.borrow_mut()),
        || control::compact(&folder, &mut *progress.borrow_mut()),
    );
    if on_terminal {
        eprint!("\r\x1b[K");
    }
    let done = done?;
    if json {
        say(&serde_json::to_string(&done).map_err(failed)?);
    } else {
        let CompactionDone { compacted, files, seconds, .. } = done;
        say(&format!("compacted {compacted} events: {files} files written, {seconds:.1} s"));
    }
    if done.left > 0 {
        eprintln!("hitstone: {} events are of sites that are no more, and stay where they are", done.left);
    }
    Ok(())
}

/// `None` when somebody else has the folder.
fn here(
    fs: &SharedFs,
    folder: &Path,
    progress: &mut dyn FnMut(CompactionSign),
) -> Result<Option<CompactionDone>, Failure> {
    let begun = Instant::now();
    versions::refuse_newer(&**fs, folder).map_err(failed)?;
    let store = match open_store(fs, folder) {
        Ok(store) => store,
        Err(StorageError::Locked { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let result = store.compact(&mut |so_far| progress(so_far.into()));
    let done = result.map_err(|error| Failure::Failed(in_words(&error)))?;
    store.close().map_err(failed)?;
    Ok(Some(CompactionDone::after(done, begun.elapsed().as_secs_f64())))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}
