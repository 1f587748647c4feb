//! Referrers that are sent only to be seen in statistics.
//!
//! A short list of our own, and an operator's file with one host a line. It knows nothing of events.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::quality::RandomState;

use super::url::canonical_host;

/// Hosts that have long been known for nothing else.
const HOSTS: &[&str] = &[
    "100dollars-seo.com",
    "best-seo-offer.com",
    "best-seo-solution.com",
    "bestwebsitesawards.com",
    "blackhatworth.com",
    "buttons-for-website.com",
    "buttons-for-your-website.com",
    "buy-cheap-online.info",
    "cenoval.ru",
    "darodar.com",
    "econom.co",
    "event-tracking.com",
    "floating-share-buttons.com",
    "free-share-buttons.com",
    "free-social-buttons.com",
    "get-free-traffic-now.com",
    "hulfingtonpost.com",
    "ilovevitaly.com",
    "iskalko.ru",
    "kambasoft.com",
    "makemoneyonline.com",
    "monetizationking.net",
    "o-o-6-o-o.com",
    "priceg.com",
    "ranksonic.info",
    "savetubevideo.com",
    "semalt.com",
    "semaltmedia.com",
    "seo-platform.com",
    "simple-share-buttons.com",
    "sitevaluation.org",
    "social-buttons.com",
    "success-seo.com",
    "trafficmonetize.org",
    "trafficmonetizer.org",
    "videos-for-your-business.com",
    "webmonetizer.net",
    "website-errors-scanner.com",
    "ranking-bot.com",
    "traffic2cash.xyz",
    "trafficbot.life",
    "bottraffic.live",
    "bot-traffic.icu",
    "news.grets.store",
    "static.seders.website",
    "rida.tokyo",
];

/// The hosts that are refused as referrers, each with its subdomains.
#[derive(Debug, Clone, Default)]
pub struct SpamList {
    hosts: HashSet<String, RandomState>,
}

impl SpamList {
    /// Our own list.
    pub fn ours() -> Self {
        Self::of(HOSTS.iter().map(|host| (*host).to_owned()))
    }

    /// These hosts, as [`canonical_host`] gives them.
    pub fn of(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { hosts: hosts.into_iter().collect() }
    }

    /// Our own list and the hosts of `text`, one a line; `#` begins a remark. Lines that are no hosts are skipped.
    pub fn with_more(text: &str) -> Self {
        let mut list = Self::ours();
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        list.hosts.extend(lines.filter(|line| !line.is_empty()).filter_map(canonical_host));
        list
    }

    /// Whether a referrer, as sent, is of one of the hosts.
    pub fn holds(&self, referrer: &str) -> bool {
        if referrer.is_empty() || self.hosts.is_empty() {
            return false;
        }
        let is_lower = referrer.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
        let lower = if is_lower { Cow::Borrowed(referrer) } else { Cow::Owned(referrer.to_lowercase()) };
        let text = lower.trim();
        let scheme_end = text.match_indices(':').find(|(at, _)| text.as_bytes()[*at..].starts_with(b"://"));
        let address = scheme_end.map_or(text, |(at, _)| &text[at + "://".len()..]);
        let host_end = address.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b':'));
        let host = &address[..host_end.unwrap_or(address.len())];
        let mut parents =
            std::iter::successors(Some(host), |host| host.split_once('.').map(|(_, rest)| rest));
        parents.any(|parent| self.hosts.contains(parent))
    }

    /// How many hosts are listed.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_their_subdomains() {
        let list = SpamList::with_more("# mine\nSpam.example # bad\n\nnot a host\n");
        assert_eq!(list.host_count(), SpamList::ours().host_count() + 1);
        let table = [
            ("", false),
            ("https://example.com/", false),
            ("https://semalt.com/x", true),
            ("http://www.SEMALT.com:80/x", true),
            ("semalt.com", true),
            ("https://notsemalt.com", false),
            ("https://a.spam.example/", true),
            ("My Newsletter", false),
        ];
        for (referrer, wanted) in table {
            assert_eq!(list.holds(referrer), wanted, "{referrer}");
        }
    }
}
