//! Which user agents are programs and no visitors.
//!
//! It knows nothing of browsers' names; crawlers that only woothee knows are found in [`super::user_agent`], which
//! has its answer anyway.

use std::net::IpAddr;

use super::client_ip::parse_address;
use super::user_agent_tables::BOT_PATTERNS;

/// A user agent of at most so many bytes tells nothing of a browser.
const SHORT_BYTES_MAX: usize = 16;

/// The patterns of programs, compiled.
#[derive(Debug)]
pub struct Bots(isbot::Bots);

impl Default for Bots {
    fn default() -> Self {
        let mut bots = isbot::Bots::default();
        bots.append(BOT_PATTERNS);
        Self(bots)
    }
}

impl Bots {
    /// Whether the user agent is that of a program.
    pub fn is_bot(&self, user_agent: &str) -> bool {
        let trimmed = user_agent.trim();
        if trimmed.len() <= SHORT_BYTES_MAX || is_address(trimmed) || is_uuid(trimmed) {
            return true;
        }
        self.0.is_bot(trimmed) && !self.is_only_a_phone(trimmed)
    }

    /// Phones of a make whose name ends in `bot`.
    fn is_only_a_phone(&self, user_agent: &str) -> bool {
        let lower = user_agent.to_ascii_lowercase();
        lower.contains("cubot") && !self.0.is_bot(&lower.replace("cubot", "cub"))
    }
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
        let bots = Bots::default();
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
        ];
        for user_agent in table {
            assert!(bots.is_bot(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn visitors() {
        let bots = Bots::default();
        let table = [
            "Mozilla/5.0 (Linux; Android 9; SM-G950F Build/PPR1.180610.011; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/116.0.0.0 Mobile Safari/537.36 trill_2023102050 JsSdk/1.0 NetType/4G Channel/googleplay AppName/musical_ly app_version/31.2.5 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE BytedanceWebview/d8a21c6",
            "Mozilla/5.0 (Linux; Android 11; SM-T500 Build/RP1A.200720.012; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.193 Safari/537.36 musical_ly_2023208030 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly app_version/32.8.3 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE AppId/1233 Spark/1.4.8.3-bugfix AppVersion/32.8.3 BytedanceWebview/d8a21c6",
            "Mozilla/5.0 (Linux; Android 13; SM-A725F Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36 trill_2021707000 JsSdk/1.0 NetType/WIFI Channel/tt_eu_samsung2020_yz1 AppName/musical_ly app_version/17.7.0 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE",
            "Mozilla/5.0 (Linux; Android 10; PPA-LX2 Build/HUAWEIPPA-LX2; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/92.0.4515.105 Mobile Safari/537.36 musical_ly_2023206050 JsSdk/1.0 NetType/WIFI Channel/huaweiadsglobal_int AppName/musical_ly app_version/32.6.5 ByteLocale/de-DE ByteFullLocale/de-DE Region/DE AppId/1233 Spark/1.4.7.4-bugfix AppVersion/32.6.5 BytedanceWebview/d8a21c6",
            "Mozilla/5.0 (Linux; Android 13; SM-A225F Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.144 Mobile Safari/537.36 Instagram 312.1.0.34.111 Android (33/13; 300dpi; 720x1452; samsung; SM-A225F; a22; mt6769t; de_DE; 548323754)",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21E236 [FBAN/FBIOS;FBAV/465.0.1.41.103;FBBV/602060281;FBDV/iPhone13,4;FBMD/iPhone;FBSN/iOS;FBSV/17.4.1;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5;FBRV/603032588]",
            "Mozilla/5.0 (Linux; Android 9; CUBOT) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 12; Pixel 6) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
        ];
        for user_agent in table {
            assert!(!bots.is_bot(user_agent), "{user_agent}");
        }
    }
}
