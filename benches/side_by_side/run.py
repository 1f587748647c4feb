#!/usr/bin/env python3
"""The benchmark of the whole product, side by side with DuckDB and ClickHouse (chDB), from nothing: makes the data, loads it,
asks every statistic of each over HTTP or SQL, one engine after the other, compares the answers, and prints tables.

    benches/side_by_side/run.py --events 10000000

docs/benchmarks.md says what is measured and how to read it. Fails when answers differ.
"""

import argparse
import dataclasses
import json
import os
import sys

import environment
import growth
import report
from data import HOST, Data
from hitstone import Hitstone
from measure import Asker, cells
from peers import PEERS
from questions import FILTERS, Drawing
from statements import STATISTICS


def words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def numbers(text: str) -> list[int]:
    return [int(word.replace("_", "")) for word in words(text)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=365, help="how many days they are spread over")
    parser.add_argument("--sites", type=int, default=1, help="the first, with most of the events, is asked")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visitor-id", type=words, default=["daily"], help="daily, stable or both, a table each")
    parser.add_argument("--ranges", type=numbers, default=[1, 30, 365], help="numbers of days")
    parser.add_argument("--filters", type=words, default=list(FILTERS))
    parser.add_argument("--statistics", type=words, default=STATISTICS)
    parser.add_argument("--runs", type=int, default=5, help="of each request; medians are shown")
    parser.add_argument("--peers", type=words, default=list(PEERS), help="empty: Hitstone alone, which needs no packages")
    parser.add_argument("--no-cold", action="store_true", help="leave out what is asked after everything was forgotten")
    parser.add_argument("--growth", type=numbers, default=[], help="numbers of events; Hitstone alone is asked over all days of each")
    parser.add_argument("--hitstone", help="the program; default: it is built")
    parser.add_argument("--work", default=os.path.join(environment.ROOT, "target", "side_by_side"), help="where everything is kept")
    parser.add_argument("--out", help="where report.md and report.json are written; default: the folder of --work")
    return parser.parse_args()


class Run:
    """What was asked for, and what has been found."""

    def __init__(self, given: argparse.Namespace):
        self.given = given
        self.binary = os.path.abspath(given.hitstone) if given.hitstone else environment.build_hitstone()
        self.sections: list[str] = []
        self.figures: dict = {"arguments": vars(given)}
        self.differences: list[str] = []

    def prepared(self, events: int, visitor_id: str) -> tuple[Data, dict]:
        given = self.given
        name = f"{visitor_id}-{events}-{given.days}-{given.sites}-{given.seed}"
        data = Data(os.path.join(given.work, name))
        data.generate(events, given.days, given.sites, given.seed, visitor_id)
        return data, data.load(self.binary)

    def side_by_side(self, visitor_id: str) -> None:
        given = self.given
        data, loaded = self.prepared(given.events, visitor_id)
        peers = [PEERS[name](data.peers) for name in given.peers]
        data.load_peers(peers)
        ours = Hitstone(self.binary, data.data, HOST)
        engines = [ours, *peers]
        for engine in engines:
            engine.open()
        asker = Asker(ours, peers, Drawing(ours, given.days, given.seed))
        found = list(cells(given.ranges, given.filters, given.statistics))
        asker.read_all(given.statistics)
        for at, cell in enumerate(found):
            asker.warm(cell, given.runs)
            progress(f"{visitor_id}, warm", at, len(found))
        for at, cell in enumerate([] if given.no_cold else found):
            asker.cold(cell)
            progress(f"{visitor_id}, cold", at, len(found))
        for engine in engines:
            engine.close()
        facts = {"events": given.events, "visitor ids": visitor_id, **environment.describe(self.binary)}
        facts |= {"bytes on disk an event": f"{data.size() / given.events:.1f}", "resident anonymous memory at most": f"{asker.memory >> 20} MiB"}
        facts |= {f"loaded {of}": json.dumps(told) for of, told in loaded.items()}
        facts |= {"answers that differ": len(asker.differences)}
        self.differences += asker.differences
        self.sections.append(report.markdown(facts, found, [engine.name for engine in engines]))
        self.figures[visitor_id] = {"facts": facts, "cells": report.plain(found), "differences": asker.differences}

    def growth(self) -> None:
        given = self.given
        folders = {events: self.prepared(events, "daily")[0] for events in given.growth}
        found = growth.measure(self.binary, folders, given)
        self.sections.append(growth.markdown(found))
        self.figures["growth"] = {
            events: {**of, "cells": [dataclasses.asdict(cell) for cell in of["cells"]]} for events, of in found.items()
        }

    def finish(self) -> int:
        out = self.given.out or self.given.work
        os.makedirs(out, exist_ok=True)
        text = "\n".join(self.sections)
        with open(os.path.join(out, "report.md"), "w") as file:
            file.write(text)
        with open(os.path.join(out, "report.json"), "w") as file:
            json.dump(self.figures, file, indent=1)
        print(text)
        for difference in self.differences:
            print("DIFFERS:", difference)
        return 1 if self.differences else 0


def progress(what: str, at: int, count: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what}: {at + 1} of {count}", end="\n" if at + 1 == count else "", file=sys.stderr, flush=True)


def main() -> int:
    given = arguments()
    environment.ensure_packages(given.peers)
    run = Run(given)
    for visitor_id in given.visitor_id:
        run.side_by_side(visitor_id)
    if given.growth:
        run.growth()
    return run.finish()


if __name__ == "__main__":
    sys.exit(main())
