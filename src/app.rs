//! `App`: what a running server is made of, and its verbs: take hits, answer statistics, administer. Knows neither
//! HTTP nor how any interface spells things.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use hitstone_engine::error::{CompactionError, StorageError};
use hitstone_engine::event::{Batch, Item, ItemIds};
use hitstone_engine::store::{CompactionProgress, Receipt, Snapshot, Status, Store, StoreOptions};
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::SharedFs;

use crate::admin::{self, AdminError, Files};
use crate::clock::Clock;
use crate::compaction;
use crate::config::Settings;
use crate::damage::Told;
use crate::enrich::client_ip::Proxies;
use crate::enrich::{EnrichError, EnrichSettings, Enricher, Outcome, Reason, Rejection, SiteContext};
use crate::event_ids::{self, Sender};
use crate::hit::Hit;
use crate::lists::ListFile;
use crate::rate::MinuteLimit;
use crate::receipts;
use crate::rejections::{self, Rejections};
use crate::salts::Salts;
use crate::sites::LiveSite;
use crate::state::StateFile;
use crate::tokens::Tokens;
use crate::turns::Turns;
use crate::versions;

/// Failed tries for a token that one address has in a minute.
const TOKEN_FAILURES_PER_MINUTE: u32 = 10;
/// Calls that manage its site that a client has in a minute.
const MANAGEMENT_PER_MINUTE: u32 = 60;
/// A statistic that takes longer is given up.
pub const QUERY_TIME_MAX: Duration = Duration::from_secs(60);
/// Why a statistic is not even begun.
pub const BUSY_QUERIES: &str = "too many statistics are being computed: try again in a moment";
/// From so many hits on a batch is enriched off the threads that serve connections.
const LARGE_BATCH: usize = 256;
/// How long closing waits for those who still use the store.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Events that were stored.
    pub stored: AtomicU64,
    /// Items that had come before, by their ids.
    pub repeated: AtomicU64,
    /// Rows that were stored.
    pub rows: AtomicU64,
    /// Requests answered "busy".
    pub busy: AtomicU64,
    /// Browsers' requests that came too often.
    pub limited: AtomicU64,
    /// Statistics that were begun.
    pub queries: AtomicU64,
    /// Statistics that were given up: nobody waited any more, or they took too long.
    pub queries_cancelled: AtomicU64,
    left_out: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// Counts events that are left out.
    pub fn count_left_out(&self, reason: &'static str, count: u64) {
        if count > 0 {
            *self.left_out.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += count;
        }
    }

    /// Events left out, by reason.
    pub fn left_out(&self) -> BTreeMap<&'static str, u64> {
        self.left_out.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What became of hits that were taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Events stored.
    pub stored: usize,
    /// Hits that had come before, by their ids; nothing of them was stored again.
    pub repeated: usize,
    /// Why others were left out; each reason once, in the order of the hits.
    pub left_out: Vec<&'static str>,
}

/// Why hits were not taken; none of them was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngestError {
    /// A hit has a field that cannot be taken.
    Refused {
        /// Which of the hits, in the order given.
        index: usize,
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Too much is waiting: try again in [`BUSY_SECONDS`](Self::BUSY_SECONDS).
    Busy(String),
    /// The store takes nothing, for this reason.
    Unavailable(String),
    /// More than the store takes at once.
    TooLarge(String),
}

impl IngestError {
    /// Seconds after which a busy server may be asked again.
    pub const BUSY_SECONDS: u64 = 1;
}

impl From<StorageError> for IngestError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy => Self::Busy(error.to_string()),
            StorageError::TooLarge { .. } => Self::TooLarge(error.to_string()),
            // Paths and the system's words concern the operator: health and the log have them.
            StorageError::Latched { .. } | StorageError::Closed => Self::Unavailable(error.to_string()),
            other => {
                eprintln!("hitstone: {other}");
                Self::Unavailable("the store could not write: see the server's log".into())
            }
        }
    }
}

