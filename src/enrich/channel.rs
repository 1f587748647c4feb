//! The channel of a visit: by which kind of door a visitor came, from referrer and campaign.
//!
//! It knows nothing of URLs beyond what `referrer_table` tells of their hosts.

use super::referrer_table::{self, Class};

/// What the channel is judged by. Texts may be empty.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "named after the columns")]
pub struct Origin<'a> {
    /// The referrer's URL, or a bare name.
    pub referrer: &'a str,
    pub referrer_name: &'a str,
    pub utm_source: &'a str,
    pub utm_medium: &'a str,
    pub utm_campaign: &'a str,
    /// The URL carries the click id of an advertisement (`gclid`, `msclkid`) of that referrer.
    pub ad_click: bool,
}

/// The channel of a visit with this origin.
pub fn of(origin: &Origin<'_>) -> &'static str {
    let source = origin.utm_source.to_lowercase();
    let medium = origin.utm_medium.to_lowercase();
    let campaign = origin.utm_campaign.to_lowercase();
    let class = class_of(origin, &source);
    let shopping = class == Some(Class::Shopping) || names_a_shop(&campaign);
    if campaign.contains("cross-network") {
        return "Cross-network";
    }
    if let Some(channel) = paid(class, shopping, &medium, origin.ad_click) {
        return channel;
    }
    if let Some(channel) = organic(class, shopping, &medium) {
        return channel;
    }
    by_medium(class, &source, &medium)
}

/// What the referrer is, else what its name is, else what the campaign's source is.
fn class_of(origin: &Origin<'_>, source: &str) -> Option<Class> {
    [origin.referrer, origin.referrer_name, source].into_iter().find_map(referrer_table::class_of_text)
}

fn paid(class: Option<Class>, shopping: bool, medium: &str, ad_click: bool) -> Option<&'static str> {
    const DISPLAY: [&str; 5] = ["display", "banner", "expandable", "interstitial", "cpm"];
    let paid = ad_click
        || medium.contains("cp")
        || medium.starts_with("paid")
        || is_any(medium, &["ppc", "retargeting"]);
    match class {
        _ if paid && shopping => Some("Paid Shopping"),
        Some(Class::Search) if paid => Some("Paid Search"),
        Some(Class::Social) if paid => Some("Paid Social"),
        Some(Class::Video) if paid => Some("Paid Video"),
        _ if is_any(medium, &DISPLAY) => Some("Display"),
        _ if paid => Some("Paid Other"),
        _ => None,
    }
}

fn organic(class: Option<Class>, shopping: bool, medium: &str) -> Option<&'static str> {
    const SOCIAL: [&str; 6] =
        ["social", "social-network", "social-media", "sm", "social network", "social media"];
    if shopping {
        Some("Organic Shopping")
    } else if class == Some(Class::Social) || is_any(medium, &SOCIAL) {
        Some("Organic Social")
    } else if class == Some(Class::Video) || medium.contains("video") {
        Some("Organic Video")
    } else if class == Some(Class::Search) || medium == "organic" {
        Some("Organic Search")
    } else {
        None
    }
}

fn by_medium(class: Option<Class>, source: &str, medium: &str) -> &'static str {
    const EMAIL: [&str; 4] = ["email", "e-mail", "e_mail", "e mail"];
    if is_any(medium, &["referral", "app", "link"]) {
        "Referral"
    } else if class == Some(Class::Email) || is_any(source, &EMAIL) || is_any(medium, &EMAIL) {
        "Email"
    } else if is_any(medium, &["affiliate", "affiliates"]) {
        "Affiliates"
    } else if medium == "audio" {
        "Audio"
    } else if source == "sms" || medium == "sms" {
        "SMS"
    } else if medium.ends_with("push")
        || medium.contains("mobile")
        || medium.contains("notification")
        || source == "firebase"
    {
        "Mobile Push Notifications"
    } else if class == Some(Class::Ai) {
        "AI"
    } else {
        "Direct"
    }
}

/// Whether a campaign's name speaks of shopping: `shopping`, or `shop` at a word's begin (not `workshop`, `bishop`).
fn names_a_shop(campaign: &str) -> bool {
    campaign.contains("shopping")
        || campaign.match_indices("shop").any(|(at, _)| !campaign[..at].ends_with(char::is_alphanumeric))
}

