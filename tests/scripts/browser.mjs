// The scripts in a real browser: Chromium loads pages of other origins, whose scripts the server under test serves, and
// a visitor clicks, navigates, goes back, downloads and leaves. The statistics must then show exactly that.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { Web, integrity, request } from "./web.mjs";

/**
 * What tests/clients.rs tells.
 * @type {{ url: string, chromium: string, folder: string, sites: Record<string,
 *     { id: string, client_id: string, client_secret: string, identification_code: string }> }}
 */
const about = JSON.parse(process.env.HITSTONE_SERVER ?? "{}");
/** Nobody's hands are faster, and a busy machine needs as much. */
const PATIENCE_MS = 20_000;
/** Chromium's version, for headers that contradict each other are a program's. */
const [, MAJOR] = execFileSync(about.chromium, ["--version"], { encoding: "utf8", stdio: "pipe" }).match(/ (\d+)\./);
/** By its own it would call itself headless. */
const USER_AGENT =
    `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${MAJOR}.0.0.0 Safari/537.36`;
const DAY_MS = 86_400_000;

const LINKS = `
    <a id="inside" href="/inside">inside</a>
    <a id="outside" href="http://elsewhere.test/there?secret=1#x" target="_blank">outside</a>
    <a id="file" href="/files/report.pdf">a file</a>
    <a id="marked-file" href="/files/report.pdf" download>a file</a>
    <a id="mail" href="mailto:a@b.test">mail</a>
    <button id="buy" data-hs="Buy" data-hs-plan="big" data-hs-page-count="3" data-secret="1"><b>Buy</b></button>
    <button id="rate" data-pirsch-event="Rate" data-pirsch-meta-stars="5" data-pirsch-duration="7">Rate</button>`;

let web;
let browser;

/** The tag of a script of the server under test. */
async function tag(path, attributes, base = about.url) {
    const { status, body } = await request("GET", about.url + path);
    assert.equal(status, 200);
    // With `integrity` browsers need the server's leave to read the script, which it must give.
    return `<script defer src="${base}${path}" integrity="${integrity(body)}" crossorigin="anonymous" ${attributes}></script>`;
}

/** Nothing but what the script needs. */
const strict = (host) => `default-src 'none'; script-src ${host}; connect-src ${host}; img-src ${host}`;

before(async () => {
    const tags = {
        "own.test": await tag("/hs.js", 'data-tag-author="Ann"'),
        "hash.test": await tag("/hs.js", "data-hash"),
        "manual.test": await tag("/hs.js", "data-manual"),
        "quiet.test": await tag("/hs.js", 'data-outbound="false" data-downloads="false" data-time="false"'),
        "first.test": await tag("/hs.js", 'data-site="own.test"', "/stats"),
        "prisme.test": await tag("/static/wa.js", ""),
        "pirsch.test": await tag("/pa.js", `id="pianjs" data-code="${about.sites["pirsch.test"].identification_code}"
            data-tag-author="Ann" data-path-prefix="/de" data-enable-sessions data-interval-ms="500"`),
    };
    // What people also write.
    const odd = (more) => tag("/hs.js", `data-time="false" ${more}`);
    tags["odd.test/twice"] = (await odd("")).repeat(2) + (await odd("")).replace("defer", "async");
    tags["odd.test/star"] = await odd('data-downloads="*" id="hitstone"');
    tags["odd.test/module"] = (await odd("")).replace("defer", 'type="module"');
    // Pirsch's attributes, each set on a page of its own.
    const pirsch = {
        "/less?x=1": "data-disable-query data-disable-referrer data-disable-resolution data-disable-history",
        "/silent": "data-disable-page-views data-disable-outbound-links data-disable-downloads",
        "/private/x": 'data-exclude="^/private, ^/secret"',
        "/included": 'data-include="^/(included|b)$"',
        "/several": 'data-domain="other.test:B" data-path-suffix=",/2" data-title-prefix="x ,y " data-tag="a,b"',
        "/named": `data-outbound-link-event-name="Out" data-download-event-name="File" data-not-found-event-name="Gone"
            data-hit-endpoint="${about.url}/other/hit" data-event-endpoint="${about.url}/other/event"`,
        "/dev": 'data-dev="example.com"',
        "/plain": "",
    };
    for (const path in pirsch) {
        tags["tags.test" + path.split("?")[0]] = await tag("/pa.js", `id="pianjs" data-code="A" ${pirsch[path]}`);
    }
    const pixel = `<noscript><img src="${about.url}/api/v1/noscript/events/pageviews" alt=""
        referrerpolicy="no-referrer-when-downgrade"></noscript>`;
    web = await Web.start(about.url, (host, path) => {
        if (host === "search.test") return { body: `<a id="found" href="http://own.test/a?utm_source=letter">found</a>` };
        const isMissing = path === "/missing";
        const script = (tags[host] ?? tags[host + path] ?? "").replace("defer", isMissing ? 'defer data-status="404"' : "defer");
        return {
            head: script,
            body: LINKS + (host === "noscript.test" ? pixel : ""),
            status: isMissing ? 404 : 200,
            policy: strict(host === "first.test" ? "'self'" : about.url),
        };
    });
    browser = await chromium.launch({
        executablePath: about.chromium,
        args: [
            // Host names without ports, so that pages have the addresses that sites have.
            `--host-resolver-rules=MAP *.test:80 127.0.0.1:${web.port}`,
            "--no-proxy-server",
            // What Playwright can set for a page does not hold for what is sent when the page is left.
            `--user-agent=${USER_AGENT}`,
        ],
        // Playwright forbids pages that are kept whole.
        ignoreDefaultArgs: ["--disable-back-forward-cache"],
    });
});

