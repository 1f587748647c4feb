// A filter for every member that PirschFilter has, and how many of the three visitors of two days it leaves.

import { server } from "./setup.mjs";

/** @typedef {import("pirsch-sdk").PirschFilter} PirschFilter */

/**
 * The two days of Ada, Bo and Cy.
 * @type {PirschFilter}
 */
export const period = { id: server.id, from: new Date("2026-06-30"), to: new Date("2026-07-01T23:00:00Z") };

/** All days. */
export const allDays = { ...period, from: new Date("2026-06-29") };

/**
 * What a filter may be asked for and the visitors that `totalVisitors` then counts; `not` those of `!value`.
 * @type {Required<{ [Member in keyof PirschFilter]: { value: NonNullable<PirschFilter[Member]>, visitors: number, not?: number } }>}
 */
export const filters = {
    id: { value: period.id, visitors: 3 },
    from: { value: new Date("2026-07-01"), visitors: 2 },
    to: { value: new Date("2026-06-30"), visitors: 1 },
    start: { value: 3600, visitors: 2 },
    scale: { value: "week", visitors: 3 },
    tz: { value: "Asia/Tokyo", visitors: 3 },
    path: { value: "/", visitors: 2, not: 3 },
    pattern: { value: "^/$", visitors: 2, not: 3 },
    entry_path: { value: "/", visitors: 2, not: 1 },
    exit_path: { value: "/prices", visitors: 3, not: 0 },
    event: { value: "Order", visitors: 2, not: 1 },
    event_meta_key: { value: "gift", visitors: 1 },
    event_meta: { value: { currency: "EUR" }, visitors: 1 },
    language: { value: "de", visitors: 1, not: 2 },
    country: { value: "gb", visitors: 1, not: 2 },
    region: { value: "Berlin", visitors: 1, not: 2 },
    city: { value: "Tokyo", visitors: 1, not: 2 },
    referrer: { value: "https://news.example.com/article", visitors: 1, not: 2 },
    referrer_name: { value: "Flyer", visitors: 1, not: 2 },
    os: { value: "Linux", visitors: 1, not: 2 },
    browser: { value: "Chrome", visitors: 1, not: 2 },
    platform: { value: "mobile", visitors: 1, not: 2 },
    screen_class: { value: "Full HD", visitors: 1, not: 2 },
    utm_source: { value: "letter", visitors: 1, not: 2 },
    utm_medium: { value: "mail", visitors: 1, not: 2 },
    utm_campaign: { value: "summer", visitors: 1, not: 2 },
    utm_content: { value: "top", visitors: 1, not: 2 },
    utm_term: { value: "tea", visitors: 1, not: 2 },
    tag: { value: "author", visitors: 2, not: 3 },
    tags: { value: { words: 300 }, visitors: 1 },
    custom_metric_key: { value: "amount", visitors: 3 },
    custom_metric_type: { value: "float", visitors: 3 },
    search: { value: "e", visitors: 3 },
    offset: { value: 1, visitors: 3 },
    limit: { value: 1, visitors: 3 },
    sort: { value: "visitors", visitors: 3 },
    direction: { value: "asc", visitors: 3 },
    include_avg_time_on_page: { value: true, visitors: 3 },
    // The client knows it and never sends it.
    funnel_id: { value: "Unknown123", visitors: 3 },
};

/**
 * Several members, or several values of one (which the client sends as `path[]=`), and the visitors left.
 * @type {[Record<string, unknown>, number][]}
 */
export const combinations = [
    [{ language: "en", country: "gb", os: "Linux" }, 1],
    [{ language: "en", country: "de" }, 0],
    [{ path: "/", event: "Order" }, 2],
    [{ path: "/", tags: { author: "ada" } }, 1],
    [{ event: "Order", event_meta: { currency: "USD" }, platform: "desktop" }, 1],
    [{ event: "Order", event_meta: { currency: "USD", amount: 10 } }, 1],
    [{ event: "Sign up", event_meta: { currency: "USD" } }, 0],
    [{ entry_path: "/", exit_path: "/prices", country: "!de" }, 1],
    [{ path: ["/", "/prices"] }, 3],
    [{ country: ["gb", "de"] }, 2],
    [{ country: ["!gb", "!de"] }, 1],
    [{ country: ["gb", "jp"], language: ["en", "de"] }, 1],
    [{ event: ["Order", "Sign up"] }, 2],
    [{ browser: "~FIRE" }, 1],
    [{ browser: "^fire" }, 2],
    [{ utm_source: "null" }, 2],
    [{ utm_source: "!null" }, 1],
    [{ path: "/", from: period.to }, 1],
];