fn is_any(text: &str, words: &[&str]) -> bool {
    words.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(referrer: &str, source: &str, medium: &str, campaign: &str) -> &'static str {
        of(&Origin {
            referrer,
            utm_source: source,
            utm_medium: medium,
            utm_campaign: campaign,
            ..Origin::default()
        })
    }

    #[test]
    fn origins_and_their_channels() {
        // referrer, source, medium, campaign, channel
        let table = [
            ("", "", "", "", "Direct"),
            ("https://walmart.com", "", "cp", "", "Paid Shopping"),
            ("https://walmart.com", "", "retargeting", "", "Paid Shopping"),
            ("", "", "paid", "Shop Campaign", "Paid Shopping"),
            ("https://360.cn", "", "cp", "", "Paid Search"),
            ("https://360.cn", "", "retargeting", "", "Paid Search"),
            ("https://43things.com", "", "cp", "", "Paid Social"),
            ("https://43things.com", "", "retargeting", "", "Paid Social"),
            ("https://twitch.tv", "", "cp", "", "Paid Video"),
            ("https://twitch.tv", "", "retargeting", "", "Paid Video"),
            ("", "", "display", "", "Display"),
            ("", "", "expandable", "", "Display"),
            ("", "", "cpm", "", "Display"),
            ("", "", "ppc", "", "Paid Other"),
            ("", "", "paid bar", "", "Paid Other"),
            ("", "", "bar retargeting", "", "Direct"),
            ("https://uk.shopping.net", "", "", "shopping campaign", "Organic Shopping"),
            ("https://unblog.fr", "", "social-network", "", "Organic Social"),
            ("https://unblog.fr", "", "sm", "", "Organic Social"),
            ("https://unblog.fr", "", "social media", "", "Organic Social"),
            ("https://utreon.com", "", "bar video", "", "Organic Video"),
            ("google", "", "", "", "Organic Search"),
            ("DuckDuckGo", "", "", "", "Organic Search"),
            ("Bing", "", "", "", "Organic Search"),
            ("Yandex", "", "", "", "Organic Search"),
            ("Sogou", "", "", "", "Organic Search"),
            ("Ecosia", "", "", "", "Organic Search"),
            ("", "", "app", "", "Referral"),
            ("gmail", "", "", "", "Email"),
            ("e-mail", "", "", "", "Email"),
            ("e mail", "", "", "", "Email"),
            ("", "e-mail", "", "", "Email"),
            ("", "e mail", "", "", "Email"),
            ("", "", "e-mail", "", "Email"),
            ("", "", "e mail", "", "Email"),
            ("", "", "audio", "", "Audio"),
            ("", "sms", "", "", "SMS"),
            ("", "", "this-is-a-push", "", "Mobile Push Notifications"),
            ("", "", "my app notification", "", "Mobile Push Notifications"),
            ("", "firebase", "", "", "Mobile Push Notifications"),
            ("https://openai.com", "", "", "", "AI"),
            ("https://bard.google.com", "", "", "", "AI"),
            ("https://meta.ai", "", "", "", "AI"),
            ("https://jasper.ai", "", "", "", "AI"),
            ("", "perplexity.ai", "", "", "AI"),
            ("", "anthropic.com", "", "", "AI"),
            ("", "cohere.com", "", "", "AI"),
            ("", "ai.meta.com", "", "", "AI"),
            ("", "mistral.ai", "", "", "AI"),
            ("perplexity", "", "", "", "AI"),
            ("https://chatgpt.com/", "", "", "", "AI"),
            ("", "chatgpt.com", "", "", "AI"),
            ("", "chatgpt", "", "", "AI"),
        ];
        for (referrer, source, medium, campaign, wanted) in table {
            let found = from(referrer, source, medium, campaign);
            assert_eq!(found, wanted, "{referrer} {source} {medium} {campaign}");
        }
    }

    #[test]
    fn more_of_our_own() {
        let table = [
            ("https://www.google.co.uk", "", "", "", "Organic Search"),
            ("https://www.google.co.uk", "", "CPC", "", "Paid Search"),
            ("https://example.com", "", "", "", "Direct"),
            ("https://example.com", "", "", "workshop", "Direct"),
            ("https://example.com", "", "", "Global Cross-Network", "Cross-network"),
            ("android-app://com.google.android.gm", "", "", "", "Email"),
            ("https://mail.google.com", "", "", "", "Email"),
            ("", "", "sms", "", "SMS"),
            ("", "", "affiliate", "", "Affiliates"),
        ];
        for (referrer, source, medium, campaign, wanted) in table {
            let found = from(referrer, source, medium, campaign);
            assert_eq!(found, wanted, "{referrer} {source} {medium} {campaign}");
        }
    }

    #[test]
    fn an_advertisement_s_click_is_paid() {
        let origin = Origin { referrer: "https://www.google.com", ad_click: true, ..Origin::default() };
        assert_eq!(of(&origin), "Paid Search");
    }
}