after(async () => {
    await browser?.close();
    web?.stop();
});

/** A visitor, with a note of all that is reported for it. */
async function visit(options = {}) {
    const context = await browser.newContext({
        viewport: { width: 1280, height: 720 },
        screen: { width: 1920, height: 1080 },
        locale: "fr-CH",
        ...options,
    });
    const page = await context.newPage();
    const visitor = { context, page, sent: [], answered: [], failed: [] };
    const isReport = (asked) => !/\.js$/.test(asked.url()) && asked.url().startsWith(about.url);
    context.on("request", (asked) => isReport(asked) && visitor.sent.push(asked));
    context.on("requestfinished", (asked) => isReport(asked) && visitor.answered.push(asked));
    page.on("pageerror", (error) => visitor.failed.push(String(error)));
    page.on("console", (message) => message.type() === "error" && visitor.failed.push(message.text()));
    return visitor;
}

/** Until so many reports have been answered, and none more. */
async function reports(visitor, count) {
    await until(() => visitor.answered.length >= count, () => `${visitor.answered.length} of ${count} reports`);
    await sleep(100);
    assert.deepEqual(visitor.sent.map((asked) => asked.url() + " " + (asked.postData() ?? "")).length, count,
        visitor.sent.map((asked) => asked.url() + " " + (asked.postData() ?? "")).join("\n"));
    for (const asked of visitor.answered) assert.equal((await asked.response()).status(), 200, asked.url());
}

async function until(holds, what) {
    const end = Date.now() + PATIENCE_MS;
    while (!(await holds())) {
        if (Date.now() > end) assert.fail(await what());
        await sleep(50);
    }
}

const tokens = {};

/** A statistic of a site over the days around now. */
async function statistic(host, name, more = "") {
    const site = about.sites[host];
    const { client_id, client_secret } = site;
    tokens[host] ??= JSON.parse((await request("POST", `${about.url}/api/v1/token`, {},
        JSON.stringify({ client_id, client_secret }))).body).access_token;
    const day = (shift) => new Date(Date.now() + shift * DAY_MS).toISOString().slice(0, 10);
    const range = `id=${site.id}&from=${day(-1)}&to=${day(1)}${more}`;
    const answer = await request("GET", `${about.url}/api/v1/statistics/${name}?${range}`,
        { Authorization: `Bearer ${tokens[host]}` });
    assert.equal(answer.status, 200, `${name}: ${answer.body}`);
    return JSON.parse(answer.body);
}

