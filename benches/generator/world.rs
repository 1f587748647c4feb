//! What there is to draw from: pages, places, devices, referrers, campaigns, events. The same in every run, so that all
//! sizes of data share one vocabulary.

use super::random::{Choice, Random, hash};

/// A text column's values.
pub type Values = Vec<String>;

/// A dictionary that gives each text one code.
#[derive(Default)]
pub struct Coded {
    pub values: Values,
    codes: std::collections::HashMap<String, u32>,
}

impl Coded {
    fn code(&mut self, text: &str) -> u32 {
        if let Some(&code) = self.codes.get(text) {
            return code;
        }
        let code = self.values.len() as u32;
        self.values.push(text.to_owned());
        self.codes.insert(text.to_owned(), code);
        code
    }
}

/// What no code stands for: no value.
pub const NONE: u32 = u32::MAX;

/// Pages, most viewed first.
pub struct Pages {
    pub paths: Values,
    pub titles: Values,
    pub choice: Choice,
}

/// Codes of what a visitor's address tells.
#[derive(Clone, Copy)]
pub struct City {
    pub city: u32,
    pub region: u32,
}

pub struct Country {
    pub utc_offset_hours: f64,
    pub cities: Vec<City>,
    city_choice: Choice,
    languages: [u32; 2],
    own_language_share: f64,
}

impl Country {
    pub fn city(&self, unit: f64) -> City {
        self.cities[self.city_choice.at(unit)]
    }

    /// Its own language for most, English for the others.
    pub fn language(&self, unit: f64) -> u32 {
        self.languages[usize::from(unit >= self.own_language_share)]
    }
}

pub struct Places {
    pub countries: Vec<Country>,
    pub choice: Choice,
    pub codes: Values,
    pub regions: Coded,
    pub cities: Coded,
    pub languages: Coded,
}

/// Codes of what a browser says about itself.
#[derive(Clone, Copy)]
pub struct Device {
    pub os: u32,
    pub os_version: u32,
    pub browser: u32,
    pub browser_version: u32,
    pub platform: u32,
    screens: &'static [&'static str],
}

impl Device {
    /// The screen of one of its owners; the first is the most usual.
    pub fn screen(&self, unit: f64) -> &'static str {
        self.screens[((unit * unit) * self.screens.len() as f64) as usize]
    }
}

#[derive(Default)]
pub struct Devices {
    pub list: Vec<Device>,
    pub os: Coded,
    pub os_versions: Coded,
    pub browsers: Coded,
    pub browser_versions: Coded,
    pub platforms: Coded,
    weights: Vec<f64>,
}

impl Devices {
    pub fn choice(&self) -> Choice {
        Choice::new(self.weights.iter().copied())
    }
}

pub struct Referrers {
    pub urls: Values,
    pub names: Coded,
    /// The name of each URL.
    pub name_of: Vec<u32>,
    pub channel_of: Vec<&'static str>,
    pub choice: Choice,
}

/// Values of the five campaign parameters.
pub struct Campaigns {
    pub sources: Values,
    pub mediums: Values,
    pub campaigns: Values,
    pub contents: Values,
    pub terms: Values,
}

/// Custom events: each has some of the keys.
pub struct Events {
    pub names: Values,
    pub keys: Values,
    pub values: Vec<Values>,
    pub value_choices: Vec<Choice>,
    pub keys_of: Vec<Vec<usize>>,
    pub choice: Choice,
}

pub struct World {
    pub pages: Pages,
    pub places: Places,
    pub devices: Devices,
    pub device_choice: Choice,
    pub referrers: Referrers,
    pub campaigns: Campaigns,
    pub events: Events,
}

const PAGES: usize = 20_000;

impl World {
    pub fn new() -> Self {
        let random = &mut Random::new(7);
        let words: Values = (0..1_200).map(|at| random.word(2 + at % 2)).collect();
        let devices = devices();
        Self {
            pages: pages(random, &words),
            places: places(random),
            device_choice: devices.choice(),
            devices,
            referrers: referrers(random, &words),
            campaigns: campaigns(&words),
            events: events(&words),
        }
    }
}

