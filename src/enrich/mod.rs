//! Enrichment: from a hit, as an interface understood it, to an event, as the engine stores it.
//!
//! Pure functions over loaded tables, one file for each thing that is found out. Invariants: an event carries neither
//! the client's address nor its user agent; every text of it is within its column's documented length; a hit that is
//! left out has a reason.
//!
//! It knows nothing of HTTP, of the store, and of who may send what.

mod agent_cache;
mod assemble;
mod attacks;
mod bot_tables;
mod bots;
pub mod channel;
pub mod client;
pub mod client_hints;
pub mod client_ip;
mod consistency;
pub mod geo;
pub mod language;
pub mod lists;
mod networks;
pub mod plain;
pub mod program;
pub mod protection;
pub mod referrer;
mod referrer_table;
pub mod screen;
pub mod spam;
pub mod traffic;
pub mod url;
pub mod user_agent;
mod user_agent_tables;
pub mod visitor;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hitstone_engine::error::StorageError;
use hitstone_engine::event::Event;
use hitstone_engine::units::{SiteId, TimestampMs};
use hitstone_engine::vfs::SharedFs;
use jiff::tz::TimeZone;

use crate::hit::{BotFilter, Hit};
use crate::salts::Salts;

use self::attacks::Attacks;
use self::client::{Client, Clients};
use self::geo::Geo;
use self::lists::{Lists, Verdict};
use self::program::Program;
use self::protection::{Check, Protection};
use self::spam::SpamList;
use self::traffic::RuleKind;
use self::url::{PageUrl, canonical_host, without_www};
use self::watched::Watched;

/// What an operator may set.
#[derive(Debug, Clone, Default)]
pub struct EnrichSettings {
    /// An MMDB file with countries or cities; none: the countries inside the program.
    pub geo_db: Option<PathBuf>,
    /// A file with one host a line whose referrals are left out, beside our own list.
    pub spam_list: Option<PathBuf>,
}

/// What enrichment needs to know of a site.
#[derive(Debug, Clone, Copy)]
pub struct SiteContext<'a> {
    /// The engine's number for the site.
    pub id: SiteId,
    /// The site's host name.
    pub hostname: &'a str,
    /// Other names of the site; `*.example.com` stands for all subdomains.
    pub alternative_hosts: &'a [String],
    /// Refuse foreign hosts from every interface, not only from those that name the page freely.
    pub strict_hosts: bool,
    /// The site's time zone, whose days the salts follow.
    pub zone: &'a TimeZone,
    /// Count also those who ask not to be tracked.
    pub ignore_dnt: bool,
    /// Store the sender's ids of events.
    pub keep_event_id: bool,
    /// What the site does not want to be counted.
    pub protection: &'a Protection,
    /// The permanent secret under which ids that the site gives are hashed.
    pub secret: [u8; 16],
}

impl SiteContext<'_> {
    /// Whether a page of this host belongs to the site.
    pub fn owns_host(&self, host: &str) -> bool {
        let bare = without_www(host);
        std::iter::once(self.hostname)
            .chain(self.alternative_hosts.iter().map(String::as_str))
            .any(|name| name_covers(name, host, bare))
    }
}

/// Whether a configured name, which may be a wildcard, stands for `host`; `bare` is the same without `www.`.
fn name_covers(name: &str, host: &str, bare: &str) -> bool {
    if let Some(domain) = name.strip_prefix("*.") {
        let domain = domain.to_lowercase();
        return host
            .strip_suffix(&domain)
            .is_some_and(|subdomain| subdomain.len() > 1 && subdomain.ends_with('.'));
    }
    if name.eq_ignore_ascii_case(host) || without_www(name).eq_ignore_ascii_case(bare) {
        return true;
    }
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    !is_plain && canonical_host(name).is_some_and(|name| without_www(&name) == bare)
}

/// What became of a hit.
#[expect(clippy::large_enum_variant, reason = "nearly all are events, and each is moved once")]
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An event to store.
    Event(Event),
    /// Nothing to store, and why. The request is answered as a success.
    LeftOut(Rejection),
}

/// Why a hit is left out, and what exactly told so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// The reason.
    pub reason: Reason,
    /// What told, in a word that never changes; empty where the reason says all.
    pub detail: &'static str,
}

impl Rejection {
    /// All that there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        let plain = [Reason::Dnt, Reason::Prefetch, Reason::Hostname, Reason::Spam];
        let programs = Program::ALL.into_iter().map(Self::from);
        plain.into_iter().map(Self::from).chain(programs).chain(RuleKind::ALL.into_iter().map(Self::from))
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: "" }
    }
}