const numbers = (list, key, value) => Object.fromEntries(list.map((item) => [item[key], item[value]]));
const pages = async (host) => numbers(await statistic(host, "page"), "path", "views");
const events = async (host) => numbers(await statistic(host, "events"), "name", "count");
const meta = async (host, name, key) => numbers(
    await statistic(host, "event/meta", `&event=${encodeURIComponent(name)}&event_meta_key=${key}`), "meta_value", "count");
const totals = async (host) => {
    const { visitors, sessions, views } = await statistic(host, "total");
    return { visitors, sessions, views };
};

/** The address that a page shows. */
const go = (page, url) => page.evaluate((url) => history.pushState(null, "", url), url);

/** Clicks on what opens another page, and closes that. */
async function clickOutside({ context, page }, options = {}) {
    const [opened] = await Promise.all([context.waitForEvent("page"), page.click("#outside", options)]);
    await opened.close();
}

async function download({ page }, selector) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
    await file.cancel();
}

test("our own script", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await page.goto("http://search.test/");
    await page.click("#found");
    await reports(visitor, 1);
    await go(page, "/b?x=1");
    await page.evaluate(() => history.replaceState(null, "", "/c"));
    // The same page, and a place on it.
    await page.evaluate(() => history.replaceState({ x: 1 }, "", "/c"));
    await page.evaluate(() => { location.hash = "#place"; });
    await reports(visitor, 3);
    // What is typed into a search stays on the page: that of "/c" before is still the last one.
    for (const typed of ["b", "bo", "boo", ""]) {
        await page.evaluate((typed) => history.replaceState(null, "", `?q=${typed}`), typed);
        await sleep(20);
    }
    await page.evaluate(() => history.replaceState(null, "", "/c"));
    await reports(visitor, 3);
    await page.goBack();
    await page.goBack();
    await reports(visitor, 4);
    await clickOutside(visitor);
    await download(visitor, "#file");
    await page.click("#buy b");
    await page.click("#mail");
    await page.evaluate(() => window.hitstone("Sign up", { n: 1, of: { x: "y" } }));
    await reports(visitor, 8);
    await page.click("#inside");
    await until(async () => (await pages("own.test"))["/inside"], () => "no next page");
    await page.goto("http://own.test/missing");
    await until(async () => (await events("own.test"))["404 Page Not Found"], () => "no missing page");
    // Only leaving tells how long the last page was looked at.
    const duration = async () => (await statistic("own.test", "session/list"))[0].duration_seconds;
    const known = await duration();
    await sleep(1_100);
    assert.equal(await duration(), known);
    await page.goto("about:blank");
    await until(async () => (await duration()) > known, () => "leaving was not told");

    assert.deepEqual(await pages("own.test"), { "/a": 2, "/b": 1, "/c": 1, "/inside": 1, "/missing": 1 });
    assert.deepEqual(await totals("own.test"), { visitors: 1, sessions: 1, views: 6 });
    assert.deepEqual(await events("own.test"),
        { "Outbound Link Click": 1, "File Download": 1, "Buy": 1, "Sign up": 1, "404 Page Not Found": 1 });
    assert.deepEqual(await meta("own.test", "Outbound Link Click", "url"), { "http://elsewhere.test/there": 1 });
    assert.deepEqual(await meta("own.test", "File Download", "url"), { "http://own.test/files/report.pdf": 1 });
    assert.deepEqual(await meta("own.test", "Buy", "plan"), { big: 1 });
    assert.deepEqual(await meta("own.test", "Buy", "page-count"), { 3: 1 });
    assert.deepEqual(await meta("own.test", "Sign up", "of.x"), { y: 1 });
    assert.deepEqual(await meta("own.test", "404 Page Not Found", "path"), { "/missing": 1 });
    assert.deepEqual(numbers(await statistic("own.test", "referrer"), "referrer", "visitors"), { "http://search.test": 1 });
    assert.deepEqual(numbers(await statistic("own.test", "utm/source"), "utm_source", "visitors"), { letter: 1 });
    assert.deepEqual(numbers(await statistic("own.test", "screen"), "screen_class", "visitors"), { "Full HD": 1 });
    assert.deepEqual(numbers(await statistic("own.test", "browser"), "browser", "visitors"), { Chrome: 1 });
    assert.deepEqual(numbers(await statistic("own.test", "language"), "language", "visitors"), { fr: 1 });
    assert.deepEqual(numbers(await statistic("own.test", "tags"), "key", "views"), { author: 6 });
    const [session] = await statistic("own.test", "session/list");
    assert.equal(session.entry_path, "/a");
    assert.equal(session.exit_path, "/missing");
    assert.equal(session.entry_title, "/a");

    assert.deepEqual(await context.cookies(), []);
    assert.deepEqual((await context.storageState()).origins, []);
    // The browser's own word for the page that is not there.
    assert.deepEqual(visitor.failed.filter((text) => !text.includes("404")), []);
    assert.ok(visitor.sent.every((asked) => !asked.postData()?.includes("secret")), "only what is marked is sent");
    await context.close();
});

