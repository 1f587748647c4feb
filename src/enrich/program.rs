//! What tells that a hit is a program's and no visitor's, in a fixed number of words.
//!
//! It knows nothing of how that is found out.

/// Why something is taken for a program. The words are counted and stored; they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Program {
    /// It has no user agent.
    Nameless,
    /// Its user agent is too short for a browser's.
    Short,
    /// Its user agent is an address or a UUID.
    Malformed,
    /// Its user agent is an attack, or a scanner's.
    Attack,
    /// A browser that a program drives.
    Driven,
    /// A search engine, an assistant, an archive.
    Crawler,
    /// What looks whether pages can be reached, and how fast.
    Monitor,
    /// What makes previews of links in messengers and feeds.
    Preview,
    /// A library or a command line.
    Library,
    /// Another one that is known.
    Other,
    /// The operator's lists name its user agent.
    Listed,
    /// What it says of itself contradicts itself as no browser does.
    Contradiction,
    /// It comes from an address that the operator's lists name.
    Address,
    /// It comes from a data centre.
    DataCentre,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 14] = [
        Program::Nameless,
        Program::Short,
        Program::Malformed,
        Program::Attack,
        Program::Driven,
        Program::Crawler,
        Program::Monitor,
        Program::Preview,
        Program::Library,
        Program::Other,
        Program::Listed,
        Program::Contradiction,
        Program::Address,
        Program::DataCentre,
    ];

    /// Whether it goes about by itself, and is no library, app or runtime of somebody who sends on purpose.
    pub const fn is_robot(self) -> bool {
        !matches!(
            self,
            Program::Nameless | Program::Short | Program::Malformed | Program::Library | Program::Other
        )
    }

    /// The word that is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Program::Nameless => "empty",
            Program::Short => "short",
            Program::Malformed => "malformed",
            Program::Attack => "attack",
            Program::Driven => "driven-browser",
            Program::Crawler => "crawler",
            Program::Monitor => "monitor",
            Program::Preview => "preview",
            Program::Library => "library",
            Program::Other => "other",
            Program::Listed => "listed",
            Program::Contradiction => "contradiction",
            Program::Address => "address",
            Program::DataCentre => "data-centre",
        }
    }
}