impl From<Program> for Rejection {
    fn from(program: Program) -> Self {
        Self { reason: Reason::Bot, detail: program.as_str() }
    }
}

impl From<RuleKind> for Rejection {
    fn from(kind: RuleKind) -> Self {
        Self { reason: Reason::Filter, detail: kind.as_str() }
    }
}

/// Why a hit is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The client asked not to be tracked.
    Dnt,
    /// The browser fetched the page before anyone asked for it. Only interfaces that see its headers can tell.
    Prefetch,
    /// A program.
    Bot,
    /// The page is another site's.
    Hostname,
    /// The referrer is spam or an attack.
    Spam,
    /// A rule of the site's own.
    Filter,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 6] =
        [Reason::Dnt, Reason::Prefetch, Reason::Bot, Reason::Hostname, Reason::Spam, Reason::Filter];

    /// The word by which headers and metrics name the reason; it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Dnt => "dnt",
            Reason::Prefetch => "prefetch",
            Reason::Bot => "bot",
            Reason::Hostname => "hostname",
            Reason::Spam => "spam",
            Reason::Filter => "filter",
        }
    }
}

/// Something in a hit is wrong, and its sender is to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The field of the request.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

impl Refusal {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// Why there is no outcome.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EnrichError {
    /// The hit is wrong.
    #[error("{}: {}", .0.field, .0.message)]
    Refused(Refusal),
    /// The day's salt could not be made durable, so no visitor can be told from another.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<Refusal> for EnrichError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Why enrichment cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file of the operator's cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A table of ours does not compile.
    #[error(transparent)]
    Tables(#[from] user_agent::TablesError),
    /// That of attacks does not.
    #[error("the table of attacks does not compile: {0}")]
    Attacks(#[from] regex::Error),
}

/// An operator's list of spam hosts.
struct SpamFile {
    fs: SharedFs,
    watched: Watched,
}

/// The loaded tables.
pub struct Enricher {
    clients: Clients,
    attacks: Attacks,
    geo: Geo,
    lists: ArcSwap<Lists>,
    spam: ArcSwap<SpamList>,
    spam_file: Option<SpamFile>,
    salts: Arc<Salts>,
}

impl Enricher {
    /// Loads the tables.
    pub fn new(settings: &EnrichSettings, fs: &SharedFs, salts: Arc<Salts>) -> Result<Self, SetupError> {
        let geo = match &settings.geo_db {
            Some(path) => Geo::open(Arc::clone(fs), path)?,
            None => Geo::built_in(),
        };
        let spam_file = settings
            .spam_list
            .as_deref()
            .map(|path| SpamFile { fs: Arc::clone(fs), watched: Watched::new(path) });
        let spam = match &spam_file {
            Some(file) => read_spam_list(&file.fs, file.watched.path())?,
            None => SpamList::ours(),
        };
        Ok(Self {
            clients: Clients::new()?,
            attacks: Attacks::new()?,
            geo,
            lists: ArcSwap::default(),
            spam: ArcSwap::from_pointee(spam),
            spam_file,
            salts,
        })
    }

    /// Goes by these lists from now on.
    pub fn take_lists(&self, lists: Arc<Lists>) {
        self.lists.store(lists);
    }

    /// Takes files of the operator's anew when they have changed; tells which did. After an error, which is returned
    /// once for each broken file, what was loaded before stays. To be called every few seconds.
    pub fn reload_if_changed(&self) -> Result<Vec<PathBuf>, StorageError> {
        let mut reloaded = Vec::new();
        if let Some(file) = self.spam_file.as_ref().filter(|file| file.watched.has_changed()) {
            self.spam.store(Arc::new(read_spam_list(&file.fs, file.watched.path())?));
            reloaded.push(file.watched.path().to_path_buf());
        }
        reloaded.extend(self.geo.reload_if_changed()?);
        Ok(reloaded)
    }

    /// What is to be stored of a hit, if anything. `now` is the server's time.
    pub fn enrich(
        &self,
        hit: &Hit,
        site: &SiteContext<'_>,
        now: TimestampMs,
    ) -> Result<Outcome, EnrichError> {
        let checked = assemble::check(hit, now)?;
        let client = self.clients.read(&hit.user_agent, &hit.hints);
        if let Some(rejection) = self.reason_to_leave_out(hit, site, checked.page.as_ref(), &client) {
            return Ok(Outcome::LeftOut(rejection));
        }
        let visitor = match &hit.given_visitor {
            Some(given) => visitor::given(&site.secret, given),
            None => {
                let traits = visitor::Traits { site: site.id, ip: hit.ip, user_agent: &hit.user_agent };
                visitor::anonymous(&traits, checked.time, site.zone, &self.salts, now)?
            }
        };
        let found = assemble::Found {
            client,
            place: self.geo.locate(hit.ip),
            visitor,
            received: (checked.time != now).then_some(now),
        };
        Ok(Outcome::Event(assemble::event(hit, site, &checked, &found)))
    }

    fn reason_to_leave_out(
        &self,
        hit: &Hit,
        site: &SiteContext<'_>,
        page: Option<&PageUrl>,
        client: &Client,
    ) -> Option<Rejection> {
        let protection = site.protection;
        if hit.dnt && !site.ignore_dnt {
            return Some(Reason::Dnt.into());
        }
        if hit.prefetch && protection.has(Check::Prefetch) {
            return Some(Reason::Prefetch.into());
        }
        let country = || self.geo.locate(hit.ip).country;
        if let Some(kind) = protection.traffic.rule_for(hit.ip, page, country) {
            return Some(kind.into());
        }
        let filtered = hit.bot_filter != BotFilter::None;
        if filtered && let Some(program) = self.program(hit, protection, client) {
            return Some(program.into());
        }
        let checks_host = !hit.disable_host_check || site.strict_hosts;
        if checks_host && page.is_some_and(|page| !site.owns_host(&page.host)) {
            return Some(Reason::Hostname.into());
        }
        if filtered && protection.has(Check::Spam) && self.is_spam(hit, page) {
            return Some(Reason::Spam.into());
        }
        None
    }

    /// The kind of program that sent the hit; `None`: a visitor did.
    fn program(&self, hit: &Hit, protection: &Protection, client: &Client) -> Option<Program> {
        let by_itself = match hit.bot_filter {
            BotFilter::All => self.program_by_itself(hit, protection, client),
            BotFilter::Robots => {
                self.program_by_itself(hit, protection, client).filter(|program| program.is_robot())
            }
            BotFilter::ByAddress | BotFilter::None => None,
        };
        by_itself.or_else(|| {
            self.lists.load().program_at(hit.ip).filter(|program| {
                protection.has(if *program == Program::DataCentre {
                    Check::DataCentre
                } else {
                    Check::Address
                })
            })
        })
    }

    /// The kind of program by what the hit's sender says of itself.
    fn program_by_itself(&self, hit: &Hit, protection: &Protection, client: &Client) -> Option<Program> {
        let lists = self.lists.load();
        let listed = lists.verdict(user_agent::read_part(&hit.user_agent));
        if listed == Verdict::Visitor {
            return None;
        }
        let hinted = || client.hints_name_a_bot.then_some(Program::Driven);
        let named = || (listed == Verdict::Program).then_some(Program::Listed);
        // Of two things that are known of it the one that no filter passes counts.
        let robot = client.program.filter(|program| program.is_robot());
        let by_agent = || robot.or_else(hinted).or_else(named).or(client.program);
        let contradicts = || client.is_contradictory.then_some(Program::Contradiction);
        let found = protection.has(Check::UserAgent).then(by_agent).flatten();
        let robot = found.filter(|program| program.is_robot());
        let contradiction = || protection.has(Check::Headers).then(contradicts).flatten();
        robot.or_else(contradiction).or(found)
    }

    fn is_spam(&self, hit: &Hit, page: Option<&PageUrl>) -> bool {
        let (ours, lists) = (self.spam.load(), self.lists.load());
        let is_spam = |referrer: &str| {
            let listed = || ours.holds(referrer) || lists.spam().holds(referrer);
            (self.attacks.hold(referrer) || listed()) && !lists.not_spam().holds(referrer)
        };
        let parameters = ["ref", "referer", "referrer", "source", "utm_source"];
        // Names of campaigns have no host of their own that could be excepted: the page's stands for them.
        let excepted = page.is_some_and(|page| lists.not_spam().holds(&page.host));
        is_spam(&hit.referrer)
            || (!excepted && is_spam(&hit.campaign.source))
            || page
                .is_some_and(|page| !excepted && parameters.iter().any(|name| is_spam(page.parameter(name))))
    }
}

fn read_spam_list(fs: &SharedFs, path: &Path) -> Result<SpamList, StorageError> {
    Ok(SpamList::with_more(&String::from_utf8_lossy(&fs.read(path)?)))
}

#[cfg(test)]
#[path = "enrich_tests.rs"]
mod tests;
