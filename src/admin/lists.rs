//! The operator's lists.

use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use super::{AdminError, Response};
use crate::clock::rfc3339;
use crate::lists::{InForce, ListFile};

/// The lists in force as commands show them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListsInfo {
    /// When they were given; none: there are none.
    pub updated: Option<String>,
    /// How many entries each section has, in the order of the sections.
    pub sections: Vec<(String, usize)>,
}

impl ListsInfo {
    fn of(in_force: &InForce) -> Self {
        let sections = in_force.lists.counts().map(|(name, count)| (name.to_owned(), count));
        Self { updated: in_force.updated.map(rfc3339), sections: sections.collect() }
    }
}

pub(super) fn update(file: &ListFile, now: TimestampMs, text: &str) -> Result<Response, AdminError> {
    Ok(Response::Lists(ListsInfo::of(&*file.update(text, now)?)))
}

pub(super) fn show(file: &ListFile) -> Response {
    Response::Lists(ListsInfo::of(&file.current()))
}
