//! Open files of the process: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the rest of the server needs.
const OTHERS: u64 = 256;

/// Raises the process's limit as far as it may be raised, and gives how many connections of those that are wanted fit
/// in it. The usual limit is made for programs that know no other way to wait for a file than one that has room for 1,024.
pub fn room_for_connections(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
    let Some(files) = limit.current else { return wanted };
    let room = usize::try_from(files.saturating_sub(OTHERS).max(1)).unwrap_or(usize::MAX);
    if room < wanted {
        eprintln!(
            "hitstone: {room} connections at once instead of {wanted}: only {files} files may be open. Raise the limit \
             (LimitNOFILE= of the systemd unit, `ulimit -n`), or set --max-connections to what you need."
        );
    }
    wanted.min(room)
}