/// A running server.
pub struct App {
    /// The settings it was started with.
    pub settings: Settings,
    /// Now.
    pub clock: Clock,
    /// Sites and clients.
    pub state: Arc<StateFile>,
    /// Access tokens.
    pub tokens: Tokens,
    /// How client addresses are found.
    pub proxies: Proxies,
    /// Failed tries for a token, by client address.
    pub token_failures: MinuteLimit,
    /// Calls that manage a site, by client.
    pub management: MinuteLimit<String>,
    /// Events that browsers send without a token, by client address.
    pub browser_events: MinuteLimit,
    /// Counts for metrics.
    pub counters: Arc<Counters>,
    lists: ListFile,
    rejections: Rejections,
    salts: Arc<Salts>,
    enricher: Enricher,
    store: ArcSwapOption<Store>,
    queries: Turns,
    /// Held while lines of a followed log are stored.
    following: Mutex<()>,
    told: Told,
}

impl App {
    /// Opens the data folder and everything in it; takes the folder's lock.
    ///
    /// # Errors
    /// What cannot be opened, in words.
    pub fn open(fs: SharedFs, settings: Settings, clock: Clock) -> Result<Self, String> {
        let folder = settings.data.clone();
        let said = |error: StorageError| error.to_string();
        fs.create_dir_all(&folder).map_err(said)?;
        versions::refuse_newer(&*fs, &folder).map_err(said)?;
        let options = StoreOptions {
            session_window: settings.session_window,
            seal_rows: settings.seal_rows,
            event_ids_max: settings.event_ids_max,
        };
        let store = Store::open(Arc::clone(&fs), &folder, options).map_err(said)?;
        let told = Told::default();
        told.tell(store.snapshot().damage());
        report_recovery(&store);
        let (state, tokens) = open_small(&fs, &folder, &settings).map_err(said)?;
        let state = Arc::new(state);
        for host in &settings.sites {
            admin::ensure_site(&state, clock.now_ms(), host).map_err(|error| error.to_string())?;
        }
        for (host, name) in &settings.site_wildcards {
            let ensured = admin::ensure_alternative(&state, clock.now_ms(), host, name);
            ensured.map_err(|error| error.to_string())?;
        }
        // Sites may have been deleted while the store was not open, or a crash may have come between.
        store.forget_sites(&state.view().state.gone_sites()).map_err(said)?;
        let salts = Arc::new(Salts::open(Arc::clone(&fs), &folder, clock.now_ms()).map_err(said)?);
        let enrich =
            EnrichSettings { geo_db: settings.geo_db.clone(), spam_list: settings.spam_list.clone() };
        let enricher = Enricher::new(&enrich, &fs, Arc::clone(&salts)).map_err(|error| error.to_string())?;
        let lists = ListFile::open(Arc::clone(&fs), &folder).map_err(said)?;
        enricher.take_lists(Arc::clone(&lists.current().lists));
        let rejections = Rejections::open(Arc::clone(&fs), &folder).map_err(said)?;
        store.start_compaction(compaction::settings(&state, &clock)).map_err(said)?;
        let app = Self {
            proxies: settings.proxies(),
            token_failures: MinuteLimit::new(TOKEN_FAILURES_PER_MINUTE),
            management: MinuteLimit::new(MANAGEMENT_PER_MINUTE),
            browser_events: MinuteLimit::new(settings.events_per_minute),
            counters: Arc::default(),
            queries: Turns::new(settings.threads),
            following: Mutex::default(),
            told,
            store: ArcSwapOption::from_pointee(store),
            settings,
            clock,
            state,
            tokens,
            lists,
            rejections,
            salts,
            enricher,
        };
        // Clients may have been revoked while no server ran.
        app.forget_dead_tokens();
        Ok(app)
    }