test("one request a page view, and no time lost", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await browser.startTracing(page, { categories: ["devtools.timeline"] });
    await page.goto("http://quiet.test/");
    await reports(visitor, 1);
    await clickOutside(visitor);
    await download(visitor, "#file");
    await go(page, "/b");
    await reports(visitor, 2);
    const { traceEvents } = JSON.parse(await browser.stopTracing());
    const ours = traceEvents.filter(({ name, args }) =>
        ["EvaluateScript", "FunctionCall", "v8.compile"].includes(name) && args?.data?.url?.endsWith("/hs.js"));
    assert.ok(ours.some(({ name }) => name === "EvaluateScript") && ours.some(({ name }) => name === "FunctionCall"));
    // Of the processor: what others do meanwhile is not the script's.
    for (const { name, tdur } of ours) assert.ok((tdur ?? 0) < 5_000, `${name}: ${tdur} µs`);
    assert.deepEqual(await pages("quiet.test"), { "/": 1, "/b": 1 });
    assert.deepEqual(await events("quiet.test"), {});
    assert.deepEqual(visitor.failed, []);
    await context.close();
});

test("a page that was kept whole is seen again", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await page.goto("http://hash.test/kept");
    await reports(visitor, 1);
    await page.goto("http://hash.test/next");
    const viewsOf = async (path) => (await pages("hash.test"))[path];
    await until(async () => (await viewsOf("/next")) === 1, () => "no next page");
    // It is not loaded again.
    await page.goBack({ waitUntil: "commit" });
    await until(async () => (await viewsOf("/kept")) === 2, async () => JSON.stringify(await pages("hash.test")));
    assert.equal(await viewsOf("/next"), 1);
    await context.close();
});

test("fragments as pages", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await page.goto("http://hash.test/app#/users?y=2");
    await reports(visitor, 1);
    await page.evaluate(() => { location.hash = "#/help"; });
    await reports(visitor, 2);
    await page.evaluate(() => history.replaceState(null, "", "#/found"));
    await reports(visitor, 3);
    await page.goBack();
    await reports(visitor, 4);
    const { "/app#/users": users, "/app#/help": help, "/app#/found": found } = await pages("hash.test");
    assert.deepEqual({ users, help, found }, { users: 2, help: 1, found: 1 });
    await context.close();
});

test("what people also write", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    // What asks the browser's other processes must not hold up the page that is being read.
    await context.addInitScript(() => {
        const { localStorage } = window;
        window.early = 0;
        Object.defineProperty(window, "localStorage", {
            get() {
                window.early += document.currentScript ? 1 : 0;
                return localStorage;
            },
        });
    });
    await page.goto("http://odd.test/twice");
    await go(page, "/b");
    await clickOutside(visitor);
    await reports(visitor, 3);
    assert.equal(await page.evaluate(() => window.early), 0);
    await page.goto("http://odd.test/star");
    await reports(visitor, 4);
    await clickOutside(visitor);
    await download(visitor, "#marked-file");
    await reports(visitor, 6);
    await page.goto("http://odd.test/module");
    await sleep(200);
    await reports(visitor, 6);
    assert.deepEqual(await pages("odd.test"), { "/twice": 1, "/b": 1, "/star": 1 });
    assert.deepEqual(await events("odd.test"), { "Outbound Link Click": 2, "File Download": 1 });
    assert.deepEqual(visitor.failed, []);
    await context.close();
});

