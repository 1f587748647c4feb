// Prisme's tag, as the server under test serves it, in pages that are just enough of pages for it. What it sends is held
// against what its attributes ask for, and goes to the server, which must take it.

import assert from "node:assert/strict";
import http from "node:http";
import test from "node:test";
import vm from "node:vm";

/** @type {{ url: string, user_agent: string }} */
const server = JSON.parse(process.env.HITSTONE_SERVER ?? "{}");
const EVENTS = "/api/v1/events/";

function request(method, url, headers = {}, body = undefined) {
    return new Promise((resolve, reject) => {
        const sent = http.request(url, { method, headers, agent: false }, (answer) => {
            const chunks = [];
            answer.on("data", (chunk) => chunks.push(chunk));
            const text = () => Buffer.concat(chunks).toString();
            answer.on("end", () => resolve({ status: answer.statusCode, text }));
        });
        sent.on("error", reject);
        sent.end(body);
    });
}

const tag = (await request("GET", `${server.url}/static/wa.js`)).text();

/** A page that has loaded the tag. */
class Page {
    sent = [];
    answers = [];
    listeners = {};

    constructor(address, { referrer = "", data = {}, storage = {}, links = [], prerendering = false } = {}) {
        const page = this;
        this.location = new URL(address);
        const listen = (name, listener) => (this.listeners[name] ??= []).push(listener);
        const document = {
            currentScript: { src: `${server.url}/static/wa.js`, dataset: data },
            referrer,
            prerendering,
            readyState: "interactive",
            addEventListener: listen,
            querySelectorAll: () => links,
        };
        this.window = {
            document,
            URL,
            history: { pushState: (_state, _title, url) => this.go(url) },
            addEventListener: listen,
            fetch: (url, options) => this.take(url, options),
            get location() {
                return page.location;
            },
            get localStorage() {
                if (storage === null) throw new Error("storage is forbidden");
                return storage;
            },
        };
        this.window.window = this.window;
        vm.runInNewContext(tag, this.window);
    }

    go(url) {
        this.location = new URL(url, this.location);
    }

    fire(name, event = {}) {
        for (const listener of this.listeners[name] ?? []) listener({ type: name, ...event });
    }

    click(link, event = {}) {
        this.fire(event.button === undefined || event.button === 0 ? "click" : "auxclick", {
            target: { closest: () => link },
            ...event,
        });
    }

    take(url, options) {
        const { method, keepalive, credentials, referrerPolicy, headers, body } = options;
        assert.deepEqual(
            { method, keepalive, credentials, referrerPolicy },
            { method: "POST", keepalive: true, credentials: "omit", referrerPolicy: "no-referrer-when-downgrade" },
        );
        assert.ok(url.startsWith(server.url + EVENTS), url);
        this.sent.push({ call: url.slice((server.url + EVENTS).length), ...headers, ...(body === undefined ? {} : { body }) });
        const more = { Origin: this.location.origin, "User-Agent": server.user_agent };
        const answer = request(method, url, { ...headers, ...more }, body);
        this.answers.push(answer);
        return answer;
    }

    /** What was sent since the last time; all of it was taken. */
    async told() {
        for (const answer of this.answers.splice(0)) {
            const { status, text } = await answer;
            assert.equal(status, 200, text());
        }
        return JSON.parse(JSON.stringify(this.sent.splice(0)));
    }
}

function link(href, { ping = undefined, download = false } = {}) {
    const attributes = { ...(ping === undefined ? {} : { ping }), ...(download ? { download: "" } : {}) };
    return {
        href,
        host: href.includes("//") ? new URL(href).host : "",
        hasAttribute: (name) => name in attributes,
        getAttribute: (name) => attributes[name],
        setAttribute: (name, value) => (attributes[name] = value),
    };
}

const view = (page, referrer = "", more = {}) => ({
    call: "pageviews",
    "X-Prisme-Document-Referrer": referrer,
    "X-Prisme-Status": "200",
    "X-Prisme-Referrer": page,
    ...more,
});

test("page views, and those of a page that changes", async () => {
    const page = new Page("https://page.test/a?x=1#top", { referrer: "https://search.test/?q=1" });
    assert.deepEqual(await page.told(), [view("https://page.test/a?x=1", "https://search.test/?q=1")]);
    page.window.history.pushState(null, "", "/b?y=2#z");
    assert.deepEqual(await page.told(), [view("https://page.test/b?y=2", "https://page.test/a?x=1")]);
    page.go("/a");
    page.fire("popstate");
    assert.deepEqual(await page.told(), [view("https://page.test/a", "https://page.test/b?y=2")]);
    assert.equal(page.window.prisme.pageview, undefined);
});

