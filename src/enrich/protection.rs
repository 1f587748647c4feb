//! What a site wants to be kept from its statistics: which checks are on, and its own rules.

use serde::{Deserialize, Serialize};

use super::traffic::Traffic;

/// A check that a site may switch off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// User agents of programs.
    UserAgent,
    /// Headers that contradict each other.
    Headers,
    /// Addresses that the operator's lists name.
    Address,
    /// Addresses of data centres, by the operator's lists.
    DataCentre,
    /// Referrers that are spam.
    Spam,
    /// What browsers fetch before anyone has asked for it.
    Prefetch,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 6] =
        [Check::UserAgent, Check::Headers, Check::Address, Check::DataCentre, Check::Spam, Check::Prefetch];

    /// The name that people give it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Check::UserAgent => "user-agent",
            Check::Headers => "headers",
            Check::Address => "address",
            Check::DataCentre => "data-centre",
            Check::Spam => "spam",
            Check::Prefetch => "prefetch",
        }
    }

    /// The check of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == name)
    }
}

/// What a site wants.
#[derive(Debug, Clone, Default)]
pub struct Protection {
    /// Checks that are off.
    pub off: Vec<Check>,
    /// The site's own rules.
    pub traffic: Traffic,
}

impl Protection {
    /// All checks, no rules.
    pub const fn new() -> Self {
        Self { off: Vec::new(), traffic: Traffic::new() }
    }

    /// Whether the check is on.
    pub fn has(&self, check: Check) -> bool {
        !self.off.contains(&check)
    }
}
