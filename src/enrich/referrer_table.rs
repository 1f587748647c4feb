//! The table of referrers: search engines, social networks, mail, video, shops, AI assistants and other well-known
//! hosts, each with the name that is shown and the class that decides the channel.
//!
//! A row names its hosts in one text, separated by blanks. A host stands for itself, for its `www.` and for its `m.`
//! form. `*.host` stands for its subdomains too; `label.*` stands for the label under every public suffix; a host may
//! carry the first segment of a path. Lookups try the most special form first.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::url::without_www;

/// What a referrer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Class {
    Search,
    Social,
    Video,
    Shopping,
    Email,
    Ai,
    /// Only named.
    Other,
}

use Class::{Ai, Email, Other, Search, Shopping, Social, Video};

type Row = (&'static str, Class, &'static str);

/// Name, class, hosts.
const ROWS: &[Row] = &[
    (
        "Google",
        Search,
        "google.* accounts.google.com encrypted.google.com cse.google.com lens.google.com googleadservices.com syndicatedsearch.goog",
    ),
    ("Google Images", Search, "images.google.*"),
    ("Google Product Search", Search, "google.*/products shopping.google.* google.*/shopping"),
    ("Google News", Other, "news.google.*"),
    ("Google Maps", Other, "maps.google.* google.*/maps"),
    ("Google Translate", Other, "translate.google.* *.translate.goog"),
    ("Google Scholar", Search, "scholar.google.*"),
    ("Google Docs", Other, "docs.google.com drive.google.com sites.google.com"),
    ("Google Groups", Social, "groups.google.*"),
    ("Bing", Search, "bing.* cn.bing.com global.bing.com ntp.msn.com"),
    ("MSN", Other, "msn.com"),
    (
        "DuckDuckGo",
        Search,
        "duckduckgo.com html.duckduckgo.com lite.duckduckgo.com start.duckduckgo.com duck.com ddg.gg",
    ),
    (
        "Yahoo!",
        Search,
        "yahoo.com yahoo.co.jp search.yahoo.co.jp *.search.yahoo.com search.yahoo.com yahoo.*",
    ),
    ("Ecosia", Search, "ecosia.org"),
    ("Brave Search", Search, "search.brave.com"),
    ("Qwant", Search, "qwant.com lite.qwant.com"),
    ("Startpage", Search, "startpage.com *.startpage.com ixquick.com"),
    ("Kagi", Search, "kagi.com"),
    ("Mojeek", Search, "mojeek.com mojeek.co.uk"),
    ("Swisscows", Search, "swisscows.com swisscows.ch"),
    ("MetaGer", Search, "metager.org metager.de"),
    ("Searx", Search, "searx.be searx.me"),
    ("Presearch", Search, "presearch.com presearch.org engine.presearch.org"),
    ("You.com", Search, "you.com"),
    ("Marginalia", Search, "marginalia.nu search.marginalia.nu marginalia-search.com"),
    ("Yep", Search, "yep.com"),
    ("Lilo", Search, "lilo.org search.lilo.org"),
    ("Karma Search", Search, "karmasearch.org"),
    ("OceanHero", Search, "oceanhero.today"),
    ("Gibiru", Search, "gibiru.com"),
    ("Dogpile", Search, "dogpile.com"),
    ("WebCrawler", Search, "webcrawler.com"),
    ("Excite", Search, "excite.com excite.co.jp"),
    ("Lycos", Search, "lycos.com search.lycos.com lycos.de lycos.es lycos.fr"),
    ("AltaVista", Search, "altavista.com"),
    ("Ask", Search, "ask.com *.ask.com askjeeves.com"),
    ("AOL", Search, "aol.com search.aol.com search.aol.co.uk"),
    ("Info.com", Search, "info.com"),
    ("Infospace", Search, "infospace.com"),
    ("MyWebSearch", Search, "mywebsearch.com *.mywebsearch.com"),
    ("Yandex", Search, "yandex.* ya.ru *.yandex.ru yandex.com.tr images.yandex.ru"),
    ("Mail.ru", Search, "go.mail.ru"),
    ("Rambler", Search, "rambler.ru nova.rambler.ru"),
    ("Sputnik", Search, "sputnik.ru"),
    ("Baidu", Search, "baidu.com *.baidu.com"),
    ("Sogou", Search, "sogou.com *.sogou.com"),
    ("360 Search", Search, "360.cn so.com *.so.com so.360.cn haosou.com"),
    ("Shenma", Search, "sm.cn *.sm.cn"),
    ("Youdao", Search, "youdao.com"),
    ("Toutiao", Search, "so.toutiao.com"),
    ("Naver", Search, "naver.com search.naver.com m.search.naver.com"),
    ("Daum", Search, "daum.net search.daum.net"),
    ("Nate", Search, "nate.com search.nate.com"),
    ("Goo", Search, "goo.ne.jp search.goo.ne.jp"),
    ("Biglobe", Search, "search.biglobe.ne.jp"),
    ("Rakuten Search", Search, "websearch.rakuten.co.jp"),
    ("Seznam", Search, "seznam.cz search.seznam.cz"),
    ("Coc Coc", Search, "coccoc.com"),
    ("Petal Search", Search, "petalsearch.com"),
    ("Onet", Search, "onet.pl szukaj.onet.pl"),
    ("Wirtualna Polska", Search, "szukaj.wp.pl"),
    ("Virgilio", Search, "virgilio.it ricerca.virgilio.it"),
    ("Libero", Search, "ricerca.libero.it"),
    ("Orange", Search, "lemoteur.orange.fr orange.fr"),
    ("SFR", Search, "sfr.fr"),
    ("Bluewin", Search, "search.bluewin.ch"),
    ("search.ch", Search, "search.ch"),
    ("T-Online", Search, "suche.t-online.de t-online.de"),
    ("Web.de", Search, "suche.web.de"),
    ("GMX", Search, "suche.gmx.net suche.gmx.at"),
    ("Fireball", Search, "fireball.de"),
    ("UOL", Search, "busca.uol.com.br"),
    ("Terra", Search, "buscador.terra.com.br"),
    ("Conduit", Search, "search.conduit.com"),
    ("Avira", Search, "search.avira.com search.avira.net"),
    ("AVG", Search, "search.avg.com"),
    ("Comcast", Search, "search.xfinity.com"),
    ("Vivaldi", Search, "vivaldi.com/search"),
    ("Exalead", Search, "exalead.com exalead.fr"),
    ("Gigablast", Search, "gigablast.com"),
    ("Najdi.si", Search, "najdi.si"),
    ("Zoznam", Search, "zoznam.sk"),
    ("Eniro", Search, "eniro.se eniro.no"),
    ("Walla", Search, "search.walla.co.il"),
    ("Parsijoo", Search, "parsijoo.ir"),
    ("WolframAlpha", Search, "wolframalpha.com"),
    ("Facebook", Social, "facebook.com *.facebook.com fb.me fb.com messenger.com *.messenger.com"),
    ("Instagram", Social, "instagram.com *.instagram.com"),
    ("Threads", Social, "threads.net threads.com l.threads.net l.threads.com"),
    ("Twitter", Social, "t.co twitter.com mobile.twitter.com tweetdeck.twitter.com"),
    ("X", Social, "x.com"),
    ("LinkedIn", Social, "linkedin.com *.linkedin.com lnkd.in"),
    ("Reddit", Social, "reddit.com *.reddit.com redd.it"),
    ("Hacker News", Social, "news.ycombinator.com hckrnews.com hn.algolia.com"),
    ("Lobsters", Social, "lobste.rs"),
    ("Tildes", Social, "tildes.net"),
    ("Slashdot", Social, "slashdot.org *.slashdot.org"),
    ("Pinterest", Social, "pinterest.* *.pinterest.com pin.it"),
    ("Tumblr", Social, "*.tumblr.com"),
    ("Snapchat", Social, "snapchat.com *.snapchat.com"),
    ("WhatsApp", Social, "whatsapp.com web.whatsapp.com api.whatsapp.com l.wl.co wa.me"),
    ("Telegram", Social, "t.me telegram.org web.telegram.org telegram.me"),
    ("Signal", Social, "signal.org signal.me"),
    ("Discord", Social, "discord.com discordapp.com discord.gg ptb.discord.com canary.discord.com"),
    ("Slack", Social, "*.slack.com"),
    ("Microsoft Teams", Social, "teams.microsoft.com teams.live.com statics.teams.cdn.office.net"),
    ("Google Chat", Social, "chat.google.com"),
    (
        "Mastodon",
        Social,
        "mastodon.social mastodon.online mstdn.social mas.to fosstodon.org hachyderm.io infosec.exchange mastodon.world chaos.social mstdn.jp joinmastodon.org",
    ),
    ("Bluesky", Social, "bsky.app go.bsky.app bsky.social"),
    ("Lemmy", Social, "lemmy.world lemmy.ml lemm.ee join-lemmy.org"),
    ("Quora", Social, "quora.com *.quora.com"),
    ("Stack Overflow", Social, "stackoverflow.com *.stackoverflow.com"),
    (
        "Stack Exchange",
        Social,
        "*.stackexchange.com superuser.com serverfault.com askubuntu.com mathoverflow.net",
    ),
    ("Medium", Social, "*.medium.com"),
    ("Substack", Social, "*.substack.com"),
    ("DEV Community", Social, "dev.to"),
    ("Hashnode", Social, "hashnode.com *.hashnode.dev"),
    ("Indie Hackers", Social, "indiehackers.com"),
    ("Product Hunt", Social, "producthunt.com"),
    ("VKontakte", Social, "vk.com vkontakte.ru away.vk.com vk.cc vk.ru"),
    ("Odnoklassniki", Social, "ok.ru odnoklassniki.ru"),
    ("Weibo", Social, "weibo.com weibo.cn *.weibo.com *.weibo.cn t.cn"),
    ("WeChat", Social, "weixin.qq.com mp.weixin.qq.com wechat.com"),
    ("QZone", Social, "qzone.qq.com *.qzone.qq.com"),
    ("QQ", Social, "*.qq.com"),
    ("Zhihu", Social, "zhihu.com *.zhihu.com"),
    ("Douban", Social, "douban.com *.douban.com"),
    ("Xiaohongshu", Social, "xiaohongshu.com xhslink.com"),
    ("Renren", Social, "renren.com"),
    ("Line", Social, "line.me *.line.me"),
    ("KakaoTalk", Social, "kakao.com *.kakao.com"),
    ("Mixi", Social, "mixi.jp"),
    ("Ameba", Social, "ameba.jp ameblo.jp"),
    ("Hatena", Social, "hatena.ne.jp b.hatena.ne.jp *.hatenablog.com"),
    ("Note", Social, "note.com"),
    ("Xing", Social, "xing.com"),
    ("Viadeo", Social, "viadeo.com viadeo.journaldunet.com"),
    ("Skyrock", Social, "skyrock.com *.skyrock.com"),
    ("Unblog", Social, "*.unblog.fr"),
    ("43things", Social, "43things.com"),
    ("Badoo", Social, "badoo.com"),
    ("Myspace", Social, "myspace.com"),
    ("Flickr", Social, "flickr.com flic.kr"),
    ("DeviantArt", Social, "deviantart.com *.deviantart.com"),
    ("Behance", Social, "behance.net"),
    ("Dribbble", Social, "dribbble.com"),
    ("Goodreads", Social, "goodreads.com"),
    ("Meetup", Social, "meetup.com"),
    ("Nextdoor", Social, "nextdoor.com"),
    ("Imgur", Social, "imgur.com"),
    ("9GAG", Social, "9gag.com"),
    ("Digg", Social, "digg.com"),
    ("Flipboard", Social, "flipboard.com flip.it"),
    ("StumbleUpon", Social, "stumbleupon.com mix.com"),
    ("Delicious", Social, "delicious.com del.icio.us"),
    ("Gab", Social, "gab.com"),
    ("Parler", Social, "parler.com"),
    ("Truth Social", Social, "truthsocial.com"),
    ("Gettr", Social, "gettr.com"),
    ("MeWe", Social, "mewe.com"),
    ("Minds", Social, "minds.com"),
    ("Diaspora", Social, "diasporafoundation.org joindiaspora.com"),
    ("LiveJournal", Social, "*.livejournal.com"),
    ("Blogger", Social, "*.blogspot.com blogger.com draft.blogger.com"),
    ("WordPress", Social, "*.wordpress.com"),
    ("Disqus", Social, "disqus.com"),
    ("Steam", Social, "steamcommunity.com"),
    ("Patreon", Social, "patreon.com"),
    ("Ko-fi", Social, "ko-fi.com"),
    ("Linktree", Social, "linktr.ee"),
    ("Yammer", Social, "yammer.com web.yammer.com engage.cloud.microsoft"),
    ("Workplace", Social, "workplace.com"),
    ("Viber", Social, "viber.com"),
    ("Skype", Social, "skype.com web.skype.com"),
    ("Taringa", Social, "taringa.net"),
    ("Plurk", Social, "plurk.com"),
    ("PTT", Social, "ptt.cc"),
    ("Dcard", Social, "dcard.tw"),
    ("Zalo", Social, "zalo.me chat.zalo.me"),
    ("Wykop", Social, "wykop.pl"),
    ("Menéame", Social, "meneame.net"),
    ("Habr", Social, "habr.com"),
    ("Pikabu", Social, "pikabu.ru"),
    ("V2EX", Social, "v2ex.com"),
    ("Yelp", Social, "yelp.com m.yelp.com"),
    ("Tripadvisor", Social, "tripadvisor.*"),
    ("Wattpad", Social, "wattpad.com"),
    ("ResearchGate", Social, "researchgate.net"),
    ("Academia.edu", Social, "academia.edu"),
    ("Youtube", Video, "youtube.com *.youtube.com youtu.be youtube-nocookie.com"),
    ("Vimeo", Video, "vimeo.com *.vimeo.com"),
    ("Twitch", Video, "twitch.tv *.twitch.tv"),
    ("TikTok", Video, "tiktok.com *.tiktok.com douyin.com *.douyin.com"),
    ("Dailymotion", Video, "dailymotion.com dai.ly"),
    ("Rumble", Video, "rumble.com"),
    ("Odysee", Video, "odysee.com"),
    ("BitChute", Video, "bitchute.com"),
    ("Utreon", Video, "utreon.com playeur.com"),
    ("PeerTube", Video, "joinpeertube.org sepiasearch.org"),
    ("Bilibili", Video, "bilibili.com *.bilibili.com b23.tv"),
    ("Youku", Video, "youku.com *.youku.com"),
    ("iQIYI", Video, "iqiyi.com iq.com"),
    ("Tencent Video", Video, "v.qq.com"),
    ("Niconico", Video, "nicovideo.jp *.nicovideo.jp"),
    ("Rutube", Video, "rutube.ru"),
    ("Netflix", Video, "netflix.com"),
    ("Hulu", Video, "hulu.com"),
    ("Disney+", Video, "disneyplus.com"),
    ("Prime Video", Video, "primevideo.com"),
    ("Crunchyroll", Video, "crunchyroll.com"),
    ("Kick", Video, "kick.com"),
    ("Nebula", Video, "nebula.tv"),
    ("Wistia", Video, "wistia.com"),
    ("TED", Video, "ted.com"),
    ("IMDb", Video, "imdb.com"),
    ("Streamable", Video, "streamable.com"),
    ("Metacafe", Video, "metacafe.com"),
    ("Veoh", Video, "veoh.com"),
    ("Plex", Video, "plex.tv app.plex.tv"),
    ("Roku", Video, "roku.com"),
    ("Amazon", Shopping, "amazon.* smile.amazon.com amzn.to a.co"),
    ("eBay", Shopping, "ebay.* ebay.us"),
    ("Walmart", Shopping, "walmart.com walmart.ca"),
    ("Etsy", Shopping, "etsy.com"),
    ("AliExpress", Shopping, "aliexpress.* *.aliexpress.com aliexpress.us"),
    ("Alibaba", Shopping, "alibaba.com *.alibaba.com 1688.com"),
    ("Taobao", Shopping, "taobao.com *.taobao.com"),
    ("Tmall", Shopping, "tmall.com *.tmall.com"),
    ("JD.com", Shopping, "jd.com *.jd.com"),
    ("Pinduoduo", Shopping, "pinduoduo.com yangkeduo.com"),
    ("Temu", Shopping, "temu.com"),
    ("Shein", Shopping, "shein.com *.shein.com"),
    ("Wish", Shopping, "wish.com"),
    ("Target", Shopping, "target.com"),
    ("Best Buy", Shopping, "bestbuy.com"),
    ("Costco", Shopping, "costco.com"),
    ("Home Depot", Shopping, "homedepot.com"),
    ("Shopify", Shopping, "shopify.com *.myshopify.com shop.app"),
    ("Shopping.net", Shopping, "*.shopping.net"),
    ("Shopping.com", Shopping, "*.shopping.com"),
    ("Shopzilla", Shopping, "shopzilla.com shopzilla.co.uk"),
    ("PriceGrabber", Shopping, "pricegrabber.com"),
    ("PriceRunner", Shopping, "pricerunner.com pricerunner.se pricerunner.dk"),
    ("Idealo", Shopping, "idealo.*"),
    ("Geizhals", Shopping, "geizhals.de geizhals.at geizhals.eu"),
    ("Billiger.de", Shopping, "billiger.de"),
    ("Kelkoo", Shopping, "kelkoo.* kelkoo.co.uk"),
    ("Ciao", Shopping, "ciao.de"),
    ("Otto", Shopping, "otto.de"),
    ("Zalando", Shopping, "zalando.*"),
    ("Kaufland", Shopping, "kaufland.de"),
    ("Cdiscount", Shopping, "cdiscount.com"),
    ("Fnac", Shopping, "fnac.com"),
    ("Bol.com", Shopping, "bol.com"),
    ("Allegro", Shopping, "allegro.pl"),
    ("Ceneo", Shopping, "ceneo.pl"),
    ("Heureka", Shopping, "heureka.cz heureka.sk"),
    ("Mercado Libre", Shopping, "mercadolibre.* mercadolivre.com.br"),
    ("Rakuten", Shopping, "rakuten.com rakuten.co.jp *.rakuten.co.jp"),
    ("Yahoo! Shopping", Shopping, "shopping.yahoo.co.jp shopping.yahoo.com"),
    ("Kakaku", Shopping, "kakaku.com"),
    ("Mercari", Shopping, "mercari.com jp.mercari.com"),
    ("Coupang", Shopping, "coupang.com"),
    ("Gmarket", Shopping, "gmarket.co.kr"),
    ("Flipkart", Shopping, "flipkart.com"),
    ("Myntra", Shopping, "myntra.com"),
    ("Shopee", Shopping, "shopee.* shp.ee"),
    ("Lazada", Shopping, "lazada.* lazada.com.my lazada.com.ph"),
    ("Tokopedia", Shopping, "tokopedia.com"),
    ("Ozon", Shopping, "ozon.ru"),
    ("Wildberries", Shopping, "wildberries.ru"),
    ("Yandex Market", Shopping, "market.yandex.ru"),
    ("Trendyol", Shopping, "trendyol.com"),
    ("Hepsiburada", Shopping, "hepsiburada.com"),
    ("Noon", Shopping, "noon.com"),
    ("Newegg", Shopping, "newegg.com"),
    ("Wayfair", Shopping, "wayfair.com"),
    ("Overstock", Shopping, "overstock.com"),
    ("IKEA", Shopping, "ikea.com"),
    ("Craigslist", Shopping, "*.craigslist.org"),
    ("Kleinanzeigen", Shopping, "kleinanzeigen.de"),
    ("Leboncoin", Shopping, "leboncoin.fr"),
    ("Vinted", Shopping, "vinted.*"),
    ("Gumroad", Shopping, "gumroad.com"),
    ("Slickdeals", Shopping, "slickdeals.net"),
    ("Mydealz", Shopping, "mydealz.de"),
    ("Gmail", Email, "mail.google.com gmail.com inbox.google.com"),
    (
        "Outlook",
        Email,
        "outlook.live.com outlook.office.com outlook.office365.com mail.live.com hotmail.com outlook.com",
    ),
    ("Yahoo! Mail", Email, "mail.yahoo.com mail.yahoo.co.jp *.mail.yahoo.com"),
    ("AOL Mail", Email, "mail.aol.com"),
    ("iCloud Mail", Email, "icloud.com/mail mail.icloud.com"),
    ("Proton Mail", Email, "mail.proton.me mail.protonmail.com protonmail.com"),
    ("Tuta", Email, "app.tuta.com mail.tutanota.com"),
    ("Fastmail", Email, "fastmail.com app.fastmail.com"),
    ("HEY", Email, "app.hey.com"),
    ("Posteo", Email, "posteo.de"),
    ("Mailbox.org", Email, "mailbox.org office.mailbox.org"),
    ("GMX Mail", Email, "gmx.net gmx.com gmx.at gmx.ch navigator.gmx.net deref-gmx.net deref-gmx.com"),
    ("Web.de Mail", Email, "web.de navigator.web.de deref-web.de deref-web-02.de"),
    ("T-Online Mail", Email, "email.t-online.de"),
    ("Freenet Mail", Email, "email.freenet.de"),
    ("Mail.ru Mail", Email, "e.mail.ru mail.ru touch.mail.ru"),
    ("Yandex Mail", Email, "mail.yandex.ru mail.yandex.com"),
    ("Rambler Mail", Email, "mail.rambler.ru"),
    ("QQ Mail", Email, "mail.qq.com wx.mail.qq.com"),
    ("163 Mail", Email, "mail.163.com mail.126.com"),
    ("Naver Mail", Email, "mail.naver.com"),
    ("Daum Mail", Email, "mail.daum.net mail2.daum.net"),
    ("Zoho Mail", Email, "mail.zoho.com mail.zoho.eu"),
    ("Seznam Email", Email, "email.seznam.cz"),
    ("Orange Mail", Email, "messagerie.orange.fr webmail.orange.fr mail.orange.fr mail01.orange.fr"),
    ("Free Mail", Email, "zimbra.free.fr webmail.free.fr"),
    ("La Poste Mail", Email, "webmail.laposte.net"),
    ("Libero Mail", Email, "mail.libero.it mail1.libero.it"),
    ("WP Poczta", Email, "poczta.wp.pl"),
    ("O2 Poczta", Email, "poczta.o2.pl"),
    ("Onet Poczta", Email, "poczta.onet.pl"),
    ("Comcast Mail", Email, "connect.xfinity.com"),
    ("BT Mail", Email, "email.bt.com"),
    ("Earthlink Mail", Email, "webmail1.earthlink.net webmail.earthlink.net"),
    ("Mailchimp", Email, "*.campaign-archive.com *.list-manage.com mailchi.mp"),
    ("Buttondown", Email, "buttondown.email buttondown.com"),
    ("Beehiiv", Email, "*.beehiiv.com"),
    ("ChatGPT", Ai, "chatgpt.com chat.openai.com"),
    ("OpenAI", Ai, "openai.com"),
    ("Claude", Ai, "claude.ai"),
    ("Anthropic", Ai, "anthropic.com"),
    ("Gemini", Ai, "gemini.google.com"),
    ("Bard", Ai, "bard.google.com"),
    ("Google AI Studio", Ai, "aistudio.google.com"),
    ("NotebookLM", Ai, "notebooklm.google.com notebooklm.google"),
    (
        "Microsoft Copilot",
        Ai,
        "copilot.microsoft.com copilot.cloud.microsoft m365.cloud.microsoft bing.com/chat edgeservices.bing.com",
    ),
    ("GitHub Copilot", Ai, "github.com/copilot"),
    ("Perplexity", Ai, "perplexity.ai perplexity.com"),
    ("Meta AI", Ai, "meta.ai ai.meta.com"),
    ("Grok", Ai, "grok.com x.ai"),
    ("Mistral AI", Ai, "mistral.ai chat.mistral.ai"),
    ("DeepSeek", Ai, "deepseek.com chat.deepseek.com"),
    ("Qwen", Ai, "qwen.ai chat.qwen.ai tongyi.aliyun.com tongyi.com"),
    ("Kimi", Ai, "kimi.com kimi.moonshot.cn kimi.ai"),
    ("Doubao", Ai, "doubao.com"),
    ("Yuanbao", Ai, "yuanbao.tencent.com"),
    ("Ernie Bot", Ai, "yiyan.baidu.com ernie.baidu.com"),
    ("Z.ai", Ai, "z.ai chatglm.cn"),
    ("Cohere", Ai, "cohere.com coral.cohere.com"),
    ("Jasper", Ai, "jasper.ai app.jasper.ai"),
    ("Poe", Ai, "poe.com"),
    ("Phind", Ai, "phind.com"),
    ("Character.AI", Ai, "character.ai"),
    ("Pi", Ai, "pi.ai"),
    ("HuggingChat", Ai, "huggingface.co/chat"),
    ("Duck.ai", Ai, "duck.ai"),
    ("Le Chat", Ai, "lechat.mistral.ai"),
    ("Andi", Ai, "andisearch.com"),
    ("iAsk", Ai, "iask.ai"),
    ("Genspark", Ai, "genspark.ai"),
    ("Felo", Ai, "felo.ai"),
    ("Liner", Ai, "liner.com getliner.com"),
    ("Consensus", Ai, "consensus.app"),
    ("Elicit", Ai, "elicit.com elicit.org"),
    ("Writesonic", Ai, "writesonic.com"),
    ("Copy.ai", Ai, "copy.ai"),
    ("Manus", Ai, "manus.im"),
    ("Alice", Ai, "alice.yandex.ru"),
    ("GitHub", Other, "github.com gist.github.com *.github.io github.dev"),
    ("GitLab", Other, "gitlab.com"),
    ("Codeberg", Other, "codeberg.org"),
    ("Bitbucket", Other, "bitbucket.org"),
    ("SourceForge", Other, "sourceforge.net"),
    ("npm", Other, "npmjs.com"),
    ("PyPI", Other, "pypi.org"),
    ("crates.io", Other, "crates.io"),
    ("docs.rs", Other, "docs.rs"),
    ("Go Packages", Other, "pkg.go.dev"),
    ("Docker Hub", Other, "hub.docker.com"),
    ("Hugging Face", Other, "huggingface.co"),
    ("Read the Docs", Other, "*.readthedocs.io"),
    ("Wikipedia", Other, "*.wikipedia.org"),
    ("Wikimedia", Other, "*.wikimedia.org"),
    ("Internet Archive", Other, "archive.org web.archive.org"),
    ("Notion", Other, "notion.so *.notion.site notion.com"),
    ("Trello", Other, "trello.com"),
    ("Asana", Other, "app.asana.com"),
    ("Atlassian", Other, "*.atlassian.net"),
    ("Figma", Other, "figma.com"),
    ("Canva", Other, "canva.com"),
    ("Airtable", Other, "airtable.com"),
    ("Feedly", Other, "feedly.com"),
    ("Inoreader", Other, "inoreader.com"),
    ("NewsBlur", Other, "newsblur.com"),
    ("The Old Reader", Other, "theoldreader.com"),
    ("Pocket", Other, "getpocket.com"),
    ("Instapaper", Other, "instapaper.com"),
    ("Raindrop.io", Other, "app.raindrop.io raindrop.io"),
    ("Pinboard", Other, "pinboard.in"),
    ("SmartNews", Other, "smartnews.com"),
    ("Techmeme", Other, "techmeme.com"),
    ("AlternativeTo", Other, "alternativeto.net"),
    ("G2", Other, "g2.com"),
    ("Capterra", Other, "capterra.com"),
    ("Trustpilot", Other, "trustpilot.com"),
    ("Glassdoor", Other, "glassdoor.com"),
    ("Indeed", Other, "indeed.com"),
    ("Apple", Other, "apple.com"),
    ("App Store", Other, "apps.apple.com"),
    ("Google Play", Other, "play.google.com"),
    ("Microsoft", Other, "microsoft.com learn.microsoft.com"),
    ("SharePoint", Other, "*.sharepoint.com"),
    ("SoundCloud", Other, "soundcloud.com"),
    ("Spotify", Other, "open.spotify.com spotify.com"),
    ("Bandcamp", Other, "*.bandcamp.com"),
    ("Kickstarter", Other, "kickstarter.com"),
    ("Indiegogo", Other, "indiegogo.com"),
    ("Stripe", Other, "checkout.stripe.com stripe.com"),
    ("PayPal", Other, "paypal.com"),
    ("BBC", Other, "bbc.co.uk bbc.com"),
    ("Netvibes", Other, "netvibes.com"),
    ("Booking.com", Other, "booking.com"),
    ("Airbnb", Other, "airbnb.*"),
    ("Hostelworld", Other, "hostelworld.com"),
];

