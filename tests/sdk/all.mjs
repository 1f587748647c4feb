// Everything but the life of tokens, in this order, in one process: coverage.mjs tells what was called.

import "./tracking.mjs";
import "./statistics.mjs";
import "./errors.mjs";
import "./coverage.mjs";
