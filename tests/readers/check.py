"""Counts a folder of Parquet files (an export, or a lake) with several engines, each reading it in place, and compares with what the server said.

Usage: check.py FOLDER WANTED.json
"""

import json
import sys

SESSIONS = """
SELECT visitor_id, session_id, max(time) AS last,
       sum(CASE WHEN kind = 'page_view' THEN 1 ELSE 0 END) AS views
FROM {files} GROUP BY visitor_id, session_id
"""
QUERIES = {
    "rows": "SELECT count(*) FROM {files} WHERE site = '{host}' AND month IN ('2025-03', '2025-04', '2025-05')",
    "days": "SELECT {day}, count(DISTINCT visitor_id), count(*), sum(views) FROM (" + SESSIONS + ") AS s GROUP BY 1",
    "pages": "SELECT path, count(DISTINCT visitor_id), {sessions}, count(*) FROM {files} "
    "WHERE kind = 'page_view' GROUP BY path",
    "events": "SELECT event_name, count(DISTINCT visitor_id), count(*), count(*) FROM {files} "
    "WHERE kind = 'event' GROUP BY event_name",
    "meta": "SELECT count(*) FROM {files} WHERE {currency} = '€'",
    "tags": "SELECT count(*) FROM {files} WHERE {author} = 'Jané'",
}


def duckdb(folder, host):
    import duckdb as engine

    files = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
    words = {
        "files": files,
        "host": host,
        "day": "strftime(last AT TIME ZONE 'UTC', '%Y-%m-%d')",
        "sessions": "count(DISTINCT (visitor_id, session_id))",
        "currency": "event_meta['currency']",
        "author": "tags['author']",
    }
    connection = engine.connect()
    run = lambda query: connection.execute(query.format(**words)).fetchall()
    return engine.__version__, {name: run(query) for name, query in QUERIES.items()}


def chdb(folder, host):
    import chdb as engine

    words = {
        "files": f"file('{folder}/site=*/month=*/*.parquet', Parquet)",
        "host": host,
        "day": "formatDateTime(last, '%F', 'UTC')",
        "sessions": "count(DISTINCT (visitor_id, session_id))",
        "currency": "event_meta['currency']",
        "author": "tags['author']",
    }

    def run(query):
        settings = " SETTINGS use_hive_partitioning = 1, output_format_json_quote_64bit_integers = 0"
        answer = str(engine.query(query.format(**words) + settings, "JSONCompactEachRow"))
        return [tuple(json.loads(line)) for line in answer.splitlines()]

    return engine.__version__, {name: run(query) for name, query in QUERIES.items()}


def polars(folder, host):
    import polars as engine

    c = engine.col
    rows = engine.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=True, try_parse_hive_dates=False)
    session = engine.struct("visitor_id", "session_id").n_unique()
    sessions = rows.group_by("visitor_id", "session_id").agg(
        c("time").max().alias("last"), (c("kind") == "page_view").sum().alias("views")
    )
    has = lambda column, key, value: c(column).map.get(key) == value
    months = ["2025-03", "2025-04", "2025-05"]
    frames = {
        "rows": rows.filter((c("site") == host) & c("month").is_in(months)).select(engine.len()),
        "days": sessions.group_by(c("last").dt.strftime("%Y-%m-%d")).agg(
            c("visitor_id").n_unique(), engine.len(), c("views").sum()
        ),
        "pages": rows.filter(c("kind") == "page_view")
        .group_by("path")
        .agg(c("visitor_id").n_unique(), session.alias("sessions"), engine.len()),
        "events": rows.filter(c("kind") == "event")
        .group_by("event_name")
        .agg(c("visitor_id").n_unique(), engine.len(), engine.len().alias("again")),
        "meta": rows.filter(has("event_meta", "currency", "€")).select(engine.len()),
        "tags": rows.filter(has("tags", "author", "Jané")).select(engine.len()),
    }
    return engine.__version__, {name: frame.collect().rows() for name, frame in frames.items()}


def main():
    folder, wanted = sys.argv[1], json.load(open(sys.argv[2]))
    tables = {name: sorted(map(tuple, wanted[name])) for name in ("days", "pages", "events")}
    tables["days"] = sorted((day[:10], *rest) for day, *rest in tables["days"])
    seen = {}
    failed = False
    for engine in (duckdb, chdb, polars):
        version, found = engine(folder, wanted["host"])
        numbers = {name: found.pop(name)[0][0] for name in ("rows", "meta", "tags")}
        found = {name: sorted((line[0], *map(int, line[1:])) for line in lines) for name, lines in found.items()}
        print(f"{engine.__name__} {version}: {numbers}, {sum(map(len, found.values()))} lines compared")
        for name, lines in tables.items():
            for ours, theirs in zip(lines + [None] * len(found[name]), found[name] + [None] * len(lines)):
                if ours != theirs:
                    print(f"{engine.__name__}, {name}: the server says {ours}, it says {theirs}")
                    failed = True
                    break
        if numbers["rows"] != wanted["rows"] or not numbers["meta"] or not numbers["tags"]:
            print(f"{engine.__name__}: {numbers}, the export told of {wanted['rows']} rows")
            failed = True
        if seen.setdefault("numbers", numbers) != numbers:
            print(f"{engine.__name__}: {numbers}, another engine {seen['numbers']}")
            failed = True
    sys.exit(failed)


main()