/// Name, class, packages of Android apps.
const PACKAGES: &[Row] = &[
    ("Gmail", Email, "com.google.android.gm com.google.android.gm.lite"),
    ("Outlook", Email, "com.microsoft.office.outlook"),
    ("Yahoo! Mail", Email, "com.yahoo.mobile.client.android.mail"),
    ("Proton Mail", Email, "ch.protonmail.android"),
    ("Thunderbird", Email, "net.thunderbird.android com.fsck.k9"),
    ("Google", Search, "com.google.android.googlequicksearchbox com.google.android.apps.searchlite"),
    ("Google News", Other, "com.google.android.apps.magazines"),
    ("Google Chat", Social, "com.google.android.apps.dynamite"),
    ("Bing", Search, "com.microsoft.bing"),
    ("DuckDuckGo", Search, "com.duckduckgo.mobile.android"),
    ("Ecosia", Search, "com.ecosia.android"),
    ("Brave Search", Search, "com.brave.browser"),
    ("Yandex", Search, "ru.yandex.searchplugin"),
    ("Slack", Social, "com.Slack"),
    ("Facebook", Social, "com.facebook.katana com.facebook.lite"),
    ("Messenger", Social, "com.facebook.orca"),
    ("Instagram", Social, "com.instagram.android com.instagram.lite"),
    ("Threads", Social, "com.instagram.barcelona"),
    ("WhatsApp", Social, "com.whatsapp com.whatsapp.w4b"),
    ("Telegram", Social, "org.telegram.messenger org.telegram.messenger.web org.thunderdog.challegram"),
    ("Signal", Social, "org.thoughtcrime.securesms"),
    ("Twitter", Social, "com.twitter.android com.twitter.android.lite"),
    ("LinkedIn", Social, "com.linkedin.android"),
    ("Reddit", Social, "com.reddit.frontpage"),
    ("Pinterest", Social, "com.pinterest"),
    ("Snapchat", Social, "com.snapchat.android"),
    ("Discord", Social, "com.discord"),
    ("TikTok", Video, "com.zhiliaoapp.musically com.ss.android.ugc.trill"),
    ("Youtube", Video, "com.google.android.youtube"),
    ("Twitch", Video, "tv.twitch.android.app"),
    ("VKontakte", Social, "com.vkontakte.android"),
    ("Viber", Social, "com.viber.voip"),
    ("Line", Social, "jp.naver.line.android"),
    ("Microsoft Teams", Social, "com.microsoft.teams"),
    ("Mastodon", Social, "org.joinmastodon.android"),
    ("Bluesky", Social, "xyz.blueskyweb.app"),
    ("Hacker News", Social, "io.github.hidroh.materialistic com.stefandekanski.hackernews.free"),
    ("Flipboard", Social, "flipboard.app"),
    ("Pocket", Other, "com.ideashower.readitlater.pro"),
    ("Feedly", Other, "com.devhd.feedly"),
    ("ChatGPT", Ai, "com.openai.chatgpt"),
    ("Claude", Ai, "com.anthropic.claude"),
    ("Gemini", Ai, "com.google.android.apps.bard"),
    ("Perplexity", Ai, "ai.perplexity.app.android"),
    ("Microsoft Copilot", Ai, "com.microsoft.copilot"),
    ("Amazon", Shopping, "com.amazon.mShop.android.shopping"),
    ("eBay", Shopping, "com.ebay.mobile"),
    ("Etsy", Shopping, "com.etsy.android"),
];