fn pages(random: &mut Random, words: &[String]) -> Pages {
    let fixed = [
        "/",
        "/pricing",
        "/blog",
        "/docs",
        "/features",
        "/signup",
        "/about",
        "/checkout",
        "/contact",
        "/login",
    ];
    let mut paths = Coded::default();
    let mut titles = Values::new();
    for path in fixed {
        paths.code(path);
        titles.push(if path == "/" { "Start".to_owned() } else { capitalised(&path[1..]) });
    }
    while titles.len() < PAGES {
        let word = |random: &mut Random| words[random.below(words.len())].clone();
        let [one, two, three] = [word(random), word(random), word(random)];
        let path = match random.below(10) {
            0..=3 => {
                format!("/blog/{}/{:02}/{one}-{two}-{three}", 2016 + random.below(9), 1 + random.below(12))
            }
            4..=6 => format!("/docs/{}/{one}-{two}", words[random.below(24)]),
            7 | 8 => format!("/products/{}/{one}-{}", words[random.below(40)], 1_000 + random.below(90_000)),
            _ => format!("/help/{one}/{two}"),
        };
        if paths.code(&path) as usize == titles.len() {
            titles.push(format!("{} {two} {three} | Example", capitalised(&one)));
        }
    }
    Pages { paths: paths.values, titles, choice: Choice::zipf(PAGES, 1.05) }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Code, visitors' weight, hours from UTC, language, its share.
const COUNTRIES: [(&str, f64, f64, &str, f64); 48] = [
    ("us", 24.0, -6.0, "en", 0.9),
    ("de", 9.0, 1.0, "de", 0.85),
    ("gb", 7.0, 0.0, "en", 0.95),
    ("in", 7.0, 5.5, "hi", 0.3),
    ("fr", 5.0, 1.0, "fr", 0.9),
    ("jp", 4.0, 9.0, "ja", 0.95),
    ("br", 4.0, -3.0, "pt", 0.93),
    ("ca", 3.5, -5.0, "en", 0.8),
    ("nl", 2.5, 1.0, "nl", 0.7),
    ("au", 2.5, 10.0, "en", 0.95),
    ("es", 2.3, 1.0, "es", 0.9),
    ("it", 2.2, 1.0, "it", 0.9),
    ("pl", 2.0, 1.0, "pl", 0.9),
    ("mx", 1.6, -6.0, "es", 0.92),
    ("cn", 1.5, 8.0, "zh", 0.95),
    ("kr", 1.4, 9.0, "ko", 0.94),
    ("id", 1.4, 7.0, "id", 0.85),
    ("se", 1.2, 1.0, "sv", 0.75),
    ("ch", 1.2, 1.0, "de", 0.65),
    ("at", 1.0, 1.0, "de", 0.88),
    ("tr", 1.0, 3.0, "tr", 0.92),
    ("ua", 1.0, 2.0, "uk", 0.7),
    ("ar", 0.8, -3.0, "es", 0.95),
    ("be", 0.8, 1.0, "nl", 0.55),
    ("za", 0.7, 2.0, "en", 0.92),
    ("ng", 0.7, 1.0, "en", 0.95),
    ("sg", 0.7, 8.0, "en", 0.85),
    ("vn", 0.7, 7.0, "vi", 0.9),
    ("co", 0.6, -5.0, "es", 0.95),
    ("dk", 0.6, 1.0, "da", 0.75),
    ("no", 0.6, 1.0, "nb", 0.75),
    ("fi", 0.6, 2.0, "fi", 0.75),
    ("cz", 0.6, 1.0, "cs", 0.88),
    ("ro", 0.6, 2.0, "ro", 0.8),
    ("pt", 0.6, 0.0, "pt", 0.88),
    ("ie", 0.5, 0.0, "en", 0.95),
    ("il", 0.5, 2.0, "he", 0.75),
    ("hu", 0.4, 1.0, "hu", 0.88),
    ("gr", 0.4, 2.0, "el", 0.8),
    ("th", 0.4, 7.0, "th", 0.9),
    ("eg", 0.4, 2.0, "ar", 0.8),
    ("nz", 0.4, 12.0, "en", 0.95),
    ("cl", 0.4, -4.0, "es", 0.95),
    ("ke", 0.3, 3.0, "en", 0.95),
    ("bg", 0.3, 2.0, "bg", 0.8),
    ("pe", 0.2, -5.0, "es", 0.95),
    ("lt", 0.2, 2.0, "lt", 0.75),
    ("is", 0.1, 0.0, "is", 0.8),
];

fn places(random: &mut Random) -> Places {
    let (mut regions, mut cities, mut languages) = (Coded::default(), Coded::default(), Coded::default());
    let english = languages.code("en");
    let countries = COUNTRIES.map(|(_, weight, utc_offset_hours, language, own_language_share)| {
        let own_regions: Vec<u32> =
            (0..4 + weight as usize).map(|_| regions.code(&capitalised(&random.word(3)))).collect();
        let count = 6 + (weight * 50.0) as usize;
        // Names recur in other countries, as they do on Earth.
        let own_cities: Vec<City> = (0..count)
            .map(|at| {
                let name = capitalised(&random.word(2 + at % 3));
                City { city: cities.code(&name), region: own_regions[random.below(own_regions.len())] }
            })
            .collect();
        Country {
            utc_offset_hours,
            city_choice: Choice::zipf(own_cities.len(), 0.95),
            cities: own_cities,
            languages: [languages.code(language), english],
            own_language_share,
        }
    });
    Places {
        countries: countries.into(),
        choice: Choice::new(COUNTRIES.map(|(_, weight, ..)| weight)),
        codes: COUNTRIES.map(|(code, ..)| code.to_owned()).into(),
        regions,
        cities,
        languages,
    }
}

struct Family {
    os: &'static str,
    os_versions: &'static [&'static str],
    platform: &'static str,
    screens: &'static [&'static str],
    /// Name, latest version, weight.
    browsers: &'static [(&'static str, usize, f64)],
}