test("by hand", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await page.goto("http://manual.test/");
    await go(page, "/b");
    await reports(visitor, 0);
    await page.evaluate(() => { window.hitstone(); window.hitstone(); });
    await reports(visitor, 2);
    assert.deepEqual(await pages("manual.test"), { "/b": 2 });
    await context.close();
});

test("visitors who ask not to be counted", async () => {
    const before = await totals("quiet.test");
    for (const wish of [
        () => Object.defineProperty(navigator, "doNotTrack", { value: "1" }),
        () => Object.defineProperty(navigator, "globalPrivacyControl", { value: true }),
        () => { if (location.host) localStorage.hitstone = "off"; },
    ]) {
        const visitor = await visit();
        await visitor.context.addInitScript(wish);
        await visitor.page.goto("http://quiet.test/");
        await visitor.page.evaluate(() => window.hitstone("x"));
        await go(visitor.page, "/b");
        await sleep(200);
        await reports(visitor, 0);
        await visitor.context.close();
    }
    assert.deepEqual(await totals("quiet.test"), before);
});

test("over a path of the site's own, where the first answers are lost", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await context.addCookies([{ name: "own", value: "secret", url: "http://first.test/" }]);
    web.failing = 1;
    await page.goto("http://first.test/p");
    const posts = () => web.passed.filter(({ target }) => target === "/hs");
    await until(() => posts().length >= 2, () => `${posts().length} reports`);
    await reports(visitor, 0);
    assert.deepEqual(await totals("own.test"), { visitors: 2, sessions: 2, views: 7 });
    assert.equal((await pages("own.test"))["/p"], 1);
    await page.goto("about:blank");
    const left = () => posts().filter(({ body }) => JSON.parse(body).left);
    await until(() => left().length === 1, () => "no beacon");
    assert.ok(posts().length === 3 && new Set(posts().map(({ body }) => JSON.parse(body).id)).size === 2);
    await context.close();
});

test("Prisme's tag", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    await page.goto("http://prisme.test/a");
    await go(page, "/b");
    await page.goBack();
    await clickOutside(visitor, { button: "middle" });
    await download(visitor, "#marked-file");
    await page.evaluate(() => window.prisme.trigger("Sign up", { of: { x: "y" } }));
    await page.click("#inside");
    await page.waitForURL("**/inside");
    await reports(visitor, 7);
    await page.goto("http://prisme.test/missing");
    await reports(visitor, 8);
    assert.deepEqual(await pages("prisme.test"), { "/a": 2, "/b": 1, "/inside": 1, "/missing": 1 });
    assert.deepEqual(await totals("prisme.test"), { visitors: 1, sessions: 1, views: 5 });
    assert.deepEqual(await events("prisme.test"), { "Outbound Link Click": 1, "File Download": 1, "Sign up": 1 });
    assert.deepEqual(await meta("prisme.test", "Sign up", "of.x"), { y: 1 });
    assert.deepEqual(visitor.failed.filter((text) => !text.includes("404")), []);
    await context.close();
});

