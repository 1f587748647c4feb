// The server's tokens live for a second: the client gets new ones by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { exchanges, oauthClient, server } from "./setup.mjs";

const client = oauthClient();
const day = 86_400_000;
const filter = { id: server.id, from: new Date(Date.now() - day), to: new Date(Date.now() + day) };

test("a token that has ended is replaced, for writing and for reading", async () => {
    const visitor = { ip: "198.51.100.1", user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0" };
    const views = async () => {
        const total = /** @type {import("pirsch-sdk").PirschTotalVisitorStats} */ (await client.totalVisitors(filter));
        return total.views;
    };
    assert.equal(await views(), 0);
    await wait(1500);
    exchanges.length = 0;
    await client.hit({ ...visitor, url: `https://${server.hostname}/` });
    assert.deepEqual(exchanges.splice(0), ["POST /api/v1/hit 401", "POST /api/v1/token 200", "POST /api/v1/hit 200"]);
    await wait(1500);
    assert.equal(await views(), 1);
    const total = "GET /api/v1/statistics/total";
    assert.deepEqual(exchanges.splice(0), [`${total} 401`, "POST /api/v1/token 200", `${total} 200`]);
});
