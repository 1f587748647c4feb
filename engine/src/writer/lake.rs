//! Sessions of the lake, as the writer meets them: an event joins one, which moves back into the open segment.

use std::sync::Arc;

use super::Core;
use super::assign::{Candidate, Place};
use crate::dictionary::SiteDictionary;
use crate::error::StorageError;
use crate::index::{Loaded, Needs};
use crate::lake::{LiveSite, Near};
use crate::limits;
use crate::schema::Column;
use crate::segment::table::SiteTable;
use crate::session::Numbers;
use crate::units::{DayUtc, SessionKey, SiteId, TimestampMs, VisitorId};

impl Core {
    /// The visitor's sessions in the lake that an event at `time` could join, and all that were opened on its UTC day.
    /// What is damaged has none.
    pub(super) fn lake_sessions_near(
        &self,
        site: SiteId,
        visitor: VisitorId,
        time: TimestampMs,
        window_ms: i64,
        found: &mut Vec<Candidate>,
    ) {
        let Some(live) = self.lake.site(site) else { return };
        let near = Near::new(time, window_ms);
        for (file, live) in live.files.iter().enumerate() {
            let candidates = live.sessions_near(visitor, &near).into_iter();
            let counts = candidates.filter(|(session, ..)| !live.superseded.contains(*session));
            found.extend(counts.map(|(session, id, extent, rows)| {
                let full = rows >= limits::SESSION_ROWS_MAX;
                Candidate { place: Place::Lake { file, session }, id, extent, rows, full }
            }));
        }
    }

    /// Voids the copy of a session that the lake has.
    pub(super) fn void_in_lake(&mut self, key: SessionKey) {
        let Some(live) = self.lake.site(key.site) else { return };
        let day = key.session.day();
        let Some(number) = live.files.iter().position(|file| file.key.contains(day)) else { return };
        let Some(file) = live.files.get(number) else { return };
        let session = match file.find_session(key) {
            Some(Some(session)) => session,
            Some(None) => return,
            None => return file.file.distrust_index(),
        };
        if let Some(file) = self.lake.site_mut(key.site).files.get_mut(number)
            && !file.superseded.contains(session)
        {
            Arc::make_mut(&mut file.superseded).insert(session);
        }
    }

    /// The numbers that a visitor's next session of a day may get: what is in a file that cannot be read has others, and
    /// may be served again. Ask for the visitor's sessions of that day before, so that this is known.
    pub(super) fn session_numbers(&self, site: SiteId, day: DayUtc) -> Numbers {
        self.lake.site(site).map_or(Numbers::from(0), |live| live.numbers(day))
    }

    /// Does something with a session's table; `needs` says what of it must be at hand. `None`: it is damaged.
    pub(super) fn with_lake_table<T>(
        &self,
        site: SiteId,
        file: usize,
        needs: &Needs,
        take: impl FnOnce(&SiteTable<'_>) -> Result<T, StorageError>,
    ) -> Option<T> {
        let live = self.lake.site(site)?;
        let strings = dictionary(live)?;
        live.files.get(file)?.ask(|open| {
            let loaded = Loaded::load(&open.index, needs, &open.columns)?;
            take(&open.index.table(&*strings, &open.columns, &loaded)?)
        })
    }

    /// The site's code that the lake has of a text.
    pub(super) fn lake_code(&self, site: SiteId, column: Column, text: &str) -> Option<u32> {
        self.site_dictionary(site)?.find(column, text)
    }

    /// The greatest site code that the lake has of a column.
    pub(super) fn greatest_lake_code(&self, site: SiteId, column: Column) -> u32 {
        let Some(live) = self.lake.site(site) else { return 0 };
        match self.site_dictionary(site) {
            Some(dictionary) => dictionary.greatest(column),
            // Codes that a damaged dictionary has are given to no other text, as far as they are known.
            None => {
                let open = live.files.iter().filter_map(|live| live.file.open().ok());
                open.map(|open| open.index.greatest_site_code(column)).max().unwrap_or(0)
            }
        }
    }

    /// The site's dictionary, or the one that is going to be it; asked for where a code is given.
    fn site_dictionary(&self, site: SiteId) -> Option<Arc<SiteDictionary>> {
        let coming = self.coming_dictionary.as_ref().filter(|coming| coming.site() == site);
        coming.cloned().or_else(|| {
            let known = self.lake.site(site)?.dictionary.as_ref()?;
            known.open().inspect_err(|_| known.distrust()).ok()
        })
    }
}

fn dictionary(live: &LiveSite) -> Option<Arc<SiteDictionary>> {
    live.dictionary.as_ref()?.open().ok()
}
