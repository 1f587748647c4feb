//! Which user agents are programs and no visitors, and what kind of program.
//!
//! It knows nothing of browsers' names; crawlers that only woothee knows are found in [`super::user_agent`], which
//! has its answer anyway.

use std::net::IpAddr;

use regex::RegexSet;

use super::bot_tables::{BOT_PATTERNS, FAMILIES};
use super::client_ip::parse_address;
use super::program::Program;

/// A user agent of at most so many bytes tells nothing of a browser.
const SHORT_BYTES_MAX: usize = 16;

/// The patterns of programs, compiled: in one to tell whether, in one for each kind to tell which, which is asked less.
#[derive(Debug)]
pub struct Bots {
    all: isbot::Bots,
    kinds: RegexSet,
}

impl Bots {
    /// Compiles the patterns.
    pub fn new() -> Result<Self, regex::Error> {
        let mut all = isbot::Bots::default();
        let patterns: Vec<&str> = BOT_PATTERNS.iter().flat_map(|(_, patterns)| *patterns).copied().collect();
        all.append(&patterns);
        let kinds = RegexSet::new(BOT_PATTERNS.iter().map(|(_, patterns)| patterns.join("|")))?;
        Ok(Self { all, kinds })
    }

    /// The kind of program whose user agent this is; `None` when it is no program's.
    pub fn program(&self, user_agent: &str) -> Option<Program> {
        let trimmed = user_agent.trim();
        if trimmed.is_empty() {
            return Some(Program::Nameless);
        }
        if is_address(trimmed) || is_uuid(trimmed) {
            return Some(Program::Malformed);
        }
        if (self.all.is_bot(trimmed) && !self.is_only_a_phone(trimmed)) || !has_a_browser_s_form(trimmed) {
            let kind = self.kind(&trimmed.to_ascii_lowercase());
            let tells_nothing = kind == Program::Other && trimmed.len() <= SHORT_BYTES_MAX;
            return Some(if tells_nothing { Program::Short } else { kind });
        }
        (trimmed.len() <= SHORT_BYTES_MAX).then_some(Program::Short)
    }

    fn kind(&self, lower: &str) -> Program {
        let known = self.kinds.matches(lower).into_iter().next().and_then(|at| BOT_PATTERNS.get(at));
        let known = known.filter(|(kind, _)| *kind != Program::Other);
        let alike = || FAMILIES.iter().find(|(_, words)| words.iter().any(|word| lower.contains(word)));
        known.or_else(alike).map_or(Program::Other, |(kind, _)| *kind)
    }

    /// Phones of a make whose name ends in `bot`.
    fn is_only_a_phone(&self, user_agent: &str) -> bool {
        let lower = user_agent.to_ascii_lowercase();
        lower.contains("cubot") && !self.all.is_bot(&lower.replace("cubot", "cub"))
    }
}

/// Browsers begin with `Mozilla/` or `Opera/` and say their system in parentheses; those of few words that do not are of
/// old phones. What calls itself compatible with browsers is none, but for those of long ago.
fn has_a_browser_s_form(text: &str) -> bool {
    let has = |token: &str| text.contains(token);
    // Some senders put it in quotation marks.
    let text = text.trim_start_matches(['"', '\'', '\\']);
    if text.starts_with("Mozilla/") || text.starts_with("Opera/") {
        return has("(") && (!has("compatible;") || has("MSIE") || has("Konqueror"));
    }
    (has("(") || has("MIDP")) && !has("Mozilla/")
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || parse_address(text).is_some()
}

