//! The small state of a data folder: sites and clients, in one file `state` that is replaced as a whole.
//!
//! Readers take an immutable view and never wait. A change is made on a copy, written and synced, and only then seen:
//! what a command was told is in force is on disk. Needs the folder's lock.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hitstone_engine::error::StorageError;
use hitstone_engine::units::SiteId;
use hitstone_engine::version::Kind;
use hitstone_engine::vfs::{Fs, SharedFs};
use serde::{Deserialize, Serialize};

use crate::auth::SecretHash;
use crate::envelope;
use crate::hosts::HostIndex;
use crate::sites::{Client, ClientKind, LiveSite, Site};

const NAME: &str = "state";
/// Version 2 added goals, and descriptions of clients; version 3 filters, checks that are off, those of `/track`, and
/// clients with Basic authentication.
const KIND: Kind = Kind { magic: *b"HITSTATE", version: 3 };

/// Refuses a folder whose state a newer program wrote; nothing else of it is read.
///
/// # Errors
/// [`StorageError::Version`].
pub fn check_version(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    KIND.check_file(fs, &folder.join(NAME))
}

/// What the file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// All sites.
    pub sites: Vec<Site>,
    /// All clients.
    pub clients: Vec<Client>,
    /// Number of the next site.
    pub next_site: u32,
}

impl Default for State {
    fn default() -> Self {
        Self { sites: Vec::new(), clients: Vec::new(), next_site: 1 }
    }
}

impl State {
    /// The site with this host name.
    pub fn site_of_host(&self, hostname: &str) -> Option<&Site> {
        self.sites.iter().find(|site| site.hostname == hostname)
    }

    /// The sites that there were and that are no more. Those that this state knows nothing of, because it is an older
    /// one or was lost, are not among them: their data is not to be removed.
    pub fn gone_sites(&self) -> BTreeSet<SiteId> {
        let known: BTreeSet<u32> = self.sites.iter().map(|site| site.number).collect();
        (1..self.next_site).filter(|number| !known.contains(number)).map(SiteId).collect()
    }

    fn fault(&self) -> Option<String> {
        for site in &self.sites {
            if site.number == 0 || site.number >= self.next_site {
                return Some(format!("site {} has the number {} of a later one", site.hostname, site.number));
            }
            if !site.has_sound_secret() {
                return Some(format!("the secret of site {} is not 32 hexadecimal digits", site.hostname));
            }
        }
        None
    }
}

/// The state with ways to find things in it.
#[derive(Debug, Default)]
pub struct View {
    /// As in the file.
    pub state: State,
    sites: HashMap<u32, Arc<LiveSite>>,
    clients: HashMap<String, Client>,
    keys: HashMap<SecretHash, u32>,
    track_tokens: HashMap<SecretHash, u32>,
    public_ids: HashMap<String, u32>,
    hosts: HostIndex,
}

impl View {
    fn of(state: State) -> Self {
        let sites =
            state.sites.iter().map(|site| (site.number, Arc::new(LiveSite::new(site.clone())))).collect();
        let clients = state.clients.iter().map(|client| (client.id.clone(), client.clone())).collect();
        let (mut keys, mut track_tokens) = (HashMap::new(), HashMap::new());
        for client in &state.clients {
            let _ = match client.kind {
                ClientKind::WriteOnly { key } => keys.insert(key, client.site),
                ClientKind::Basic { token } => track_tokens.insert(token, client.site),
                ClientKind::Oauth { .. } => None,
            };
        }
        let named = |site: &Site| [&site.id, &site.identification_code].map(|id| (id.clone(), site.number));
        let public_ids = state.sites.iter().flat_map(named).collect();
        let hosts = HostIndex::of(&state.sites);
        Self { state, sites, clients, keys, track_tokens, public_ids, hosts }
    }

    /// The site with this number.
    pub fn site(&self, number: u32) -> Option<&Arc<LiveSite>> {
        self.sites.get(&number)
    }

    /// The site that has this name, as its own, an alternative one or the `www.` form of either.
    pub fn site_named(&self, host: &str) -> Option<&Arc<LiveSite>> {
        self.site(self.hosts.site_of(host)?)
    }

    /// All sites.
    pub fn sites(&self) -> impl Iterator<Item = &Arc<LiveSite>> {
        self.sites.values()
    }

    /// The client with this id.
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// The site that an access key writes to. Found by the key's hash, so that timing tells nothing about the key.
    pub fn site_of_access_key(&self, key: &str) -> Option<&Arc<LiveSite>> {
        self.site(*self.keys.get(&SecretHash::of(key))?)
    }

    /// The site that a token for SegmentStream's calls writes to; found as that of an access key.
    pub fn site_of_track_token(&self, token: &str) -> Option<&Arc<LiveSite>> {
        self.site(*self.track_tokens.get(&SecretHash::of(token))?)
    }

    /// The site that pages name by its identification code.
    pub fn site_of_code(&self, code: &str) -> Option<&Arc<LiveSite>> {
        self.site_of_public_id(code).filter(|site| site.identification_code == code)
    }

