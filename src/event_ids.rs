//! Event ids, and what followed files are known by, on their way into the engine: each becomes a hash of 128 bits, keyed with the site's secret, so that nobody
//! can choose an id that stands for another one. Each site has two name spaces: that of its own senders, and that of anyone, so
//! that nobody's guess of an id keeps out what a backend sends.
//!
//! It knows nothing of where ids come from or how long they are remembered.

use std::hash::Hasher;

use hitstone_engine::event::FileIdentity;
use hitstone_engine::units::EventHash;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::enrich::SiteContext;

/// Who gives the ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// One of the site's own, who has shown a token or works on the folder.
    Known,
    /// Anyone: browsers show no token.
    Anyone,
}

/// What a hash is of; ids and items of requests never match, nor those of different senders. The numbers are stored in
/// hashes and never change.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Domain {
    Event = 1,
    RequestItem = 2,
    FollowedFile = 3,
    AnyonesEvent = 4,
    AnyonesRequestItem = 5,
}

/// The id that a sender gave an event.
pub fn of_event(site: &SiteContext<'_>, sender: Sender, id: &str) -> EventHash {
    let domain = match sender {
        Sender::Known => Domain::Event,
        Sender::Anyone => Domain::AnyonesEvent,
    };
    hash(site, domain, 0, id.as_bytes())
}

/// An item, by its index, of a request that its sender gave a key.
pub fn of_request_item(site: &SiteContext<'_>, sender: Sender, key: &str, index: usize) -> EventHash {
    let domain = match sender {
        Sender::Known => Domain::RequestItem,
        Sender::Anyone => Domain::AnyonesRequestItem,
    };
    hash(site, domain, index as u64, key.as_bytes())
}

/// A log that is followed for the site, by its inode and its beginning.
pub fn of_followed_file(site: &SiteContext<'_>, inode: u64, head: &[u8]) -> FileIdentity {
    hash(site, Domain::FollowedFile, inode, head).0
}

fn hash(site: &SiteContext<'_>, domain: Domain, index: u64, text: &[u8]) -> EventHash {
    let mut hasher = SipHasher24::new_with_key(&site.secret);
    hasher.write(&[domain as u8]);
    hasher.write(&site.id.0.to_le_bytes());
    hasher.write(&index.to_le_bytes());
    hasher.write(text);
    let hash = hasher.finish128();
    let mut bytes = [0; 16];
    let (low, high) = bytes.split_at_mut(8);
    low.copy_from_slice(&hash.h1.to_le_bytes());
    high.copy_from_slice(&hash.h2.to_le_bytes());
    EventHash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hitstone_engine::units::SiteId;
    use jiff::tz::TimeZone;

    use crate::enrich::protection::Protection;

    static ZONE: TimeZone = TimeZone::UTC;

    fn site(number: u32, secret: u8) -> SiteContext<'static> {
        SiteContext {
            id: SiteId(number),
            hostname: "example.com",
            alternative_hosts: &[],
            strict_hosts: false,
            zone: &ZONE,
            ignore_dnt: false,
            keep_event_id: false,
            secret: [secret; 16],
            protection: const { &Protection::new() },
        }
    }

    #[test]
    fn hashes_differ_by_site_secret_kind_sender_index_and_text() {
        use Sender::{Anyone, Known};
        let base = of_event(&site(1, 1), Known, "a");
        assert_eq!(base, of_event(&site(1, 1), Known, "a"));
        let mut others = vec![
            base,
            of_event(&site(1, 1), Known, "b"),
            of_event(&site(2, 1), Known, "a"),
            of_event(&site(1, 2), Known, "a"),
            of_event(&site(1, 1), Anyone, "a"),
            of_request_item(&site(1, 1), Known, "a", 0),
            of_request_item(&site(1, 1), Known, "a", 1),
            of_request_item(&site(1, 1), Known, "", 1),
            of_request_item(&site(1, 1), Anyone, "a", 0),
            EventHash(of_followed_file(&site(1, 1), 0, b"a")),
            EventHash(of_followed_file(&site(1, 1), 1, b"a")),
        ];
        others.sort_unstable();
        others.dedup();
        assert_eq!(others.len(), 11);
    }
}