/// Bare names that senders use for a source, beside the names of the table itself.
const NAMES: &[(&str, Class)] = &[
    ("email", Email),
    ("e-mail", Email),
    ("e_mail", Email),
    ("e mail", Email),
    ("x", Social),
    ("fb", Social),
    ("ig", Social),
    ("hn", Social),
    ("hackernews", Social),
    ("vk", Social),
    ("yt", Video),
    ("openai", Ai),
    ("anthropic", Ai),
    ("copilot", Ai),
    ("bard", Ai),
    ("mistral", Ai),
    ("cohere", Ai),
];

struct Table {
    hosts: HashMap<&'static str, (&'static str, Class)>,
    packages: HashMap<&'static str, (&'static str, Class)>,
    names: HashMap<String, Class>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let spread = |rows: &'static [Row]| {
        rows.iter()
            .flat_map(|(name, class, keys)| keys.split_whitespace().map(move |key| (key, (*name, *class))))
    };
    let mut names: HashMap<String, Class> = HashMap::new();
    for (name, class, _) in ROWS.iter().chain(PACKAGES) {
        names.entry(name.to_lowercase()).or_insert(*class);
    }
    names.extend(NAMES.iter().map(|(name, class)| ((*name).to_owned(), *class)));
    Table { hosts: spread(ROWS).collect(), packages: spread(PACKAGES).collect(), names }
});