const FAMILIES: [Family; 7] = [
    Family {
        os: "Windows",
        os_versions: &["10", "11", "7", "8.1"],
        platform: "desktop",
        screens: &["Full HD", "HD", "WQHD", "UHD 4K"],
        browsers: &[("Chrome", 126, 20.0), ("Edge", 126, 7.0), ("Firefox", 127, 4.0), ("Opera", 111, 1.5)],
    },
    Family {
        os: "Mac",
        os_versions: &["10.15", "14.5", "13.6", "12.7", "11.7"],
        platform: "desktop",
        screens: &["WQHD", "Full HD", "HD", "UHD 5K"],
        browsers: &[("Safari", 18, 6.0), ("Chrome", 126, 6.0), ("Firefox", 127, 1.0)],
    },
    Family {
        os: "Linux",
        os_versions: &[""],
        platform: "desktop",
        screens: &["Full HD", "WQHD", "UHD 4K"],
        browsers: &[("Firefox", 127, 1.5), ("Chrome", 126, 1.5)],
    },
    Family {
        os: "Chrome OS",
        os_versions: &["14541.0", "15886.44"],
        platform: "desktop",
        screens: &["HD", "Full HD"],
        browsers: &[("Chrome", 126, 1.0)],
    },
    Family {
        os: "Android",
        os_versions: &["10", "14", "13", "12", "11", "9"],
        platform: "mobile",
        screens: &["XS", "S", "M", "L"],
        browsers: &[
            ("Chrome", 126, 21.0),
            ("Samsung Internet", 25, 4.0),
            ("Firefox", 127, 0.5),
            ("Opera", 82, 0.5),
        ],
    },
    Family {
        os: "iOS",
        os_versions: &["17.5", "17.4", "16.7", "18.0", "15.8"],
        platform: "mobile",
        screens: &["XS", "S", "L", "XL"],
        browsers: &[("Safari", 18, 20.0), ("Chrome", 126, 3.0), ("Facebook", 468, 1.0)],
    },
    Family { os: "", os_versions: &[""], platform: "unknown", screens: &[""], browsers: &[("", 1, 0.7)] },
];

/// Each system with each browser in its latest versions; most have the newest.
fn devices() -> Devices {
    let mut devices = Devices::default();
    for family in &FAMILIES {
        for (nth_os, os_version) in family.os_versions.iter().enumerate() {
            for &(browser, latest, weight) in family.browsers {
                for behind in 0..latest.min(12) {
                    let version =
                        if browser.is_empty() { String::new() } else { format!("{}.0", latest - behind) };
                    let device = Device {
                        os: devices.os.code(family.os),
                        os_version: devices.os_versions.code(os_version),
                        browser: devices.browsers.code(browser),
                        browser_version: devices.browser_versions.code(&version),
                        platform: devices.platforms.code(family.platform),
                        screens: family.screens,
                    };
                    devices.list.push(device);
                    devices.weights.push(weight * 0.5_f64.powi(behind as i32) * 0.55_f64.powi(nth_os as i32));
                }
            }
        }
    }
    devices
}

