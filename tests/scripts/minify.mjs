// Makes the scripts that are served from their sources: `src/scripts/NAME.js` -> `src/scripts/served/NAME.js`. With
// `--write` writes them, without fails when one is another than its source makes it.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { minify } from "terser";

const folder = new URL("../../src/scripts/", import.meta.url);

for (const name of ["hitstone", "pirsch", "prisme"]) {
    const source = readFileSync(new URL(`${name}.js`, folder), "utf8");
    const { code } = await minify(source, { ecma: 2020, compress: { passes: 3, conditionals: false } });
    const served = new URL(`served/${name}.js`, folder);
    if (process.argv.includes("--write")) writeFileSync(served, code);
    else assert.equal(readFileSync(served, "utf8"), code, `${name}.js: run \`npm run --prefix tests/scripts minify\``);
}
