//! Access tokens: random, several valid at once, kept only as hashes in the file `tokens`, so that they survive a
//! restart. Bounded per client: the expired go first, then the oldest.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hitstone_engine::error::StorageError;
use hitstone_engine::units::TimestampMs;
use hitstone_engine::version::Kind;
use hitstone_engine::vfs::{Fs, SharedFs};
use serde::{Deserialize, Serialize};

use crate::auth::{self, SecretHash};
use crate::envelope;

const NAME: &str = "tokens";
const KIND: Kind = Kind { magic: *b"HITTOKEN", version: 1 };
/// Tokens of one client that are valid at once.
pub const PER_CLIENT_MAX: usize = 500;

/// Refuses a folder whose tokens a newer program wrote; nothing else of them is read.
///
/// # Errors
/// [`StorageError::Version`].
pub fn check_version(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    KIND.check_file(fs, &folder.join(NAME))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Grant {
    token: SecretHash,
    client: String,
    expires: TimestampMs,
}

/// A token that was just made.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The token, shown once.
    pub token: String,
    /// When it ends.
    pub expires: TimestampMs,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The file could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Random(#[from] getrandom::Error),
}

/// All valid tokens.
pub struct Tokens {
    fs: SharedFs,
    path: PathBuf,
    lifetime_ms: i64,
    by_hash: ArcSwap<HashMap<SecretHash, Grant>>,
    grants: Mutex<Vec<Grant>>,
}

impl Tokens {
    /// Reads `folder`'s tokens. New ones last `lifetime_ms`.
    ///
    /// # Errors
    /// The file is damaged or newer than this program.
    pub fn open(fs: SharedFs, folder: &Path, lifetime_ms: i64) -> Result<Self, StorageError> {
        let path = folder.join(NAME);
        let grants: Vec<Grant> = envelope::read(&*fs, &path, KIND)?.unwrap_or_default();
        let by_hash = ArcSwap::from_pointee(index(&grants));
        Ok(Self { fs, path, lifetime_ms, by_hash, grants: Mutex::new(grants) })
    }

    /// Makes a token for a client: on disk when this returns. Waits for the disk.
    ///
    /// # Errors
    /// The file could not be written; the token is not valid then.
    pub fn issue(&self, client: &str, now: TimestampMs) -> Result<Issued, IssueError> {
        let issued =
            Issued { token: auth::random_text(auth::ACCESS_TOKEN_CHARS)?, expires: now + self.lifetime_ms };
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: Vec<Grant> = grants.iter().filter(|grant| grant.expires > now).cloned().collect();
        let of_client = kept.iter().filter(|grant| grant.client == client).count();
        if of_client >= PER_CLIENT_MAX
            && let Some(oldest) = kept.iter().position(|grant| grant.client == client)
        {
            kept.remove(oldest);
        }
        let token = SecretHash::of(&issued.token);
        kept.push(Grant { token, client: client.to_owned(), expires: issued.expires });
        envelope::write(&*self.fs, &self.path, KIND, &kept)?;
        self.by_hash.store(Arc::new(index(&kept)));
        *grants = kept;
        Ok(issued)
    }

    /// The id of the client that holds `token`, when it is known and has not ended. Found by the token's hash, so
    /// that timing tells nothing about the token.
    pub fn client_of(&self, token: &str, now: TimestampMs) -> Option<String> {
        let by_hash = self.by_hash.load();
        let grant = by_hash.get(&SecretHash::of(token))?;
        (grant.expires > now).then(|| grant.client.clone())
    }

    /// Forgets the tokens of clients that are no more. Waits for the disk.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn retain(&self, lives: impl Fn(&str) -> bool) -> Result<(), StorageError> {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: Vec<Grant> = grants.iter().filter(|grant| lives(&grant.client)).cloned().collect();
        if kept.len() == grants.len() {
            return Ok(());
        }
        self.by_hash.store(Arc::new(index(&kept)));
        envelope::write(&*self.fs, &self.path, KIND, &kept)?;
        *grants = kept;
        Ok(())
    }
}

fn index(grants: &[Grant]) -> HashMap<SecretHash, Grant> {
    grants.iter().map(|grant| (grant.token, grant.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitstone_engine::vfs::OsFs;

    #[test]
    fn tokens_survive_a_restart_and_end_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Tokens::open(Arc::new(OsFs), folder.path(), 1_000).unwrap();
        let tokens = open();
        let first = tokens.issue("a", 0).unwrap();
        let second = tokens.issue("b", 500).unwrap();
        let tokens = open();
        assert_eq!(tokens.client_of(&first.token, 999).as_deref(), Some("a"));
        assert_eq!(tokens.client_of(&first.token, 1_000), None);
        assert_eq!(tokens.client_of(&second.token, 1_000).as_deref(), Some("b"));
        assert_eq!(tokens.client_of("", 0), None);
        let (all_but_one, last) = first.token.split_at(first.token.len() - 1);
        let other = if last == "a" { "b" } else { "a" };
        assert_eq!(tokens.client_of(&format!("{all_but_one}{other}"), 0), None);
        assert_eq!(tokens.client_of(all_but_one, 0), None);
        tokens.retain(|client| client != "b").unwrap();
        assert_eq!(tokens.client_of(&second.token, 600), None);
        assert_eq!(open().client_of(&second.token, 600), None);
        let file = std::fs::read(folder.path().join("tokens")).unwrap();
        assert!(!file.windows(first.token.len()).any(|part| part == first.token.as_bytes()));
    }
}
