#!/usr/bin/env python3
"""Asks Hitstone and its peers the same statistics, one after the other in one run, compares the answers, and prints a table.

    compare.py --hitstone target/release/hitstone --data FOLDER --host example.com --work FOLDER

`--data` is a data folder that is compacted: the peers' tables are made from its Parquet files, once, below `--work`.
Every request differs from the one before: filters and days are drawn anew, the same for all engines.
"""

import argparse
import datetime
import json
import math
import os
import random
import statistics as numbers
import sys
import time

import rows
import tables
from hitstone import Hitstone
from peers import PEERS, DuckDb, evict
from statements import STATISTICS, Question, statement

FILTERS = ("none", "country", "path", "pattern", "three")
PATTERNS = ["(?i)^/blog/2019/[^/]+/[^/]+$", "^/docs/[^/]+/[^/]+$", "^/products/[^/]+/.*$", "(?i)^/(pricing|checkout)$", "^/blog/20(19|20)/"]


class Drawing:
    """Draws filters and periods from what occurs."""

    def __init__(self, connection, parquet, seed):
        self.random = random.Random(seed)
        common = "SELECT {0} FROM '{1}/{2}.parquet' WHERE {0} <> '' GROUP BY 1 ORDER BY count(*) DESC LIMIT {3}"
        self.countries = [row[0] for row in connection.execute(common.format("country", parquet, "visits", 20)).fetchall()]
        self.paths = [row[0] for row in connection.execute(common.format("path", parquet, "views", 60)).fetchall()]
        first, last = connection.execute(f"SELECT min(last), max(last) FROM '{parquet}/visits.parquet'").fetchone()
        self.first, self.days = first.date(), (last.date() - first.date()).days + 1

    def period(self, days):
        days = min(days, self.days)
        first = self.first + datetime.timedelta(days=self.random.randint(0, self.days - days))
        return first, first + datetime.timedelta(days=days - 1)

    def filters(self, kind):
        draw = self.random.choice
        return {
            "none": lambda: {},
            "country": lambda: {"country": draw(self.countries)},
            "path": lambda: {"path": draw(self.paths)},
            "pattern": lambda: {"pattern": draw(PATTERNS)},
            "three": lambda: {"country": draw(self.countries[:8]), "platform": draw(["desktop", "mobile"]), "path": draw(self.paths[:30])},
        }[kind]()


def timed(function):
    begun = time.perf_counter()
    result = function()
    return (time.perf_counter() - begun) * 1e3, result


def measure(ours, others, drawing, name, kind, days, runs, differences):
    """Milliseconds of each engine, run by run."""
    times = {engine.name: [] for engine in (ours, *others)}
    for _ in range(runs):
        (first, last), filters = drawing.period(days), drawing.filters(kind)
        request = ours.request(name, first.isoformat(), last.isoformat(), filters)
        spent, body = timed(lambda: ours.send(request))
        times[ours.name].append(spent)
        answer = rows.of_hitstone(name, json.loads(body))
        after = last + datetime.timedelta(days=1)
        for peer in others:
            question = Question(peer.dialect, f"{first} 00:00:00", f"{after} 00:00:00", filters)
            sql = statement(question, name)
            spent, found = timed(lambda: peer.ask(sql))
            times[peer.name].append(spent)
            fault = rows.difference(name, answer, rows.of_peer(name, found))
            if fault:
                differences.append(f"{name} {kind} {first}..{last} {filters} {peer.name}: {fault}")
    return times


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--hitstone", required=True)
    arguments.add_argument("--data", required=True)
    arguments.add_argument("--host", default="example.com")
    arguments.add_argument("--work", required=True)
    arguments.add_argument("--peers", default="duckdb,chdb")
    arguments.add_argument("--ranges", default="1,30,365")
    arguments.add_argument("--filters", default=",".join(FILTERS))
    arguments.add_argument("--statistics", default=",".join(STATISTICS))
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", help="a file for all figures, JSON")
    given = arguments.parse_args()

    import duckdb

    parquet = os.path.join(given.work, "tables")
    if not os.path.exists(os.path.join(parquet, "events.parquet")):
        connection = duckdb.connect(os.path.join(given.work, "making.duckdb"))
        connection.execute("SET TimeZone = 'UTC'")
        tables.write(connection, os.path.join(given.data, "lake"), parquet)
        connection.close()
        os.remove(os.path.join(given.work, "making.duckdb"))
    others = [PEERS[name](given.work) for name in given.peers.split(",") if name]
    for peer in others:
        if not os.path.exists(peer.folder):
            peer.load(parquet)
        peer.open()
    ours = Hitstone(given.hitstone, given.data, given.host)
    ours.open()
    drawing = Drawing(duckdb.connect(), parquet, given.seed)

    lines, differences = [], []
    print("| statistic | days | filter | hitstone ms | " + " | ".join(f"{peer.name} ms" for peer in others) + " | ratio |")
    print("|---|---|---|---|" + "---|" * len(others) + "---|")
    for days in map(int, given.ranges.split(",")):
        for kind in given.filters.split(","):
            for name in given.statistics.split(","):
                measure(ours, others, drawing, name, kind, days, 1, differences)  # warms
                times = measure(ours, others, drawing, name, kind, days, given.runs, differences)
                medians = {engine: numbers.median(spent) for engine, spent in times.items()}
                best = min((medians[peer.name] for peer in others), default=math.nan)
                ratio = best / medians["hitstone"]
                lines.append({"statistic": name, "days": days, "filter": kind, "ratio": ratio, "times": times})
                cells = " | ".join(f"{medians[peer.name]:.1f}" for peer in others)
                print(f"| {name} | {days} | {kind} | {medians['hitstone']:.2f} | {cells} | {ratio:.1f} |", flush=True)
    print(f"\nresident anonymous memory of hitstone: {ours.memory() >> 20} MiB")
    ours.close()
    if others and lines:
        ratios = sorted(lines, key=lambda line: line["ratio"])
        mean = math.exp(numbers.fmean(math.log(line["ratio"]) for line in lines))
        print(f"geometric mean of {len(lines)} ratios: {mean:.1f}; the least:")
        for line in ratios[:15]:
            print(f"  {line['ratio']:.1f}  {line['statistic']} {line['days']} days, {line['filter']}")
    if given.out:
        with open(given.out, "w") as file:
            json.dump(lines, file)
    for difference in differences[:20]:
        print("DIFFERS:", difference)
    print(f"{len(differences)} answers differ")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