    /// The site that pages name by its identification code or its id.
    pub fn site_of_public_id(&self, id: &str) -> Option<&Arc<LiveSite>> {
        self.site(*self.public_ids.get(id)?)
    }
}

/// The state of an open data folder.
pub struct StateFile {
    fs: SharedFs,
    path: PathBuf,
    current: ArcSwap<View>,
    changing: Mutex<()>,
    changes: AtomicU64,
}

impl StateFile {
    /// Reads `folder`'s state; an empty one when there is none yet.
    ///
    /// # Errors
    /// The file is damaged or newer than this program.
    pub fn open(fs: SharedFs, folder: &Path) -> Result<Self, StorageError> {
        let path = folder.join(NAME);
        let state: State = envelope::read(&*fs, &path, KIND)?.unwrap_or_default();
        if let Some(what) = state.fault() {
            return Err(StorageError::corrupt(&path, 0, what));
        }
        Ok(Self {
            fs,
            path,
            current: ArcSwap::from_pointee(View::of(state)),
            changing: Mutex::new(()),
            changes: AtomicU64::new(0),
        })
    }

    /// The state as it is now.
    pub fn view(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// How often the state was changed since it was opened.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Changes the state: on disk and in force when this returns. When `change` fails nothing happens. Waits for
    /// the disk: not for a thread that serves connections.
    ///
    /// # Errors
    /// What `change` says, or that the file could not be written.
    pub fn change<T, E: From<StorageError>>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.current.load().state.clone();
        let value = change(&mut state)?;
        envelope::write(&*self.fs, &self.path, KIND, &state)?;
        self.current.store(Arc::new(View::of(state)));
        self.changes.fetch_add(1, Ordering::Relaxed);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use hitstone_engine::vfs::OsFs;

    use super::*;
    use crate::sites::WeekStart;

    /// Written by the program before goals and descriptions were added.
    const VERSION_1: &[u8] = include_bytes!("../tests/fixtures/state-v1");
    /// Written by the program before filters, checks and clients with Basic authentication were added.
    const VERSION_2: &[u8] = include_bytes!("../tests/fixtures/state-v2");

    /// A file of an older version is read as it is, and the same after it was written anew.
    fn check_kept(bytes: &[u8], check: impl Fn(&View)) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("state"), bytes).unwrap();
        let open = || StateFile::open(Arc::new(OsFs), folder.path()).unwrap();
        let file = open();
        let check = |view: &View| {
            let site = view.site(1).unwrap();
            assert_eq!((site.hostname.as_str(), site.timezone.as_str()), ("old.test", "Europe/Berlin"));
            assert_eq!((site.week_start, site.public), (WeekStart::Sunday, true));
            assert_eq!(site.alternative_hosts, ["a.test", "*.b.test"]);
            assert!(site.filters.is_empty() && site.checks_off.is_empty() && !site.track_bot_filter);
            check(view);
        };
        check(&file.view());
        file.change(|_| Ok::<_, StorageError>(())).unwrap();
        assert_eq!(std::fs::read(folder.path().join("state")).unwrap()[8], 3);
        check(&open().view());
    }

    #[test]
    fn the_first_version_is_read_and_kept() {
        const SECRET: &str = "sPip3pFdCZORNUOzsPqGc6wSUGGeRkAX49fFSypNLpWI6gOMMhMFg5Ul2drXSa4v";
        const KEY: &str = "pa_46sW5Z4DHDS3y6uny5aQHBOCf3UOVShQxS1p7dmVd2ttg";
        check_kept(VERSION_1, |view| {
            assert!(view.site(1).unwrap().goals.is_empty());
            let client = view.client("5ZNYMF7tNG4RezWBfhpVEp9i9PLsMqWa").unwrap();
            assert!(matches!(client.kind, ClientKind::Oauth { secret } if secret.matches(SECRET)));
            assert_eq!((client.description.as_str(), client.modified), ("", 0));
            assert_eq!(view.site_of_access_key(KEY).map(|site| site.number), Some(1));
            assert_eq!((view.state.clients.len(), view.state.next_site), (3, 3));
        });
    }

    #[test]
    fn the_second_version_is_read_and_kept() {
        const SECRET: &str = "eoaEc0A3gHbNWgoHwA0QD5N66vXkEvDl6qsGy8WmJPZkyJLxqQbK7weLM9J3gJ7v";
        const KEY: &str = "pa_TjEMYO6OMrYm5iPQaO2AZp0TRqA8APvpBrul6eWJSlggH";
        check_kept(VERSION_2, |view| {
            let goals = &view.site(1).unwrap().goals;
            assert_eq!(
                (goals.len(), goals[0].id.as_str(), goals[0].name.as_str()),
                (1, "N9xi23sgDc", "Order")
            );
            let client = view.client("ZjEsteq6jxJkCQ43WtRBSo2291YXdqv7").unwrap();
            assert!(matches!(client.kind, ClientKind::Oauth { secret } if secret.matches(SECRET)));
            assert_eq!(client.description, "of the shop");
            assert_eq!(view.site_of_access_key(KEY).map(|site| site.number), Some(1));
            assert_eq!((view.state.clients.len(), view.state.next_site), (3, 2));
        });
    }
}