fn is_uuid(text: &str) -> bool {
    const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
    let text = text.trim_matches(['{', '}']);
    text.split('-').map(str::len).eq(GROUPS)
        && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs() {
        let bots = Bots::new().unwrap();
        let table = [
            "",
            "   ",
            "-",
            "This is a bot request",
            "This is a spider request",
            "172.22.0.11",
            "192.168.100.100:65000",
            "2345:425:2CA1:0000:0000:567:5673:23b5",
            "[2345:0425:2CA1:0:0:0567:5673:23b5]:8080",
            "523CAEFB-209D-4BCF-A7A7-FEE8BD659140",
            "-4368OR 2918=6019 AND ('Veeg'='Veeg",
            "(CASE WHEN 3116=9361 THEN 3116 ELSE NULL END)",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 musical_ly_32.7.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/de Region/DE isDarkMode/0 WKWebView/1 RevealType/Dialog BytedanceWebview/d8a21c6 FalconTag/523CAEFB-209D-4BCF-A7A7-FEE8BD659140",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexitybot-user)",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36; compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)  ",
            "Mozilla/5.0 (compatible; ClaudeBot/1.0; +https://www.anthropic.com/claude) \u{a0}",
            "Cohere-Crawler/1.0 (https://cohere.com/crawl)",
            "Mozilla/5.0 (compatible; LLaMA-Bot/1.0; +https://ai.meta.com/llama)",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko; compatible; BingAI/1.0; +https://www.bing.com/bot)  ",
            "Mozilla/5.0 (compatible; MistralBot/1.0; +https://mistral.ai/bot)  ",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15 (Applebot/0.1)",
            "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Chrome-Lighthouse",
            "python-requests/2.31.0",
            "python-httpx/0.27.0",
            "Go-http-client/1.1",
            "okhttp/4.12.0-alpha",
            "axios/1.6.7 (linux)",
            "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
            "GuzzleHttp/7.0 curl/8",
            "PostmanRuntime/7.36.3",
            "k6/0.49.0 (https://k6.io/)",
            "WhatsApp/2.23.20.0 A",
            "Mozilla/5.0 (compatible)",
            "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
            "Scrapy/2.11 (+https://scrapy.org)",
            "Some Fetcher Of Ours 1.0",
            "Mozilla/5.0 a program",
            "Mozilla/5.0 (compatible; Whoever)",
            "someone.test/why Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/126.0.0.0 Safari/537.36",
        ];
        for user_agent in table {
            assert!(bots.program(user_agent).is_some(), "{user_agent}");
        }
    }

    #[test]
    fn visitors() {
        let bots = Bots::new().unwrap();
        let table = [
            "Mozilla/5.0 (Linux; Android 9; SM-G950F Build/PPR1.180610.011; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 trill_2023102050 JsSdk/1.0 NetType/4G Channel/googleplay AppName/musical_ly app_version/31.2.5 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE BytedanceWebview/d8a21c6",
            "Mozilla/5.0 (Linux; Android 11; SM-T500 Build/RP1A.200720.012; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.193 Safari/537.36 musical_ly_2023208030 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly app_version/32.8.3 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE AppId/1233 Spark/1.4.8.3-bugfix AppVersion/32.8.3 BytedanceWebview/d8a21c6",
            "Mozilla/5.0 (Linux; Android 13; SM-A725F Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36 trill_2021707000 JsSdk/1.0 NetType/WIFI Channel/tt_eu_samsung2020_yz1 AppName/musical_ly app_version/17.7.0 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE",
            "Mozilla/5.0 (Linux; Android 10; PPA-LX2 Build/HUAWEIPPA-LX2; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/92.0.4515.105 Mobile Safari/537.36 musical_ly_2023206050 JsSdk/1.0 NetType/WIFI Channel/huaweiadsglobal_int AppName/musical_ly app_version/32.6.5 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE AppId/1233 Spark/1.4.7.4-bugfix AppVersion/32.6.5 BytedanceWebview/d8a21c6",
            "Mozilla/5.0 (Linux; Android 13; SM-A225F Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36 Instagram 312.1.0.34.111 Android (33/13; 300dpi; 720x1452; samsung; SM-A225F; a22; mt6769t; de_DE; 548323754)",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E236 [FBAN/FBIOS;FBAV/465.0.1.41.103;FBBV/602060281;FBDV/iPhone13,4;FBMD/iPhone;FBSN/iOS;FBSV/17.4.1;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5;FBRV/603032588]",
            "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 YJApp-IOS jp.co.yahoo.ipn.appli/4.85.0",
            "Mozilla/5.0 (Linux; Android 13; SM-A536B Build/TP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/445.0.0.34.118;IABMV/1;FBPN/com.facebook.katana;]",
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
            "BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/331",
            "Mozilla/5.0 (Linux; Android 12; Pixel 6 Build/SD1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.0.0 Mobile Safari/537.36 CamScanner/6.5",
            "Mozilla/5.0 (Linux; Android 12; Pixel 6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
        ];
        for user_agent in table {
            assert_eq!(bots.program(user_agent), None, "{user_agent}");
        }
    }

    #[test]
    fn programs_have_kinds() {
        let bots = Bots::new().unwrap();
        let table = [
            ("", Program::Nameless),
            ("curl/8.4.0", Program::Library),
            ("Mozilla/9", Program::Short),
            ("192.168.100.100:65000", Program::Malformed),
            ("-4368OR 2918=6019 AND ('Veeg'='Veeg", Program::Attack),
            ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0.0.0 Safari/537.36", Program::Driven),
            ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Program::Crawler),
            ("Mozilla/5.0 (compatible; MistralBot/1.0; +https://mistral.ai/bot)", Program::Crawler),
            ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", Program::Monitor),
            ("WhatsApp/2.23.20.0 A", Program::Preview),
            ("python-requests/2.31.0", Program::Library),
        ];
        for (user_agent, wanted) in table {
            assert_eq!(bots.program(user_agent), Some(wanted), "{user_agent}");
        }
    }
}