test("attributes", async () => {
    const data = { domain: "other.test", path: "/é", status: "404", visitorId: "user 7" };
    const page = new Page("https://page.test/a", { referrer: "https://page.test/from?z", data });
    const more = { "X-Prisme-Status": "404", "X-Prisme-Visitor-Id": "user 7" };
    const first = "https://other.test/%C3%A9";
    assert.deepEqual(await page.told(), [view(first, "https://other.test/from?z", more)]);
    // The path is the first page's, also for what happens on it.
    page.window.prisme.trigger("seen");
    const [seen] = await page.told();
    assert.equal(seen["X-Prisme-Referrer"], first);
    page.window.history.pushState(null, "", "/b");
    assert.deepEqual(await page.told(), [view("https://other.test/b", first, more)]);
});

test("another server", async () => {
    const data = { prismeUrl: `${server.url}/`, manual: "false" };
    assert.equal((await new Page("https://page.test/", { data }).told()).length, 1);
});

test("manual", async () => {
    const page = new Page("https://page.test/a", { data: { manual: "" }, referrer: "https://search.test/" });
    page.window.history.pushState(null, "", "/b");
    page.fire("popstate");
    page.click(link("https://elsewhere.test/"));
    assert.deepEqual(await page.told(), []);
    page.window.prisme.pageview();
    page.window.prisme.pageview({ domain: "d.test", path: "/c", status: 500, visitorId: "v" });
    page.window.prisme.pageview(null);
    const second = { "X-Prisme-Status": 500, "X-Prisme-Visitor-Id": "v" };
    assert.deepEqual(await page.told(), [
        view("https://page.test/b", "https://search.test/"),
        view("https://d.test/c", "https://page.test/b", second),
        view("https://page.test/b", "https://d.test/c"),
    ]);
});

test("custom events", async () => {
    const page = new Page("https://page.test/a");
    page.window.prisme.trigger("Sign up / é?", { plan: { name: "small" }, n: 1 }, { path: "/p", visitorId: "v" });
    page.window.prisme.trigger("bare");
    const [, full, bare] = await page.told();
    assert.deepEqual(full, {
        call: "custom/Sign%20up%20%2F%20%C3%A9%3F",
        "Content-Type": "application/json",
        "X-Prisme-Referrer": "https://page.test/p",
        "X-Prisme-Visitor-Id": "v",
        body: '{"plan":{"name":"small"},"n":1}',
    });
    assert.equal("body" in bare, false);
});

test("clicks", async () => {
    const page = new Page("https://page.test/a");
    await page.told();
    const calls = async () => (await page.told()).map(({ call, body }) => `${call} ${body}`);
    page.click(link("https://elsewhere.test/x?secret=1#y"));
    page.click(link("https://page.test/file.zip?v=1", { download: true }));
    page.click(link("https://elsewhere.test/file.zip", { download: true }), { button: 1 });
    assert.deepEqual(await calls(), [
        "outbound-links https://elsewhere.test/x#y",
        "file-downloads https://page.test/file.zip",
        "outbound-links https://elsewhere.test/file.zip",
        "file-downloads https://elsewhere.test/file.zip",
    ]);
    page.click(link("https://elsewhere.test/"), { button: 2 });
    page.click(link("https://page.test/b"));
    page.click(link("mailto:a@b.test"));
    page.click(null);
    page.fire("click", { target: {} });
    assert.deepEqual(await calls(), []);
    const quiet = new Page("https://page.test/", { data: { outboundLinks: "false", fileDownloads: "false" } });
    quiet.click(link("https://elsewhere.test/f", { download: true }));
    assert.equal((await quiet.told()).length, 1);
});

test("links that browsers would report by themselves", async () => {
    const own = `${server.url}${EVENTS}`;
    const ping = `${own}outbound-links https://other.test/ping  ${own}file-downloads`;
    for (const [data, wanted] of [
        [{}, "https://other.test/ping"],
        [{ outboundLinks: "false" }, `${own}outbound-links https://other.test/ping`],
        [{ manual: "" }, ping],
    ]) {
        const marked = link("https://elsewhere.test/", { ping });
        const page = new Page("https://page.test/", { data, links: [marked] });
        assert.equal(marked.getAttribute("ping"), wanted);
        await page.told();
    }
});

test("those who opt out, and browsers without storage", async () => {
    const storage = { "prismeAnalytics.tracking.enable": "false" };
    const page = new Page("https://page.test/", { storage });
    page.window.prisme.trigger("x");
    assert.deepEqual(await page.told(), []);
    storage["prismeAnalytics.tracking.enable"] = "true";
    page.window.prisme.trigger("x");
    assert.equal((await page.told()).length, 1);
    assert.equal((await new Page("https://page.test/", { storage: null }).told()).length, 1);
});

test("pages that are loaded ahead", async () => {
    const page = new Page("https://page.test/", { prerendering: true });
    assert.deepEqual(await page.told(), []);
    page.fire("prerenderingchange");
    assert.equal((await page.told()).length, 1);
});
