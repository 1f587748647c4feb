//! What user agents carry: tokens of browsers and systems, and words of programs that are no visitors.
//!
//! Tokens of browsers are in order: when several are present, the first one of the table names the browser. So
//! browsers that wear another's name come before it. An app that shows pages in a view of its own counts as a browser.

/// A browser's token, its name, and where its version is to be read.
#[derive(Debug, Clone, Copy)]
pub struct BrowserToken {
    /// Text that only this browser (and those above it) sends.
    pub token: &'static str,
    /// What the browser is called.
    pub name: &'static str,
    /// The text right before the version; empty: the token itself.
    pub version_after: &'static str,
}

const fn token(token: &'static str, name: &'static str) -> BrowserToken {
    BrowserToken { token, name, version_after: "" }
}

const fn token_with(token: &'static str, name: &'static str, version_after: &'static str) -> BrowserToken {
    BrowserToken { token, name, version_after }
}

/// Browsers, those that wear another's name first.
pub const BROWSERS: &[BrowserToken] = &[
    token("EdgA/", "Edge"),
    token("EdgiOS/", "Edge"),
    token("Edg/", "Edge"),
    token("Edge/", "Edge"),
    token_with("FBAV/", "Facebook", "FBAV/"),
    token_with("FBAN/", "Facebook", "FBAV/"),
    token_with("[FB_IAB/", "Facebook", "FBAV/"),
    token("Instagram ", "Instagram"),
    token("Barcelona ", "Threads"),
    token("musical_ly_", "TikTok"),
    token("trill_", "TikTok"),
    token_with("BytedanceWebview/", "TikTok", "app_version/"),
    token("MicroMessenger/", "WeChat"),
    token("LinkedInApp", "LinkedIn"),
    token("Snapchat/", "Snapchat"),
    token("[Pinterest/", "Pinterest"),
    token_with("Twitter for ", "Twitter", "Twitter for iPhone/"),
    token("KAKAOTALK", "KakaoTalk"),
    token(" Line/", "Line"),
    token("GSA/", "Google Search App"),
    token("OPiOS/", "Opera"),
    token("OPR/", "Opera"),
    token("OPX/", "Opera"),
    token("OPT/", "Opera"),
    token("Opera Mini/", "Opera"),
    token_with("Opera/", "Opera", "Version/"),
    token("Opera ", "Opera"),
    token("SamsungBrowser/", "Samsung Internet"),
    token("YaBrowser/", "Yandex"),
    token("YaApp_", "Yandex"),
    token("YaSearchBrowser/", "Yandex"),
    token("DuckDuckGo/", "DuckDuckGo"),
    token("Ddg/", "DuckDuckGo"),
    token("Brave/", "Brave"),
    token("Vivaldi/", "Vivaldi"),
    token("UCBrowser/", "UC Browser"),
    token("UCMobile/", "UC Browser"),
    token("MiuiBrowser/", "MIUI Browser"),
    token("HuaweiBrowser/", "Huawei Browser"),
    token("VivoBrowser/", "Vivo Browser"),
    token("HeyTapBrowser/", "HeyTap Browser"),
    token("MQQBrowser/", "QQ Browser"),
    token("QQBrowser/", "QQ Browser"),
    token("MetaSr ", "Sogou Explorer"),
    token("Whale/", "Whale"),
    token("Silk/", "Silk"),
    token("Ecosia ios@", "Ecosia"),
    token("Ecosia android@", "Ecosia"),
    token("coc_coc_browser/", "Coc Coc"),
    token("Puffin/", "Puffin"),
    token("Maxthon/", "Maxthon"),
    token("Sleipnir/", "Sleipnir"),
    token("Iron/", "Iron"),
    token("Avast/", "Avast Secure Browser"),
    token("AVG/", "AVG Secure Browser"),
    token("Norton/", "Norton Private Browser"),
    token("AlohaBrowser/", "Aloha"),
    token("Epiphany/", "Epiphany"),
    token("Falkon/", "Falkon"),
    token("Konqueror/", "Konqueror"),
    token("PaleMoon/", "Pale Moon"),
    token("SeaMonkey/", "SeaMonkey"),
    token("Waterfox/", "Waterfox"),
    token("Electron/", "Electron"),
    token("ArcMobile2/", "Arc"),
    token("ArcMobile/", "Arc"),
    token("Arc/", "Arc"),
    token("FxiOS/", "Firefox"),
    token("Focus/", "Firefox"),
    token("Klar/", "Firefox"),
    token("Firefox/", "Firefox"),
    token("IEMobile/", "IE"),
    token("MSIE ", "IE"),
    token_with("Trident/", "IE", "rv:"),
    token("CriOS/", "Chrome"),
    token("CrMo/", "Chrome"),
    token("Chromium/", "Chrome"),
    token("Chrome/", "Chrome"),
];

/// Versions of Windows NT and the names of the products.
pub const WINDOWS_VERSIONS: &[(&str, &str)] = &[
    ("11.0", "11"),
    ("10.0", "10"),
    ("6.4", "10"),
    ("6.3", "8"),
    ("6.2", "8"),
    ("6.1", "7"),
    ("6.0", "Vista"),
    ("5.2", "XP"),
    ("5.1", "XP"),
    ("5.01", "2000"),
    ("5.0", "2000"),
    ("4.0", "NT 4.0"),
];

/// Names that client hints give to systems, and ours.
pub const HINTED_SYSTEMS: &[(&str, &str)] = &[
    ("Windows", "Windows"),
    ("macOS", "Mac"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
    ("Android", "Android"),
    ("iOS", "iOS"),
    ("Chrome OS", "Chrome OS"),
    ("Chromium OS", "Chrome OS"),
];

/// Names that client hints give to browsers, and ours.
pub const HINTED_BROWSERS: &[(&str, &str)] = &[
    ("Google Chrome", "Chrome"),
    ("Microsoft Edge", "Edge"),
    ("Microsoft Edge WebView2", "Edge"),
    ("Opera GX", "Opera"),
    ("Opera Mobile", "Opera"),
    ("OperaMobile", "Opera"),
    ("YaBrowser", "Yandex"),
    ("Yandex", "Yandex"),
];

/// Words in the brands of client hints that no visitor's browser has.
pub const HINTED_BOTS: &[&str] = &["headless", "bot", "crawler", "spider", "python", "scrap"];
