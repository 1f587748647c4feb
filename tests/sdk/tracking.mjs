// Sends what the statistics are then asked about: every way to send, with a token, with an access key, from a request.

import assert from "node:assert/strict";
import { createServer, get } from "node:http";
import { test } from "node:test";
import { exchanges, keyClient, oauthClient, server, setClock } from "./setup.mjs";

const site = `https://${server.hostname}`;

// One visitor a device. Ada and Bo sit at a desk, Cy has a phone; Dee visits a day earlier.
const ada = {
    ip: "81.2.69.10",
    user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    accept_language: "en-GB,en;q=0.9",
    screen_width: 1920,
    screen_height: 1080,
};
const bo = {
    ip: "91.0.0.7",
    user_agent:
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    accept_language: "de-DE,de;q=0.9",
    sec_ch_ua: '"Not/A)Brand";v="8", "Chromium";v="126", "Google Chrome";v="126"',
    sec_ch_ua_mobile: "?0",
    sec_ch_ua_platform: '"Windows"',
    sec_ch_ua_platform_version: '"15.0.0"',
    screen_width: 1366,
    screen_height: 768,
};
const cy = {
    ip: "133.0.0.9",
    user_agent:
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    accept_language: "ja",
};
const dee = { ip: "198.51.100.4", user_agent: ada.user_agent };

test("an access key sends everything", async () => {
    const client = keyClient();
    const page = { ...dee, url: `${site}/key` };
    setClock("2026-06-29T09:00:00Z");
    await client.hit(page);
    setClock("2026-06-29T09:00:20Z");
    await client.event("Key", page);
    await client.session(dee);
    setClock("2026-06-29T09:02:00Z");
    await client.batchHits([{ ...dee, url: `${site}/key/batch`, time: "2026-06-29T09:00:40Z" }]);
    await client.batchEvents([{ name: "Key", hit: page, time: "2026-06-29T09:00:50Z" }]);
    await client.batchSessions([{ ...dee, time: "2026-06-29T09:01:10Z" }]);
    assert.deepEqual(exchanges.splice(0), [
        "POST /api/v1/hit 200",
        "POST /api/v1/event 200",
        "POST /api/v1/session 200",
        "POST /api/v1/hit/batch 200",
        "POST /api/v1/event/batch 200",
        "POST /api/v1/session/batch 200",
    ]);
});

test("batches carry their own times", async () => {
    const client = oauthClient();
    setClock("2026-06-30T18:00:00Z");
    const prices = { ...bo, url: `${site}/prices`, title: "Prices", tags: { author: "bo" } };
    await client.batchHits([
        { ...prices, time: "2026-06-30T10:01:30Z" },
        { ...bo, url: `${site}/`, title: "Home", time: "2026-06-30T10:00:00Z" },
    ]);
    await client.batchEvents([
        { name: "Order", hit: prices, time: "2026-06-30T10:02:00Z", duration: 8, meta: { currency: "USD", amount: "10" } },
        { name: "Sign up", hit: prices, time: "2026-06-30T10:02:10Z" },
    ]);
    await client.batchSessions([{ ip: bo.ip, user_agent: bo.user_agent, time: "2026-06-30T10:03:00Z" }]);
    assert.deepEqual(exchanges.splice(0), [
        "POST /api/v1/hit/batch 401",
        "POST /api/v1/token 200",
        "POST /api/v1/hit/batch 200",
        "POST /api/v1/event/batch 200",
        "POST /api/v1/session/batch 200",
    ]);
});

test("a client without a token is refused, gets one, and sends again", async () => {
    const client = oauthClient();
    setClock("2026-07-01T12:00:00Z");
    const campaign = "utm_source=letter&utm_medium=mail&utm_campaign=summer&utm_content=top&utm_term=tea";
    await client.hit({
        ...ada,
        url: `${site}/?${campaign}`,
        title: "Home",
        referrer: "https://news.example.com/article",
        tags: { author: "ada", words: 300, draft: false },
    });
    assert.deepEqual(exchanges.splice(0), ["POST /api/v1/hit 401", "POST /api/v1/token 200", "POST /api/v1/hit 200"]);
    setClock("2026-07-01T12:00:30Z");
    const prices = { ...ada, url: `${site}/prices`, title: "Prices" };
    await client.hit(prices);
    setClock("2026-07-01T12:00:40Z");
    await client.event("Order", prices, 12, { currency: "EUR", amount: 19.5, gift: true });
    setClock("2026-07-01T12:01:00Z");
    await client.session({ ip: ada.ip, user_agent: ada.user_agent });
    assert.deepEqual(exchanges.splice(0), [
        "POST /api/v1/hit 200",
        "POST /api/v1/event 200",
        "POST /api/v1/session 200",
    ]);
});

test("a hit is made from a request that came over proxies", async () => {
    const client = oauthClient();
    /** @type {import("pirsch-sdk").PirschHit | undefined} */
    let hit;
    const website = createServer((request, response) => {
        hit = client.hitFromRequest(request);
        response.end();
    });
    await new Promise((listening) => website.listen(0, "127.0.0.1", () => listening(undefined)));
    const { port } = /** @type {import("node:net").AddressInfo} */ (website.address());
    const headers = {
        "User-Agent": cy.user_agent,
        "Accept-Language": cy.accept_language,
        "X-Forwarded-For": `203.0.113.9, ${cy.ip}, 10.0.0.7`,
    };
    await new Promise((done, failed) => {
        const request = get({ port, host: "127.0.0.1", path: "/prices?ref=Flyer", headers }, (response) => {
            response.resume().on("end", done);
        });
        request.on("error", failed);
    });
    website.close();
    assert.ok(hit);
    assert.equal(hit.ip, headers["X-Forwarded-For"], "the client sends the header as it is");
    assert.equal(hit.referrer, "Flyer");
    exchanges.length = 0;
    await client.hit(hit);
    assert.deepEqual(exchanges.splice(0).slice(-1), ["POST /api/v1/hit 200"]);
    // When the statistics are asked.
    setClock("2026-07-01T12:02:00Z");
});
