// The server under test, clients for it, and a note of what was called.

import diagnostics from "node:diagnostics_channel";
import { renameSync, writeFileSync } from "node:fs";
import { PirschNodeApiClient } from "pirsch-sdk";
import { PirschApiError } from "pirsch-sdk/common.js";
import { statisticNames } from "./declared.mjs";

/** @typedef {import("pirsch-sdk").PirschFilter} PirschFilter */

/**
 * What tests/clients.rs tells.
 * @type {{ url: string, clock: string, id: string, hostname: string, identification_code: string, client_id: string,
 *     client_secret: string, access_key: string, revoked_id: string, revoked_secret: string }}
 */
export const server = JSON.parse(process.env.HITSTONE_SERVER ?? "{}");

/** What the clients below were asked: every method, the members of every filter, and how many statistics. */
export const asked = { methods: new Set(), members: new Set(), statistics: 0 };

/** A client that gets its tokens by itself; it starts with none. */
export function oauthClient({ clientId = server.client_id, clientSecret = server.client_secret } = {}) {
    return noted(
        new PirschNodeApiClient({
            baseUrl: server.url,
            timeout: 30_000,
            hostname: server.hostname,
            clientId,
            clientSecret,
            trustedProxyHeaders: ["x-forwarded-for", "x-real-ip"],
        }),
    );
}

/** A client with an access key, which may only write. */
export function keyClient(accessToken = server.access_key) {
    return noted(new PirschNodeApiClient({ baseUrl: server.url, hostname: server.hostname, accessToken }));
}

/**
 * The same client, unchanged; what is called on it goes into `asked`.
 * @param {PirschNodeApiClient} client
 */
function noted(client) {
    return new Proxy(client, {
        get(target, name) {
            const method = Reflect.get(target, name);
            if (typeof method !== "function") return method;
            return (/** @type {any[]} */ ...given) => {
                asked.methods.add(name);
                if (statisticNames.includes(String(name))) {
                    Object.keys(given[0]).forEach((member) => asked.members.add(member));
                    asked.statistics += 1;
                }
                return method.apply(target, given);
            };
        },
    });
}

/**
 * A statistic by its name, as JSON that may be anything.
 * @param {PirschNodeApiClient} client
 * @param {string} name
 * @param {object} filter
 * @returns {Promise<any>}
 */
export function ask(client, name, filter) {
    return /** @type {any} */ (client)[name](filter);
}

/**
 * Sets the server's time.
 * @param {string} now
 */
export function setClock(now) {
    writeFileSync(`${server.clock}.new`, `${now}\n`);
    renameSync(`${server.clock}.new`, server.clock);
}

/** Every exchange with the server, as the network saw it: `POST /api/v1/hit 200`. */
export const exchanges = /** @type {string[]} */ ([]);

diagnostics.subscribe("http.client.response.finish", (message) => {
    const { request, response } = /** @type {{ request: any, response: any }} */ (message);
    if (`http://${request.getHeader("host")}` === server.url) {
        exchanges.push(`${request.method} ${request.path.split("?")[0]} ${response.statusCode}`);
    }
});

/**
 * The error that a call ends with.
 * @param {Promise<unknown>} call
 * @returns {Promise<PirschApiError>}
 */
export async function errorOf(call) {
    try {
        const answer = await call;
        throw new Error(`there was an answer: ${JSON.stringify(answer)}`);
    } catch (error) {
        if (error instanceof PirschApiError) return error;
        throw error;
    }
}
