// A web server with the pages that the browser visits. It answers for every host name; what a page holds follows from
// its host and path. One of its folders leads to Hitstone, as a proxy of the site's own would.

import { createHash } from "node:crypto";
import http from "node:http";

/** A request of our own: status, headers and bytes. */
export function request(method, url, headers = {}, body = undefined) {
    return new Promise((resolve, reject) => {
        const sent = http.request(url, { method, headers, agent: false }, (answer) => {
            const chunks = [];
            answer.on("data", (chunk) => chunks.push(chunk));
            answer.on("end", () =>
                resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
        });
        sent.on("error", reject);
        sent.end(body);
    });
}

/** Where the visitors of the proxy are, by its word. */
const VISITOR = "203.0.113.7";

/** What `integrity` says of bytes. */
export const integrity = (bytes) => `sha384-${createHash("sha384").update(bytes).digest("base64")}`;

export class Web {
    /** Requests of this path by the proxy are answered 503 after Hitstone has taken them, so often. */
    failing = 0;
    /** What the proxy was sent: path, headers and body. */
    passed = [];

    /**
     * @param {string} hitstone its address
     * @param {(host: string, path: string) => { head?: string, body?: string, status?: number, policy?: string }} pages
     */
    static async start(hitstone, pages) {
        const web = new Web();
        web.server = http.createServer((asked, answer) => void web.answer(hitstone, pages, asked, answer));
        await new Promise((resolve) => web.server.listen(0, "127.0.0.1", resolve));
        web.port = web.server.address().port;
        return web;
    }

    stop() {
        this.server.closeAllConnections();
        this.server.close();
    }

    async answer(hitstone, pages, asked, answer) {
        const { pathname, search } = new URL(asked.url, "http://x");
        if (pathname.startsWith("/stats/")) return this.pass(hitstone, asked, answer, pathname.slice(6) + search);
        if (pathname.endsWith(".pdf")) {
            answer.writeHead(200, { "Content-Type": "application/pdf", "Content-Disposition": "attachment" });
            return answer.end("%PDF-1.4\n");
        }
        if (pathname === "/favicon.ico") return answer.writeHead(204).end();
        const host = asked.headers.host.split(":")[0];
        const { head = "", body = "", status = 200, policy = "" } = pages(host, pathname);
        answer.writeHead(status, {
            "Content-Type": "text/html; charset=utf-8",
            // Pages are kept whole only where their answers may be kept.
            "Cache-Control": "no-cache",
            ...(policy && { "Content-Security-Policy": policy }),
        });
        answer.end(`<!doctype html><html lang="en"><head><title>${pathname}</title>${head}</head><body>${body}</body></html>`);
    }

    async pass(hitstone, asked, answer, target) {
        const chunks = [];
        for await (const chunk of asked) chunks.push(chunk);
        const { cookie: _, ...kept } = asked.headers;
        const headers = { ...kept, "x-forwarded-for": VISITOR };
        const body = Buffer.concat(chunks);
        this.passed.push({ target, headers: asked.headers, body: body.toString() });
        const taken = await request(asked.method, hitstone + target, headers, body);
        const fails = asked.method === "POST" && this.failing-- > 0;
        answer.writeHead(fails ? 503 : taken.status, fails ? {} : taken.headers);
        answer.end(fails ? "" : taken.body);
    }
}
