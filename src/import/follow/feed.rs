//! Lines of a followed file into the store: read, enriched, and stored with the offset behind them in one batch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hitstone_engine::event::{Batch, FileIdentity, Item, ItemIds, Position};

use super::{Answer, FileMark, HEAD_BYTES_MAX, PIECE_BYTES_MAX, Piece, Sink, SinkError, Taken};
use crate::app::{App, IngestError};
use crate::enrich::{EnrichError, Outcome, SiteContext};
use crate::event_ids;
use crate::hit::Hit;
use crate::import::access_log::{Format, Line, TOO_LONG};
use crate::sites::LiveSite;

/// How often what is due is done, where no server does it.
const TIDY: Duration = Duration::from_secs(10);

/// The way of one log's lines into the store of this process.
pub struct Feed {
    app: Arc<App>,
    host: String,
    format: Format,
    tidied: Instant,
}

impl Feed {
    /// Lines of a log of this format, for the site `host`.
    pub fn new(app: Arc<App>, host: String, format: Format) -> Self {
        Self { app, host, format, tidied: Instant::now() }
    }

    fn site(&self) -> Result<Arc<LiveSite>, SinkError> {
        let view = self.app.state.view();
        let live = view.state.site_of_host(&self.host).and_then(|site| view.site(site.number));
        live.cloned().ok_or_else(|| SinkError::Failed(format!("there is no site {}", self.host)))
    }

    fn remembered(&self, identity: &FileIdentity) -> Result<u64, SinkError> {
        let snapshot = self.app.snapshot().ok_or_else(|| SinkError::Wait("the store is closed".into()))?;
        Ok(snapshot.offset_of(identity).unwrap_or(0))
    }

    fn store(
        &self,
        piece: &Piece,
        site: &SiteContext<'_>,
        identity: FileIdentity,
    ) -> Result<Taken, SinkError> {
        let mut batch = Batch {
            position: Some(Position { identity, offset: piece.to }),
            arrived: Some(self.app.clock.now_ms()),
            ..Batch::default()
        };
        let mut taken = Taken::default();
        if piece.too_long {
            taken.rejected.push((piece.from, TOO_LONG.to_owned()));
        }
        let mut at = piece.from;
        for line in piece.lines.split_inclusive(|byte| *byte == b'\n') {
            match self.format.read(line) {
                Line::View(view) => {
                    self.enrich(&view.into_hit(site.hostname), site, at, &mut batch, &mut taken)?
                }
                Line::Ignored(reason) => count(&mut taken, reason.as_str()),
                Line::Rejected(why) => taken.rejected.push((at, why.to_owned())),
            }
            at += line.len() as u64;
        }
        batch.items.sort_by_key(|item| item.event.as_ref().map(|event| event.time));
        let receipt = self.app.store_and_wait(batch).map_err(refused)?;
        taken.stored = receipt.stored as u64;
        taken.sessions = receipt.sessions as u64;
        Ok(taken)
    }

    fn enrich(
        &self,
        hit: &Hit,
        site: &SiteContext<'_>,
        at: u64,
        batch: &mut Batch,
        taken: &mut Taken,
    ) -> Result<(), SinkError> {
        match self.app.enrich_one(hit, site) {
            Ok(Outcome::Event(event)) => {
                batch.items.push(Item { event: Some(event), ids: ItemIds::default() });
            }
            Ok(Outcome::LeftOut(rejection)) => count(taken, rejection.reason.as_str()),
            Err(EnrichError::Refused(refusal)) => {
                taken.rejected.push((at, format!("{}: {}", refusal.field, refusal.message)));
            }
            Err(EnrichError::Storage(error)) => return Err(SinkError::Failed(error.to_string())),
        }
        Ok(())
    }
}

impl Sink for Feed {
    fn offset(&mut self, file: &FileMark) -> Result<u64, SinkError> {
        let site = self.site()?;
        self.remembered(&identity(file, &site.context()))
    }

    fn take(&mut self, piece: &Piece) -> Result<Answer, SinkError> {
        if piece.file.head.len() > HEAD_BYTES_MAX || piece.lines.len() > PIECE_BYTES_MAX {
            return Err(SinkError::Failed("a piece of a log is too long".into()));
        }
        let site = self.site()?;
        let context = site.context();
        let identity = identity(&piece.file, &context);
        // One piece at a time, from this look to the end of its sync: whoever follows a file, nothing is stored twice.
        let _turn = self.app.following();
        let remembered = self.remembered(&identity)?;
        if remembered != piece.from {
            return Ok(Answer::Elsewhere(remembered));
        }
        self.store(piece, &context, identity).map(Answer::Taken)
    }

    fn tend(&mut self) {
        if self.tidied.elapsed() > TIDY {
            self.tidied = Instant::now();
            self.app.tidy();
        }
    }
}

fn identity(file: &FileMark, site: &SiteContext<'_>) -> FileIdentity {
    event_ids::of_followed_file(site, file.inode, &file.head)
}

fn count(taken: &mut Taken, reason: &str) {
    *taken.ignored.entry(reason.to_owned()).or_default() += 1;
}

fn refused(error: IngestError) -> SinkError {
    match error {
        IngestError::Busy(why) => SinkError::Wait(why),
        IngestError::Unavailable(why) | IngestError::TooLarge(why) => SinkError::Failed(why),
        IngestError::Refused { field, message, .. } => SinkError::Failed(format!("{field}: {message}")),
    }
}