/// The name of a page of this host, which is lower case and without `www.`.
pub fn name_of_page(host: &str, path: &str) -> Option<&'static str> {
    find_host(host, path).map(|(name, _)| name)
}

/// The name of an Android app.
pub fn name_of_package(package: &str) -> Option<&'static str> {
    TABLE.packages.get(package).map(|(name, _)| *name)
}

/// The class of a referrer that is given as a URL, a host, an Android app or a bare name.
pub fn class_of_text(text: &str) -> Option<Class> {
    if text.is_empty() {
        return None;
    }
    if let Some(package) = text.strip_prefix("android-app://") {
        return TABLE.packages.get(package).map(|(_, class)| *class);
    }
    let lower = text.to_lowercase();
    if let Some(class) = TABLE.names.get(lower.as_str()) {
        return Some(*class).filter(|class| *class != Other);
    }
    let address = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = address.find('/').map_or((address, ""), |at| address.split_at(at));
    find_host(without_www(host), path).map(|(_, class)| class).filter(|class| *class != Other)
}

fn find_host(host: &str, path: &str) -> Option<(&'static str, Class)> {
    let segment = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let stem = under_any_suffix(host);
    let without_m = host.strip_prefix("m.").or_else(|| host.strip_prefix("mobile."));
    [Some(host), stem.as_deref(), without_m]
        .into_iter()
        .flatten()
        .find_map(|key| find_key(key, segment))
        .or_else(|| parents(host).find_map(|parent| find_key(&format!("*.{parent}"), "")))
}

