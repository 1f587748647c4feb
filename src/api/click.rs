//! Clicks on links and files: events whose names and metadata are the same from all interfaces.

use crate::hit::{CustomEvent, HitKind};

/// The member of the metadata that says where a click led.
const URL: &str = "url";

/// What was clicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Click {
    /// A link to another host.
    Outbound,
    /// A file.
    Download,
}

impl Click {
    /// The event of a click that led to `target`.
    pub fn event(self, target: String) -> HitKind {
        let name = match self {
            Click::Outbound => "Outbound Link Click",
            Click::Download => "File Download",
        };
        HitKind::Event(CustomEvent {
            name: name.to_owned(),
            duration: 0,
            meta: vec![(URL.to_owned(), target)],
            non_interactive: false,
        })
    }
}
