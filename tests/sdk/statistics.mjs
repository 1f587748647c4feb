// Every statistic of the client: what it answers has the declared shape, with and without every filter, and the
// numbers are those of what tracking.mjs sent.

import assert from "node:assert/strict";
import { test } from "node:test";
import { differences, filterMembers, statisticNames } from "./declared.mjs";
import { allDays, combinations, filters, period } from "./filters.mjs";
import { ask, exchanges, oauthClient, server, setClock } from "./setup.mjs";

/** @typedef {import("pirsch-sdk").PirschFilter} PirschFilter */

const client = oauthClient();

// These are asked in errors.mjs.
const names = statisticNames.filter((name) => !["listFunnel", "funnel"].includes(name));

// What some need to have anything to tell.
/** @type {Record<string, Partial<PirschFilter>>} */
const needs = {
    eventMetadata: { event: "Order", event_meta_key: "currency" },
    eventPages: { event: "Order" },
    tags: { tag: "author" },
};

// Search Console is another service's.
const empty = ["keywords"];

/**
 * Asks, and holds the answer against what is declared.
 * @param {string} name
 * @param {object} filter
 */
async function checked(name, filter) {
    const answer = await ask(client, name, { ...period, ...needs[name], ...filter });
    const problems = differences(name, answer);
    if (problems.length > 0) assert.fail(`${name} ${JSON.stringify(filter)}: ${problems.join("; ")}`);
    return answer;
}

/**
 * Lines as `key: number`.
 * @param {any[]} lines
 * @param {string} key
 * @param {string} number
 */
function table(lines, key, number = "visitors") {
    return Object.fromEntries(lines.map((line) => [line[key], line[number]]));
}

test("the domain", async () => {
    const domain = /** @type {import("pirsch-sdk").PirschDomain} */ (await client.domain());
    assert.deepEqual(differences("domain", domain), []);
    assert.deepEqual(
        [domain.id, domain.hostname, domain.identification_code],
        [server.id, server.hostname, server.identification_code],
    );
});

test("a wrong answer is noticed", async () => {
    const right = await checked("visitors", {});
    for (const member of ["visitors", "bounce_rate", "custom_metric_total"]) {
        for (const wrong of [undefined, null, "1", [1]]) {
            assert.equal(differences("visitors", [...right, { ...right[0], [member]: wrong }]).length, 1, `${wrong}`);
        }
    }
    const wrongs = { visitors: [null, {}, [null], [{ ...right[0], day: "2026-07-01" }]], listEvents: [null, [{}]] };
    for (const [name, answers] of Object.entries(wrongs)) {
        for (const wrong of answers) assert.notEqual(differences(name, wrong).length, 0, JSON.stringify(wrong));
    }
    const event = { name: "Order", visitors: 1, count: 1 };
    assert.deepEqual(differences("listEvents", [{ ...event, meta: { amount: "10" } }]), []);
    assert.equal(differences("listEvents", [{ ...event, meta: { amount: 10 } }]).length, 1);
});

for (const name of names) {
    test(`${name} has the declared shape`, async () => {
        const answer = await checked(name, {});
        if (Array.isArray(answer)) assert.equal(answer.length === 0, empty.includes(name), `${answer.length} lines`);
    });

    test(`${name} has the declared shape with every filter`, async () => {
        const everything = Object.fromEntries(Object.entries(filters).map(([member, { value }]) => [member, value]));
        const single = Object.entries(everything).map(([member, value]) => ({ [member]: value }));
        /** @type {string[]} */
        const problems = [];
        // The values of a key are those of one event: errors.mjs.
        const several = combinations.map(([filter]) => filter);
        const fitting = several.filter(({ event }) => !(name === "eventMetadata" && Array.isArray(event)));
        for (const filter of [...single, everything, ...fitting]) {
            await checked(name, filter).catch((error) => problems.push(`${JSON.stringify(filter)}: ${error.message}`));
        }
        assert.equal(problems.join("\n"), "");
    });
}

test("there is a filter for every member", () => {
    assert.deepEqual(Object.keys(filters).sort(), filterMembers);
});

test("every filter selects", async () => {
    const problems = [];
    /** @type {[object, number][]} */
    const cases = [...combinations];
    for (const [member, { value, visitors, not }] of Object.entries(filters)) {
        cases.push([{ [member]: value }, visitors]);
        if (not !== undefined) {
            cases.push([{ [member]: `!${value}` }, not]);
            // Several values; platform takes one.
            if (member !== "platform") cases.push([{ [member]: [value, "nothing"] }, visitors]);
        }
    }
    for (const [filter, visitors] of cases) {
        const total = await ask(client, "totalVisitors", { ...period, ...filter }).catch((error) => error);
        if (total.visitors !== visitors) {
            problems.push(`${JSON.stringify(filter)}: ${total.visitors ?? total.message}, not ${visitors}`);
        }
    }
    assert.deepEqual(problems, []);
});

