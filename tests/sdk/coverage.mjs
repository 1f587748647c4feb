// Says what the other scripts covered; fails when the package has something that they do not call.

import assert from "node:assert/strict";
import { test } from "node:test";
import { filterMembers, methodNames, statisticNames } from "./declared.mjs";
import { asked } from "./setup.mjs";

test("everything that the client can do was called", () => {
    assert.deepEqual([...asked.methods].sort(), methodNames);
    assert.deepEqual([...asked.members].sort(), filterMembers);
    console.log(
        `COVERED ${methodNames.length} methods of pirsch-sdk (${statisticNames.length} statistics), ` +
            `${filterMembers.length} filter members, ${asked.statistics} statistics asked`,
    );
});