    /// Takes hits of one site, all or none; stored and synced when it returns. They are processed in the order of
    /// their times, those of equal time in the order given. A hit whose id has been taken within two days, or that
    /// stands at the same place under the same `request_key`, is a repeat and adds nothing; only what came from the same kind
    /// of sender counts.
    ///
    /// # Errors
    /// Nothing was stored (or, after a failed write, perhaps all was).
    pub async fn ingest(
        self: &Arc<Self>,
        site: &Arc<LiveSite>,
        sender: Sender,
        hits: Vec<Hit>,
        request_key: Option<String>,
    ) -> Result<Ingested, IngestError> {
        let (batch, mut ingested) = if hits.len() < LARGE_BATCH {
            self.enrich(site, sender, &hits, request_key.as_deref())?
        } else {
            let (app, site) = (Arc::clone(self), Arc::clone(site));
            let enrich = move || app.enrich(&site, sender, &hits, request_key.as_deref());
            let task = tokio::task::spawn_blocking(enrich);
            task.await.map_err(|_| IngestError::Unavailable("the server failed on this batch".into()))??
        };
        if batch.items.is_empty() {
            return Ok(ingested);
        }
        let receipt = self.store(batch).await.inspect_err(|error| {
            if matches!(error, IngestError::Busy(_)) {
                self.counters.busy.fetch_add(1, Ordering::Relaxed);
            }
        })?;
        ingested.stored = receipt.stored;
        ingested.repeated = receipt.repeated;
        if receipt.pings_without_session > 0 {
            push_distinct(&mut ingested.left_out, rejections::NO_SESSION);
            let words = (rejections::NO_SESSION, "");
            self.count_left_out(&site.context(), words, receipt.pings_without_session as u64);
        }
        self.counters.stored.fetch_add(ingested.stored as u64, Ordering::Relaxed);
        self.counters.repeated.fetch_add(ingested.repeated as u64, Ordering::Relaxed);
        self.counters.rows.fetch_add(receipt.rows as u64, Ordering::Relaxed);
        Ok(ingested)
    }

    fn enrich(
        &self,
        site: &LiveSite,
        sender: Sender,
        hits: &[Hit],
        request_key: Option<&str>,
    ) -> Result<(Batch, Ingested), IngestError> {
        let now = self.clock.now_ms();
        let context = site.context();
        let mut order: Vec<(usize, &Hit)> = hits.iter().enumerate().collect();
        order.sort_by_key(|(_, hit)| hit.time.unwrap_or(now));
        let mut items = Vec::with_capacity(hits.len());
        let mut ingested = Ingested::default();
        let mut left_out = Vec::new();
        for (index, hit) in order {
            let event_id = Some(hit.event_id.as_str()).filter(|id| !id.is_empty());
            let event_id = event_id.map(|id| event_ids::of_event(&context, sender, id));
            let place = request_key.map(|key| event_ids::of_request_item(&context, sender, key, index));
            let ids = ItemIds::new(event_id.into_iter().chain(place));
            match self.enricher.enrich(hit, &context, now) {
                Ok(Outcome::Event(event)) => items.push(Item { event: Some(event), ids }),
                Ok(Outcome::LeftOut(rejection)) => {
                    left_out.push(rejection);
                    if !ids.as_slice().is_empty() {
                        items.push(Item { event: None, ids });
                    }
                }
                Err(EnrichError::Refused(refusal)) => {
                    return Err(IngestError::Refused {
                        index,
                        field: refusal.field,
                        message: refusal.message,
                    });
                }
                Err(EnrichError::Storage(error)) => return Err(error.into()),
            }
        }
        for rejection in left_out {
            self.count_rejection(&context, rejection);
            push_distinct(&mut ingested.left_out, rejection.reason.as_str());
        }
        Ok((Batch { items, arrived: Some(now), position: None }, ingested))
    }

    /// What is to be stored of one hit, now.
    ///
    /// # Errors
    /// See [`EnrichError`].
    pub fn enrich_one(&self, hit: &Hit, site: &SiteContext<'_>) -> Result<Outcome, EnrichError> {
        let outcome = self.enricher.enrich(hit, site, self.clock.now_ms())?;
        if let Outcome::LeftOut(rejection) = &outcome {
            self.count_rejection(site, *rejection);
        }
        Ok(outcome)
    }

    /// Counts a hit of the site that an interface leaves out by itself.
    pub fn leave_out(&self, site: &LiveSite, reason: Reason) {
        self.count_rejection(&site.context(), reason.into());
    }

    /// Counts what came from nobody's pages.
    pub fn count_of_no_site(&self, reason: &'static str) {
        self.counters.count_left_out(reason, 1);
        let zone = &jiff::tz::TimeZone::UTC;
        self.rejections.count(rejections::NO_SITE, zone, self.clock.now_ms(), (reason, ""), 1);
    }

    fn count_rejection(&self, site: &SiteContext<'_>, rejection: Rejection) {
        self.count_left_out(site, (rejection.reason.as_str(), rejection.detail), 1);
    }

    fn count_left_out(&self, site: &SiteContext<'_>, words: (&'static str, &'static str), count: u64) {
        self.counters.count_left_out(words.0, count);
        self.rejections.count(site.id.0, site.zone, self.clock.now_ms(), words, count);
    }