test("the numbers of the period", async () => {
    const total = await checked("totalVisitors", {});
    assert.deepEqual(
        [total.visitors, total.sessions, total.views, total.bounces, total.bounce_rate, total.cr],
        [3, 3, 5, 1, 1 / 3, 1],
    );
    assert.deepEqual(table(await checked("visitors", {}), "day"), {
        "2026-06-30T00:00:00Z": 1,
        "2026-07-01T00:00:00Z": 2,
    });
    const hours = table(await checked("timeOfDay", {}), "hour");
    assert.deepEqual([Object.keys(hours).length, hours[10], hours[12]], [24, 1, 2]);
    const active = await checked("activeVisitors", {});
    assert.deepEqual([active.visitors, table(active.stats, "path")], [2, { "/": 1, "/prices": 2 }]);
    const platform = await checked("platform", {});
    assert.deepEqual([platform.platform_desktop, platform.platform_mobile, platform.platform_unknown], [2, 1, 0]);
});

test("the numbers of what the access key sent", async () => {
    const day = { from: allDays.from, to: allDays.from };
    const total = await checked("totalVisitors", day);
    assert.deepEqual([total.visitors, total.sessions, total.views], [1, 1, 2]);
    assert.equal((await checked("sessionDuration", day))[0].average_time_spent_seconds, 70);
    assert.deepEqual(table(await checked("events", day), "name", "views"), { Key: 2 });
});

test("pages and time", async () => {
    const pages = await checked("pages", { include_avg_time_on_page: true });
    assert.deepEqual(table(pages, "path", "views"), { "/prices": 3, "/": 2 });
    assert.deepEqual(table(pages, "path", "average_time_spent_seconds"), { "/prices": 0, "/": 60 });
    assert.deepEqual(table(await checked("entryPages", {}), "path", "entries"), { "/": 2, "/prices": 1 });
    assert.deepEqual(table(await checked("exitPages", {}), "exit_path", "exits"), { "/prices": 3 });
    const seconds = "average_time_spent_seconds";
    assert.deepEqual(Object.values(table(await checked("sessionDuration", {}), "day", seconds)), [180, 60]);
    assert.deepEqual(Object.values(table(await checked("timeOnPage", {}), "day", seconds)), [90, 30]);
});

test("who the visitors are", async () => {
    for (const [name, key, visitors] of /** @type {[string, string, object][]} */ ([
        ["languages", "language", { en: 1, de: 1, ja: 1 }],
        ["country", "country_code", { gb: 1, de: 1, jp: 1 }],
        ["region", "region", { England: 1, Berlin: 1, Tokyo: 1 }],
        ["city", "city", { London: 1, Berlin: 1, Tokyo: 1 }],
        ["os", "os", { Linux: 1, Windows: 1, iOS: 1 }],
        ["osVersions", "os_version", { "": 1, 11: 1, "17.5": 1 }],
        ["browser", "browser", { Firefox: 1, Chrome: 1, Safari: 1 }],
        ["browserVersions", "browser_version", { "128.0": 1, 126: 1, "17.5": 1 }],
        ["screen", "screen_class", { "Full HD": 1, HD: 1, "": 1 }],
        ["referrer", "referrer_name", { "news.example.com": 1, Flyer: 1, "": 1 }],
        ["utmSource", "utm_source", { letter: 1, "": 2 }],
        ["utmMedium", "utm_medium", { mail: 1, "": 2 }],
        ["utmCampaign", "utm_campaign", { summer: 1, "": 2 }],
        ["utmContent", "utm_content", { top: 1, "": 2 }],
        ["utmTerm", "utm_term", { tea: 1, "": 2 }],
    ])) {
        assert.deepEqual(table(await checked(name, {}), key), visitors, name);
    }
});

test("events and what they carry", async () => {
    const events = await checked("events", {});
    assert.deepEqual(table(events, "name", "views"), { Order: 2, "Sign up": 1 });
    const order = events.find((/** @type {any} */ event) => event.name === "Order");
    assert.deepEqual([...order.meta_keys].sort(), ["amount", "currency", "gift"]);
    assert.deepEqual([order.visitors, order.average_duration_seconds], [2, 10]);
    assert.deepEqual(table(await checked("eventMetadata", {}), "meta_value"), { EUR: 1, USD: 1 });
    assert.deepEqual(table(await checked("eventPages", {}), "path", "views"), { "/prices": 2 });
    const list = await checked("listEvents", {});
    assert.deepEqual(
        list.map((/** @type {any} */ { name, meta, visitors, count }) => ({ name, meta, visitors, count })),
        [
            { name: "Order", meta: { amount: "10", currency: "USD" }, visitors: 1, count: 1 },
            { name: "Order", meta: { amount: "19.5", currency: "EUR", gift: "true" }, visitors: 1, count: 1 },
            { name: "Sign up", meta: {}, visitors: 1, count: 1 },
        ],
    );
});