/// URL, name, weight, channel.
const KNOWN_REFERRERS: [(&str, &str, f64, &str); 16] = [
    ("", "", 45.0, "Direct"),
    ("https://www.google.com/", "Google", 22.0, "Organic Search"),
    ("https://www.google.de/", "Google", 2.0, "Organic Search"),
    ("https://www.google.co.uk/", "Google", 1.5, "Organic Search"),
    ("https://www.bing.com/", "Bing", 2.5, "Organic Search"),
    ("https://duckduckgo.com/", "DuckDuckGo", 1.8, "Organic Search"),
    ("https://search.yahoo.com/", "Yahoo!", 0.5, "Organic Search"),
    ("https://l.facebook.com/", "Facebook", 2.5, "Organic Social"),
    ("https://m.facebook.com/", "Facebook", 1.0, "Organic Social"),
    ("https://t.co/", "Twitter", 2.0, "Organic Social"),
    ("https://www.linkedin.com/", "LinkedIn", 1.5, "Organic Social"),
    ("https://www.reddit.com/", "Reddit", 1.4, "Organic Social"),
    ("https://www.youtube.com/", "YouTube", 1.0, "Organic Video"),
    ("https://news.ycombinator.com/", "Hacker News", 0.8, "Referral"),
    ("https://github.com/", "GitHub", 0.8, "Referral"),
    ("https://chatgpt.com/", "ChatGPT", 0.6, "Referral"),
];
const OTHER_REFERRERS: usize = 6_000;

fn referrers(random: &mut Random, words: &[String]) -> Referrers {
    let mut names = Coded::default();
    let (mut urls, mut name_of, mut channel_of, mut weights) =
        (Values::new(), Vec::new(), Vec::new(), Vec::new());
    for (url, name, weight, channel) in KNOWN_REFERRERS {
        urls.push(url.to_owned());
        name_of.push(if name.is_empty() { NONE } else { names.code(name) });
        channel_of.push(channel);
        weights.push(weight);
    }
    let hosts = Choice::zipf(2_500, 0.8);
    for rank in 1..=OTHER_REFERRERS {
        let host = hosts.draw(random);
        let name =
            format!("{}{host}.{}", words[host % words.len()], ["com", "org", "net", "dev", "blog"][host % 5]);
        urls.push(format!("https://{name}/{}-{rank}", words[random.below(words.len())]));
        name_of.push(names.code(&name));
        channel_of.push("Referral");
        weights.push(0.4 * (rank as f64).powf(-0.6));
    }
    Referrers { urls, names, name_of, channel_of, choice: Choice::new(weights) }
}

fn campaigns(words: &[String]) -> Campaigns {
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Values>();
    let made = |from: usize, count: usize, second: usize| {
        (0..count)
            .map(move |at| format!("{}-{}", words[from + at], words[second + at % 7]))
            .collect::<Values>()
    };
    let mut sources =
        list(&["google", "newsletter", "facebook", "linkedin", "bing", "youtube", "reddit", "partner"]);
    sources.extend(words[..16].iter().cloned());
    Campaigns {
        sources,
        mediums: list(&["cpc", "email", "social", "referral", "display", "affiliate", "video", "organic"]),
        campaigns: made(20, 200, 900),
        contents: made(300, 60, 910),
        terms: made(400, 500, 920),
    }
}

fn events(words: &[String]) -> Events {
    let fixed = [
        "Button Clicked",
        "Signup",
        "Outbound Link",
        "Scroll Depth",
        "Video Played",
        "File Download",
        "Add to Cart",
        "Form Submitted",
        "Search",
        "Purchase",
    ];
    let mut names: Values = fixed.map(str::to_owned).into();
    names.extend((0..20).map(|at| format!("{} {}", capitalised(&words[at]), words[at + 50])));
    // How many values each key has.
    let keys = [
        ("value", 1_000),
        ("label", 40),
        ("variant", 2),
        ("plan", 4),
        ("target", 800),
        ("depth", 5),
        ("query", 600),
        ("position", 6),
    ];
    let values = keys.iter().enumerate().map(|(nth, &(key, count))| {
        let value = |at: usize| match key {
            "value" => (7 * at + at * at % 5).to_string(),
            "depth" => (20 * (at + 1)).to_string(),
            _ => format!("{}-{at}", words[(at + 60 * nth) % words.len()]),
        };
        (0..count).map(value).collect::<Values>()
    });
    // The first event always has the first key; the others one to four of them.
    let keys_of = (0..names.len()).map(|event| {
        let count = 1 + hash(event as u64, 1) as usize % 4;
        (0..count).map(|nth| (event + nth * (1 + event % 2)) % keys.len()).collect()
    });
    Events {
        values: values.collect(),
        value_choices: keys.iter().map(|&(_, count)| Choice::zipf(count, 0.9)).collect(),
        keys_of: keys_of.collect(),
        choice: Choice::zipf(names.len(), 0.85),
        keys: keys.map(|(key, _)| key.to_owned()).into(),
        names,
    }
}
