// The client for pages, unmodified, in a page that is just enough of one for it: it has a document, a screen and an
// address, and its beacons go to the server under test as a browser would send them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PirschWebClient } from "pirsch-sdk/web.js";
import { ask, errorOf, exchanges, oauthClient, server, setClock } from "./setup.mjs";

const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const page = {
    location: new URL(`https://${server.hostname}/prices?utm_source=letter`),
    document: { title: "Prices", referrer: "https://news.example.com/article" },
    screen: { width: 1920, height: 1080 },
};
Object.assign(globalThis, page);

/** @type {Promise<Response>[]} */
const beacons = [];
Object.defineProperty(globalThis, "navigator", {
    value: {
        /**
         * @param {string} url
         * @param {string} body
         */
        sendBeacon(url, body) {
            const headers = { "Content-Type": "text/plain;charset=UTF-8", "User-Agent": agent, Origin: page.location.origin };
            beacons.push(fetch(url, { method: "POST", headers, body }));
            return true;
        },
    },
});

/** A client as a page has it; the requests of its library carry what a browser's would. */
function webClient(identificationCode = server.identification_code) {
    const client = new PirschWebClient({ baseUrl: server.url, identificationCode });
    const { defaults } = /** @type {any} */ (client).httpClient;
    Object.assign(defaults.headers.common, { "User-Agent": agent, Origin: page.location.origin });
    return client;
}

/** What the server answered to the beacons sent since the last time. */
async function answers() {
    const answers = await Promise.all(beacons.splice(0));
    return answers.map((answer) => `${new URL(answer.url).pathname} ${answer.status}`);
}

const range = { id: server.id, from: new Date("2026-07-02"), to: new Date("2026-07-02") };
const admin = oauthClient();
/** @param {string} name */
const statistic = (name, more = {}) => ask(admin, name, { ...range, ...more });

test("a page sends hits and events", async () => {
    setClock("2026-07-02T10:00:00Z");
    const client = webClient();
    await client.hit({ tags: { "some-author": "ada", draft: true } });
    assert.deepEqual(exchanges.splice(0), ["GET /hit 200"]);
    setClock("2026-07-02T10:00:30Z");
    await client.customHit({ url: `https://${server.hostname}/about`, title: "About", screen_width: 1920, screen_height: 1080, referrer: "" });
    await client.event("Order", 12, { amount: 19.5, gift: true, currency: "EUR" });
    await client.customEvent("Sign up", 0, { ...client.hitFromBrowser(), url: `https://${server.hostname}/about` });
    assert.deepEqual(await answers(), ["/event 200", "/event 200"]);

    const [total] = [await statistic("totalVisitors")];
    assert.deepEqual([total.visitors, total.views, total.sessions], [1, 2, 1]);
    const pages = await statistic("pages");
    assert.deepEqual(pages.map((/** @type {any} */ page) => page.path).sort(), ["/about", "/prices"]);
    for (const [name, member, wanted] of [
        ["browser", "browser", "Firefox"],
        ["screen", "screen_class", "Full HD"],
        ["referrer", "referrer", "https://news.example.com/article"],
        ["utmSource", "utm_source", "letter"],
    ]) {
        assert.equal((await statistic(name))[0][member], wanted, name);
    }
    const events = await statistic("events");
    assert.deepEqual(events.map((/** @type {any} */ event) => event.name).sort(), ["Order", "Sign up"]);
    const [meta] = await statistic("eventMetadata", { event: "Order", event_meta_key: "amount" });
    assert.equal(meta.meta_value, "19.5");
    const tags = await statistic("tagKeys");
    assert.deepEqual(tags.map((/** @type {any} */ tag) => tag.key).sort(), ["draft", "some author"]);
});

test("a page is told what is wrong", async () => {
    const client = webClient("x".repeat(32));
    const error = await errorOf(client.hit());
    assert.equal(error.code, 401);
    assert.match(error.message, /identification code/);
    await client.event("Order");
    assert.deepEqual(await answers(), ["/event 401"]);
});