test("tags", async () => {
    assert.deepEqual(table(await checked("tagKeys", {}), "key"), { author: 2, draft: 1, words: 1 });
    assert.deepEqual(table(await checked("tags", {}), "value"), { ada: 1, bo: 1 });
    assert.deepEqual(table(await checked("tags", { tag: "words" }), "value", "views"), { 300: 1 });
    assert.deepEqual(await checked("tags", { tag: "colour" }), []);
});

test("the goals that tests/clients.rs made", async () => {
    const goals = await checked("conversionGoals", {});
    assert.deepEqual(
        goals.map((/** @type {any} */ { page_goal, stats }) => [page_goal.name, stats.visitors, stats.views, stats.cr]),
        [
            ["Buyers", 2, 4, 2 / 3],
            ["Readers", 2, 2, 2 / 3],
        ],
    );
    assert.deepEqual([goals[0].stats.custom_metric_total, goals[0].stats.custom_metric_avg], [29.5, 14.75]);
    assert.deepEqual([goals[1].page_goal.path_pattern, goals[1].page_goal.visitor_goal], ["/", 9]);
});

test("custom metrics", async () => {
    const metric = { event: "Order", custom_metric_key: "amount" };
    for (const custom_metric_type of [undefined, "float"]) {
        const total = await checked("totalVisitors", { ...metric, custom_metric_type });
        assert.deepEqual([total.custom_metric_total, total.custom_metric_avg], [29.5, 14.75]);
        const days = await checked("visitors", { ...metric, custom_metric_type });
        assert.deepEqual(Object.values(table(days, "day", "custom_metric_total")), [10, 19.5]);
        const hours = await checked("timeOfDay", { ...metric, custom_metric_type });
        assert.deepEqual([hours[10].custom_metric_total, hours[12].custom_metric_avg], [10, 19.5]);
    }
    const without = await checked("totalVisitors", { custom_metric_key: "amount" });
    assert.deepEqual([without.custom_metric_total, without.custom_metric_avg], [0, 0], "without an event");
    const growth = await checked("growth", metric);
    assert.deepEqual([growth.custom_metric_total_growth, growth.custom_metric_avg_growth], [1, 1], "from nothing");
});

test("growth against the two days before, when Dee was there", async () => {
    const growth = await checked("growth", {});
    assert.deepEqual(
        [growth.visitors_growth, growth.sessions_growth, growth.views_growth, growth.bounces_growth],
        [2, 2, 1.5, 1],
    );
});

test("scales", async () => {
    // The last week has begun.
    setClock("2026-07-06T12:00:00Z");
    const summer = { from: new Date("2026-06-29"), to: new Date("2026-07-06") };
    const days = Object.values(table(await checked("visitors", { ...summer, scale: "day" }), "day"));
    assert.deepEqual(days, [1, 1, 2, 0, 0, 0, 0, 0]);
    for (const [scale, buckets] of /** @type {[string, Record<string, number>][]} */ ([
        ["week", { "2026-06-29T00:00:00Z": 4, "2026-07-06T00:00:00Z": 0 }],
        ["month", { "2026-06-01T00:00:00Z": 2, "2026-07-01T00:00:00Z": 2 }],
        ["year", { "2026-01-01T00:00:00Z": 4 }],
    ])) {
        const lines = await checked("visitors", { ...summer, scale });
        assert.deepEqual(table(lines, scale), buckets);
        assert.deepEqual(["day", "week", "month", "year"].filter((unit) => lines[0][unit] !== null), [scale]);
        for (const name of ["sessionDuration", "timeOnPage"]) {
            const lines = await checked(name, { ...summer, scale });
            assert.deepEqual(Object.keys(table(lines, scale)), Object.keys(buckets), name);
        }
    }
});

test("order, search and parts of a list", async () => {
    const paths = async (/** @type {object} */ filter) => {
        const lines = await checked("pages", { ...allDays, ...filter });
        return lines.map((/** @type {any} */ line) => line.path).join(" ");
    };
    for (const [filter, wanted] of /** @type {[object, string][]} */ ([
        [{}, "/prices / /key /key/batch"],
        [{ sort: "path" }, "/ /key /key/batch /prices"],
        [{ sort: "path", direction: "desc" }, "/prices /key/batch /key /"],
        [{ sort: "views", direction: "asc" }, "/key /key/batch / /prices"],
        [{ limit: 2 }, "/prices /"],
        [{ limit: 2, offset: 1 }, "/ /key"],
        [{ limit: 2, offset: 9 }, ""],
        [{ search: "KEY" }, "/key /key/batch"],
        [{ search: "!key" }, "/prices /"],
        [{ search: "key", sort: "path", direction: "desc", limit: 1, offset: 1 }, "/key"],
    ])) {
        assert.equal(await paths(filter), wanted, JSON.stringify(filter));
    }
});

test("success is status 200 and nothing else", () => {
    const others = exchanges.splice(0).filter((exchange) => / [23]\d\d$/.test(exchange) && !exchange.endsWith(" 200"));
    assert.deepEqual(others, []);
});