test("Pirsch's tag", async () => {
    const visitor = await visit();
    const { context, page } = visitor;
    const code = about.sites["pirsch.test"].identification_code;
    const calls = (name) => visitor.sent.map((asked) => new URL(asked.url())).filter(({ pathname }) => pathname === name);
    await page.goto("http://pirsch.test/a?x=1");
    await go(page, "/b");
    await page.goBack();
    await until(() => calls("/hit").length >= 3, () => "no page views");
    await page.click("#rate");
    await clickOutside(visitor);
    await download(visitor, "#file");
    await page.evaluate(() => window.pirsch("Sign up", { duration: 3, meta: { n: 1 }, non_interactive: true }));
    await page.evaluate(() => window.pirschNotFound());
    await until(() => calls("/event").length >= 5 && calls("/session").length >= 1, () => "no events, or no sessions");

    const views = calls("/hit").map(({ searchParams }) => Object.fromEntries(searchParams));
    assert.deepEqual(views.map(({ url }) => url),
        ["http://pirsch.test/de/a?x=1", "http://pirsch.test/de/b", "http://pirsch.test/de/a?x=1"]);
    for (const { code: said, w, h, tag_author, nc } of views) {
        assert.deepEqual({ said, w, h, tag_author }, { said: code, w: "1920", h: "1080", tag_author: "Ann" });
        assert.match(nc, /^\d+$/);
    }
    const bodies = visitor.sent.filter((asked) => asked.method() === "POST" && asked.url().endsWith("/event"))
        .map((asked) => JSON.parse(asked.postData()));
    const common = { identification_code: code, url: "http://pirsch.test/de/a?x=1", title: "/a", referrer: "",
        screen_width: 1920, screen_height: 1080 };
    const event = (event_name, event_meta, event_duration = 0, non_interactive = false) =>
        ({ ...common, event_name, event_meta: { author: "Ann", ...event_meta }, event_duration, non_interactive });
    assert.deepEqual(bodies, [
        event("Rate", { stars: "5" }, 7),
        event("Outbound Link Click", { url: "http://elsewhere.test/there?secret=1#x" }, 0, true),
        event("File Download", { file: "/files/report.pdf" }, 0, true),
        event("Sign up", { n: "1" }, 3, true),
        event("404 Page Not Found", { path: "/a" }),
    ]);
    await until(async () => Object.keys(await events("pirsch.test")).length === 5, () => "too few events");
    assert.deepEqual(await pages("pirsch.test"), { "/de/a": 2, "/de/b": 1 });
    assert.deepEqual(await totals("pirsch.test"), { visitors: 1, sessions: 1, views: 3 });
    assert.deepEqual(await meta("pirsch.test", "Rate", "stars"), { 5: 1 });
    assert.deepEqual(visitor.failed, []);
    await context.close();
});