fn find_key(key: &str, segment: &str) -> Option<(&'static str, Class)> {
    if !segment.is_empty()
        && let Some(found) = TABLE.hosts.get(format!("{key}/{segment}").as_str())
    {
        return Some(*found);
    }
    TABLE.hosts.get(key).copied()
}

/// `label.*` for a host `label.SUFFIX`.
fn under_any_suffix(host: &str) -> Option<String> {
    let suffix = psl::suffix_str(host)?;
    let label = host.strip_suffix(suffix)?.strip_suffix('.')?;
    Some(format!("{label}.*"))
}

/// The host and the domains above it, down to two labels.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(host), |host| host.split_once('.').map(|(_, parent)| parent))
        .take_while(|host| host.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_host_has_one_row() {
        for rows in [ROWS, PACKAGES] {
            let mut seen = HashMap::new();
            for (name, _, keys) in rows {
                for key in keys.split_whitespace() {
                    assert_eq!(seen.insert(key, name), None, "{key} of {name} stands twice");
                    assert!(!key.starts_with("www.") && key.contains('.'), "{key}");
                }
            }
        }
    }

    #[test]
    fn forms_of_hosts() {
        let table = [
            ("google.com", "", Some("Google")),
            ("google.co.uk", "", Some("Google")),
            ("mail.google.com", "", Some("Gmail")),
            ("google.com.evil.org", "", None),
            ("evilgoogle.com", "", None),
            ("m.facebook.com", "", Some("Facebook")),
            ("somebody.substack.com", "", Some("Substack")),
            ("substack.com", "", Some("Substack")),
            ("google.pl", "/products/x", Some("Google Product Search")),
            ("com", "", None),
            ("", "", None),
        ];
        for (host, path, wanted) in table {
            assert_eq!(name_of_page(host, path), wanted, "{host}{path}");
        }
    }
}
