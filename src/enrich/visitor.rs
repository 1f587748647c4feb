//! Who a visitor is: a keyed hash, under a day's salt, of what a request shows; or of an id that the site gave.
//!
//! Invariant: no id is 0.
//!
//! It knows nothing of where salts come from or how long they live.

use std::hash::Hasher;
use std::net::IpAddr;

use hitstone_engine::error::StorageError;
use hitstone_engine::units::{DAY_MS, SiteId, TimestampMs, VisitorId};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use siphasher::sip::SipHasher24;

use crate::hit::GivenVisitor;
use crate::salts::{Salt, SaltDay, Salts};

/// An event's visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// Under the salt of the event's day, or the hash of a given id.
    pub id: VisitorId,
    /// Under the salt of the day before.
    pub previous: Option<VisitorId>,
    /// The hash of a given id.
    pub user_key: Option<u64>,
}

/// What a request shows of its visitor.
#[derive(Debug, Clone, Copy)]
pub struct Traits<'a> {
    /// The site that is visited: ids of different sites never match.
    pub site: SiteId,
    /// The client's address.
    pub ip: IpAddr,
    /// The whole user agent.
    pub user_agent: &'a str,
}

/// The visitor that the site names by an id of its own, hashed under the site's permanent secret.
pub fn given(secret: &Salt, visitor: &GivenVisitor) -> Visitor {
    let mut hasher = SipHasher24::new_with_key(secret);
    hasher.write(&[visitor.kind as u8]);
    hasher.write(visitor.id.as_bytes());
    let key = not_zero(hasher.finish());
    Visitor { id: VisitorId(key), previous: None, user_key: Some(key) }
}

/// The visitor with these traits at `time`, in a site's zone.
pub fn anonymous(
    traits: &Traits<'_>,
    time: TimestampMs,
    zone: &TimeZone,
    salts: &Salts,
    now: TimestampMs,
) -> Result<Visitor, StorageError> {
    let day = local_day(time, zone);
    let found = salts.of_day(day, now)?;
    let id = hash(traits, day.day, &found.current);
    let previous = found.previous.map(|salt| hash(traits, day.day - 1, &salt));
    Ok(Visitor { id, previous, user_key: None })
}

/// The calendar day of `time` in a zone.
fn local_day(time: TimestampMs, zone: &TimeZone) -> SaltDay {
    let moment = Timestamp::from_millisecond(time).unwrap_or(Timestamp::UNIX_EPOCH);
    let offset_ms = i64::from(zone.to_offset(moment).seconds()) * 1000;
    SaltDay { day: (time + offset_ms).div_euclid(DAY_MS) as i32, offset_ms }
}

fn hash(traits: &Traits<'_>, day: i32, salt: &Salt) -> VisitorId {
    let ip = match traits.ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let mut hasher = SipHasher24::new_with_key(salt);
    hasher.write(&traits.site.0.to_le_bytes());
    hasher.write(&day.to_le_bytes());
    hasher.write(&ip.octets());
    hasher.write(traits.user_agent.as_bytes());
    VisitorId(not_zero(hasher.finish()))
}

fn not_zero(hash: u64) -> u64 {
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hit::GivenKind;

    fn traits(ip: &str) -> Traits<'_> {
        Traits { site: SiteId(1), ip: ip.parse().unwrap(), user_agent: "Firefox" }
    }

    #[test]
    fn ids_differ_by_every_trait_and_day_and_salt() {
        let base = hash(&traits("1.2.3.4"), 20_000, &[1; 16]);
        assert_eq!(base, hash(&traits("1.2.3.4"), 20_000, &[1; 16]));
        assert_eq!(base, hash(&traits("::ffff:1.2.3.4"), 20_000, &[1; 16]));
        let others = [
            hash(&traits("1.2.3.5"), 20_000, &[1; 16]),
            hash(&traits("1.2.3.4"), 20_001, &[1; 16]),
            hash(&traits("1.2.3.4"), 20_000, &[2; 16]),
            hash(&Traits { site: SiteId(2), ..traits("1.2.3.4") }, 20_000, &[1; 16]),
            hash(&Traits { user_agent: "Chrome", ..traits("1.2.3.4") }, 20_000, &[1; 16]),
        ];
        assert!(others.iter().all(|other| *other != base));
    }

    #[test]
    fn given_ids_are_stable_and_have_no_second_id() {
        let of = |secret: u8, kind: GivenKind, id: &str| {
            given(&[secret; 16], &GivenVisitor { kind, id: id.to_owned() })
        };
        let visitor = of(3, GivenKind::Visitor, "user 7");
        assert_eq!(visitor, of(3, GivenKind::Visitor, "user 7"));
        assert_ne!(visitor, of(4, GivenKind::Visitor, "user 7"));
        assert_ne!(visitor, of(3, GivenKind::Visitor, "user 8"));
        let kinds = [GivenKind::Visitor, GivenKind::User, GivenKind::Anonymous];
        let mut ids = kinds.map(|kind| of(3, kind, "7").id).to_vec();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 3, "kinds have name spaces of their own");
        assert_eq!(visitor.user_key, Some(visitor.id.0));
        assert_eq!(visitor.previous, None);
        assert_ne!(not_zero(0), 0);
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let table = [
            ("1970-01-01T00:00:00Z", "UTC", 0, 0),
            ("1970-01-01T20:00:00Z", "Asia/Tokyo", 1, 9),
            ("1970-01-02T03:00:00Z", "America/New_York", 0, -5),
            ("2026-06-10T22:30:00Z", "Europe/Berlin", 20_615, 2),
            ("1969-12-31T23:59:59Z", "UTC", -1, 0),
        ];
        for (moment, zone, day, hours) in table {
            let found = local_day(at(moment), &TimeZone::get(zone).unwrap());
            assert_eq!((found.day, found.offset_ms), (day, hours * 3_600_000), "{moment} {zone}");
        }
    }
}
