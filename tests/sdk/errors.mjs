// What the client makes of the server's refusals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { statisticNames } from "./declared.mjs";
import { ask, errorOf, exchanges, keyClient, oauthClient, server } from "./setup.mjs";
import { period } from "./filters.mjs";

const client = oauthClient();

/**
 * An error of this status in Pirsch's shape, with a reason that the client takes over.
 * @param {Promise<unknown>} call
 * @param {number} code
 */
async function refused(call, code) {
    const error = await errorOf(call);
    assert.equal(error.code, code, error.message);
    assert.equal(typeof error.data.validation, "object", JSON.stringify(error.data));
    assert.equal(typeof error.data.error[0], "string", JSON.stringify(error.data));
    assert.equal(error.message, error.data.error[0]);
    return error;
}

test("a filter that makes no sense is a 400 that names the member", async () => {
    for (const [member, value] of [
        ["scale", "decade"],
        ["tz", "Europe/Atlantis"],
        ["start", "soon"],
        ["custom_metric_type", "text"],
        ["pattern", "("],
        ["limit", "some"],
    ]) {
        const error = await refused(ask(client, "totalVisitors", { ...period, [member]: value }), 400);
        assert.ok(error.data.validation?.[member], `${member}=${value}: ${JSON.stringify(error.data)}`);
    }
    for (const [member, value] of [
        ["sort", "colour"],
        ["direction", "sideways"],
    ]) {
        const error = await refused(ask(client, "pages", { ...period, [member]: value }), 400);
        assert.ok(error.data.validation?.[member], `${member}=${value}: ${JSON.stringify(error.data)}`);
    }
});

test("the values of a metadata key are those of one event", async () => {
    const events = { event: ["Order", "Sign up"], event_meta_key: "currency" };
    const error = await refused(ask(client, "eventMetadata", { ...period, ...events }), 400);
    assert.ok(error.data.validation?.event, JSON.stringify(error.data));
});

test("an unknown id is a 404, for every statistic", async () => {
    for (const name of statisticNames) {
        await refused(ask(client, name, { ...period, id: "Unknown123" }), 404);
    }
});

test("an access key reads nothing: the client itself refuses", async () => {
    const writer = keyClient();
    exchanges.length = 0;
    for (const name of [...statisticNames, "domain"]) {
        const error = await errorOf(ask(writer, name, period));
        assert.deepEqual([error.name, error.code], ["PirschInvalidAccessModeApiError", 401], name);
    }
    assert.deepEqual(exchanges, [], "it asks nothing");
});

test("an access key that nobody gave out is a 401", async () => {
    const unknown = `pa_${"x".repeat(45)}`;
    assert.equal(unknown.length, server.access_key.length);
    await refused(keyClient(unknown).session({ ip: "81.2.69.10", user_agent: "Firefox" }), 401);
});

test("a wrong secret and a revoked client are a 401, for writing and reading", async () => {
    for (const clients of [
        oauthClient({ clientSecret: "x".repeat(64) }),
        oauthClient({ clientId: server.revoked_id, clientSecret: server.revoked_secret }),
    ]) {
        await refused(clients.session({ ip: "81.2.69.10", user_agent: "Firefox" }), 401);
        await refused(clients.totalVisitors(period), 401);
    }
});

test("a hit without a page is a 400", async () => {
    await refused(client.hit({ url: "", ip: "81.2.69.10", user_agent: "Firefox" }), 400);
});

// The client asks for funnels at addresses that do not exist (`/api/v1//api/v1/funnel`), here as at Pirsch.
test("funnels are a 404", async () => {
    await refused(client.listFunnel(period), 404);
    await refused(client.funnel({ ...period, funnel_id: "Unknown123" }), 404);
    assert.deepEqual(exchanges.splice(0).slice(-2), [
        "GET /api/v1//api/v1/funnel 404",
        "GET /api/v1//api/v1/statistics/funnel 404",
    ]);
});