test("the attributes of Pirsch's tag", async () => {
    /** What is asked of the server by a page with that tag, in short. */
    const sent = async (path, count, act = async () => {}, prepare = undefined) => {
        const visitor = await visit();
        const { context, page } = visitor;
        const answer = { status: 200, headers: { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*" } };
        await context.route(/\/(hit|event|session)(\?|$)/, (route) => route.fulfill(answer));
        if (prepare) await context.addInitScript(prepare);
        await page.goto("http://tags.test" + path, { referer: "http://search.test/" });
        await act(page, visitor);
        await until(() => visitor.sent.length >= count, () => `${visitor.sent.length} of ${count} calls`);
        await sleep(100);
        const calls = visitor.sent.map((asked) => {
            const { pathname, searchParams } = new URL(asked.url());
            const { nc: _, ...query } = Object.fromEntries(searchParams);
            return { call: pathname, ...(asked.method() === "GET" ? query : JSON.parse(asked.postData())) };
        });
        await context.close();
        assert.equal(calls.length, count, JSON.stringify(calls));
        return calls;
    };
    const said = (calls, ...names) => calls.map((call) => names.map((name) => call[name]));

    const [less] = await sent("/less?x=1", 1, (page) => go(page, "/b"));
    assert.deepEqual(less, { call: "/hit", code: "A", url: "http://tags.test/less", t: "/less", ref: "", w: "", h: "" });
    const silent = await sent("/silent", 1, async (page, visitor) => {
        await clickOutside(visitor);
        await download(visitor, "#file");
        await page.click("#rate");
    });
    assert.deepEqual(said(silent, "call", "event_name"), [["/event", "Rate"]]);
    await sent("/private/x", 0, (page) => page.evaluate(() => window.pirsch("x")));
    const [, inside] = await sent("/included", 2, async (page) => {
        await go(page, "/outside");
        await go(page, "/b");
    });
    assert.equal(inside.url, "http://tags.test/b");
    const several = await sent("/several", 4, (page) => page.evaluate(() => window.pirsch("x")));
    assert.deepEqual(said(several.filter(({ call }) => call === "/hit"), "code", "url", "t", "tag_a", "tag_b"), [
        ["A", "http://tags.test/several", "x /several", "1", "1"],
        ["B", "http://other.test/several/2", "y /several", "1", "1"],
    ]);
    assert.deepEqual(said(several.filter(({ call }) => call === "/event"), "identification_code", "url"),
        [["A", "http://tags.test/several"], ["B", "http://other.test/several/2"]]);
    const named = await sent("/named", 4, async (page, visitor) => {
        await clickOutside(visitor);
        await download(visitor, "#file");
        await page.evaluate(() => window.pirschNotFound());
    });
    assert.deepEqual(said(named, "call", "event_name"),
        [["/other/hit", undefined], ["/other/event", "Out"], ["/other/event", "File"], ["/other/event", "Gone"]]);
    assert.deepEqual(said(await sent("/dev", 1), "url"), [["http://example.com/dev"]]);
    assert.deepEqual(said(await sent("/plain", 1), "ref"), [["http://search.test/"]]);
    for (const wish of [
        () => Object.defineProperty(navigator, "doNotTrack", { value: "1" }),
        () => Object.defineProperty(navigator, "globalPrivacyControl", { value: true }),
        () => { if (location.host) localStorage.disable_pirsch = "1"; },
    ]) await sent("/plain", 0, (page) => page.evaluate(() => window.pirsch("x")), wish);
});

test("the page that shows what to install", async () => {
    const { context, page, failed } = await visit();
    const { client_id, client_secret, identification_code } = about.sites["own.test"];
    // A program, which the page is to tell of.
    const view = JSON.stringify({ url: "http://own.test/a" });
    assert.equal((await request("POST", `${about.url}/hs`, { "User-Agent": "curl/8.4.0" }, view)).status, 200);
    const answer = await page.goto(`${about.url}/install`);
    assert.match(answer.headers()["content-security-policy"], /default-src 'none'/);
    assert.equal(await page.isVisible("#site"), false);
    await page.fill("#client", client_id);
    await page.fill("#secret", client_secret.replace(/./, "?"));
    await page.click("#login button");
    await page.waitForFunction(() => document.querySelector("#fault").textContent);
    assert.equal(await page.isVisible("#site"), false);
    // The browser's own word for the refusal.
    assert.equal(failed.splice(0).length, 1);
    await page.fill("#secret", client_secret);
    await page.click("#login button");
    await page.waitForFunction(() => document.querySelector("#state").textContent.includes("Events arrive."));
    const texts = (selector) => page.locator(selector).allTextContents();
    assert.deepEqual(await texts("#fault"), [""]);
    assert.deepEqual(await texts("#host"), ["own.test"]);
    assert.deepEqual((await texts("#pages tbody td:first-child")).sort(),
        ["/a", "/b", "/c", "/inside", "/missing", "/p"]);
    assert.ok((await texts("#events tbody tr")).includes("Buy1"));
    const rejected = await texts("#rejected tbody tr");
    assert.ok(rejected.includes("It came from a program: library1"), rejected);
    const [sealed] = await texts("#sealed");
    assert.ok(sealed.startsWith((await tag("/hs.js", "")).replace(" >", ">")), sealed);
    assert.ok((await texts("#plain"))[0].startsWith(`<script defer src="${about.url}/hs.js"></script>`));
    assert.ok((await texts("#pirsch"))[0].includes(identification_code));
    assert.deepEqual(failed, []);
    await context.close();
});

test("a page without scripts", async () => {
    const visitor = await visit({ javaScriptEnabled: false });
    await visitor.page.goto("http://noscript.test/plain?utm_source=letter");
    await reports(visitor, 1);
    assert.deepEqual(await pages("noscript.test"), { "/plain": 1 });
    assert.deepEqual(numbers(await statistic("noscript.test", "utm/source"), "utm_source", "visitors"), { letter: 1 });
    await visitor.context.close();
});