    /// Stores a batch and waits until it is synced. Not for threads that serve connections.
    ///
    /// # Errors
    /// As [`Self::ingest`].
    pub fn store_and_wait(&self, batch: Batch) -> Result<Receipt, IngestError> {
        let (done, result) = std::sync::mpsc::channel();
        {
            let store = self.store.load_full().ok_or(StorageError::Closed)?;
            store.append(batch, Box::new(move |result| drop(done.send(result))))?;
        }
        let receipt = result.recv().map_err(|_| StorageError::Closed)??;
        self.counters.stored.fetch_add(receipt.stored as u64, Ordering::Relaxed);
        self.counters.rows.fetch_add(receipt.rows as u64, Ordering::Relaxed);
        Ok(receipt)
    }

    /// The turn to store lines of a followed log: one has it at a time.
    pub fn following(&self) -> MutexGuard<'_, ()> {
        self.following.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn store(&self, batch: Batch) -> Result<Receipt, IngestError> {
        let (done, result) = receipts::expect();
        {
            let store = self.store.load_full().ok_or(StorageError::Closed)?;
            store.append(batch, done)?;
        }
        Ok(result.await.map_err(|_| StorageError::Closed)??)
    }

    /// Runs `question` about a site on a thread of its own over what is stored now, when one of the threads for
    /// statistics is free. Dropping the future, and the deadline, make `cancelled` give a reason.
    ///
    /// # Errors
    /// Why there is no answer, in words.
    pub async fn query<T: Send + 'static>(
        &self,
        site: SiteId,
        question: impl FnOnce(Arc<Snapshot>, &(dyn Fn() -> Option<&'static str> + Sync)) -> T + Send + 'static,
    ) -> Result<T, &'static str> {
        let deadline = Instant::now() + QUERY_TIME_MAX;
        let waiting = tokio::time::timeout(QUERY_TIME_MAX, self.queries.turn(site));
        let permit = waiting.await.map_err(|_| BUSY_QUERIES)?.ok_or(BUSY_QUERIES)?;
        let snapshot = self.snapshot().ok_or("the store is closed")?;
        let gone = GoneAway::default();
        let flag = Arc::clone(&gone.0);
        let counters = Arc::clone(&self.counters);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let told = AtomicBool::new(false);
            let cancelled = || {
                let reason = if flag.load(Ordering::Relaxed) {
                    Some("nobody waits for the answer any more")
                } else {
                    (Instant::now() > deadline).then_some("it took longer than 60 seconds")
                };
                told.fetch_or(reason.is_some(), Ordering::Relaxed);
                reason
            };
            counters.queries.fetch_add(1, Ordering::Relaxed);
            let answer = question(snapshot, &cancelled);
            counters.queries_cancelled.fetch_add(u64::from(told.into_inner()), Ordering::Relaxed);
            answer
        });
        task.await.map_err(|_| "the server failed on this statistic")
    }

    /// The store; `None` once it is closed. Whoever holds it for long must look whether the server is to stop.
    pub fn open_store(&self) -> Option<Arc<Store>> {
        self.store.load_full()
    }

    /// Does an administrative operation; in force when it returns. Waits for the disk.
    ///
    /// # Errors
    /// Nothing was changed, and why; or a site is deleted, but what is stored of it is still there.
    pub fn administer(&self, request: admin::Request) -> Result<admin::Response, AdminError> {
        let files = Files { state: &self.state, lists: &self.lists, rejections: &self.rejections };
        let is_deletion = matches!(request, admin::Request::SiteDelete { .. });
        let response = admin::execute(files, self.clock.now_ms(), request)?;
        self.enricher.take_lists(Arc::clone(&self.lists.current().lists));
        self.forget_dead_tokens();
        if is_deletion {
            self.forget_gone_sites()?;
        }
        Ok(response)
    }

    /// Removes what is stored of sites that are no more.
    fn forget_gone_sites(&self) -> Result<(), AdminError> {
        let store = self.store.load_full().ok_or(StorageError::Closed);
        let forgotten = store.and_then(|store| store.forget_sites(&self.state.view().state.gone_sites()));
        forgotten.map_err(|error| {
            let words = "the site is deleted; the next start removes what is stored of it";
            AdminError::Refused(format!("{words}: {error}"))
        })
    }

    /// Takes the tokens of revoked clients out of the file. They open nothing any more, whether this works or not.
    fn forget_dead_tokens(&self) {
        let view = self.state.view();
        if let Err(error) = self.tokens.retain(|client| view.client(client).is_some()) {
            eprintln!("hitstone: {error}");
        }
    }

    /// Does what is due every few seconds: ends salts, takes the operator's files anew, keeps what was counted, tells of
    /// damage. Waits for the disk.
    pub fn tidy(&self) {
        self.tell_damage();
        self.save_rejections();
        if let Err(error) = self.salts.expire(self.clock.now_ms()) {
            eprintln!("hitstone: {error}");
        }
        match self.enricher.reload_if_changed() {
            Ok(files) => files.iter().for_each(|file| eprintln!("hitstone: took {} anew", file.display())),
            Err(error) => eprintln!("hitstone: {error}"),
        }
    }

    fn save_rejections(&self) {
        if let Err(error) = self.rejections.save(self.clock.now_ms()) {
            eprintln!("hitstone: {error}");
        }
    }

    /// Tells the operator of damage that was found since the last time.
    fn tell_damage(&self) {
        if let Some(snapshot) = self.snapshot() {
            self.told.tell(snapshot.damage());
        }
    }

    /// Tells the operator what a statistic of a site met: damage, or why there is no answer.
    pub fn tell_met(&self, snapshot: &Snapshot, site: SiteId, failure: Option<&str>) {
        self.told.tell(snapshot.damage_of(site));
        failure.into_iter().for_each(|why| self.told.tell_failure(why));
    }

    /// What is stored now; `None` once the store is closed.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.store.load().as_ref().map(|store| store.snapshot())
    }

    /// Brings everything that is stored into the lake. Blocks.
    ///
    /// # Errors
    /// See [`CompactionError`].
    pub fn compact(
        &self,
        progress: &mut dyn FnMut(CompactionProgress),
    ) -> Result<CompactionProgress, CompactionError> {
        let store = self.store.load_full().ok_or(StorageError::Closed)?;
        store.compact(progress)
    }

    /// Figures about the store; `None` once it is closed.
    pub fn store_status(&self) -> Option<Status> {
        self.store.load().as_ref().map(|store| store.status())
    }

    /// Why the server cannot take events or answer queries, if it cannot.
    pub fn fault(&self) -> Option<String> {
        match self.store_status() {
            Some(status) => status.latched,
            None => Some("the store is closed".into()),
        }
    }

    /// Closes the store: what is queued is written and synced. Blocks.
    ///
    /// # Errors
    /// The first failed write or sync, in words.
    pub fn close(&self) -> Result<(), String> {
        let Some(mut store) = self.store.swap(None) else { return Ok(()) };
        // While the store still has the folder's lock.
        self.save_rejections();
        let deadline = Instant::now() + CLOSE_PATIENCE;
        loop {
            match Arc::try_unwrap(store) {
                Ok(store) => return store.close().map_err(|error| error.to_string()),
                Err(_) if Instant::now() > deadline => return Err("the store is still in use".into()),
                Err(shared) => store = shared,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Opens what the folder holds besides the store.
fn open_small(
    fs: &SharedFs,
    folder: &Path,
    settings: &Settings,
) -> Result<(StateFile, Tokens), StorageError> {
    let lifetime_ms = settings.token_lifetime.as_millis() as i64;
    let state = StateFile::open(Arc::clone(fs), folder)?;
    let tokens = Tokens::open(Arc::clone(fs), folder, lifetime_ms)?;
    Ok((state, tokens))
}

fn push_distinct(list: &mut Vec<&'static str>, reason: &'static str) {
    if !list.contains(&reason) {
        list.push(reason);
    }
}

/// Tells the operator what the store met when it was opened.
fn report_recovery(store: &Store) {
    let status = store.status();
    for damage in status.damaged_id_files {
        eprintln!(
            "hitstone: {damage}. The event ids in it are forgotten: an event that is sent again may be stored twice"
        );
    }
    let torn = status.torn_tail_bytes;
    if torn > 0 {
        eprintln!(
            "hitstone: cut {torn} bytes off the log, a write that a crash interrupted; nothing of it was acknowledged"
        );
    }
}

/// Raises its flag when dropped, which is when nobody waits any more (or when all is done).
#[derive(Default)]
struct GoneAway(Arc<AtomicBool>);

impl Drop for GoneAway {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
