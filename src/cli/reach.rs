//! Commands work on the folder when it is free, else through the server that has it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::control::AskError;

/// How long a command waits for a server that is starting or ending, or for another command.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// Does something `here`, which gives `None` when somebody else has the folder, or asks for it `there`.
///
/// # Errors
/// What either says, or that nobody answers for a folder that is in use.
pub(super) fn here_or_there<T>(
    folder: &Path,
    mut here: impl FnMut() -> Result<Option<T>, Failure>,
    mut there: impl FnMut() -> Result<T, AskError>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = here()? {
            return Ok(done);
        }
        match there() {
            Ok(done) => return Ok(done),
            Err(AskError::Failed(message)) => return Err(Failure::Failed(message)),
            Err(AskError::NobodyThere) if Instant::now() > deadline => {
                let folder = folder.display();
                return Err(Failure::Failed(format!(
                    "{folder} is in use, and whoever uses it does not answer"
                )));
            }
            Err(AskError::NobodyThere) => std::thread::sleep(PAUSE),
        }
    }
}
