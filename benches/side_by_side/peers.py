"""DuckDB and ClickHouse (chDB), each with the tables of tables.py in its own storage."""

import json
import os
import shutil
from typing import Any

import page_cache
from tables import ATTRIBUTES, TABLES

THREADS = os.cpu_count()


class DuckDb:
    name = dialect = "duckdb"

    def __init__(self, folder: str):
        self.folder = os.path.join(folder, "duckdb")

    def load(self, parquet: str) -> None:
        import duckdb

        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        connection = duckdb.connect(os.path.join(self.folder, "db"))
        for table in TABLES:
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM '{parquet}/{table}.parquet'")
        connection.execute("CHECKPOINT")
        connection.close()

    def open(self) -> None:
        import duckdb

        self.connection = duckdb.connect(os.path.join(self.folder, "db"), read_only=True)
        self.connection.execute(f"SET threads = {THREADS}")
        self.connection.execute("SET TimeZone = 'UTC'")

    def ask(self, sql: str) -> list[tuple]:
        return self.connection.execute(sql).fetchall()

    def close(self) -> None:
        self.connection.close()

    def forget(self) -> None:
        """Drops what it has read."""
        self.close()
        page_cache.evict(self.folder)
        page_cache.drop_all()
        self.open()

    def touched(self, sql: str) -> int:
        """Bytes that a statement reads of the database's file, compressed as they are there."""
        self.close()
        self.open()
        self.connection.execute("SET enable_profiling = 'no_output'")
        self.ask(sql)
        told = json.loads(self.connection.get_profiling_information("json"))
        self.connection.execute("RESET enable_profiling")
        return told["io"]["total_bytes_read"]


class ClickHouse:
    name = dialect = "chdb"
    text = "LowCardinality(String)"
    # Its condition cache would remember earlier answers in part.
    settings = (
        f" SETTINGS max_threads = {THREADS}, use_query_condition_cache = 0, join_use_nulls = 0, "
        "output_format_json_quote_64bit_integers = 0, output_format_json_quote_denormals = 0"
    )

    def __init__(self, folder: str):
        self.folder = os.path.join(folder, "chdb")

    def load(self, parquet: str) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.open()
        t = self.text
        attributes = ", ".join(f"{name} {t}" for name in ATTRIBUTES)
        of_visit = f"sid UInt64, visitor Int64, bounce UInt8, seconds UInt32, entry_path {t}, exit_path {t}, {attributes}"
        tables = {
            "visits": f"start DateTime64(3, 'UTC'), last DateTime64(3, 'UTC'), views UInt32, {of_visit}",
            "views": f"time DateTime64(3, 'UTC'), path {t}, hostname {t}, on_page UInt32, {of_visit}",
            "events": f"time DateTime64(3, 'UTC'), path {t}, event_name {t}, duration UInt32, "
            f"meta_keys Array({t}), meta_values Array({t}), {of_visit}",
        }
        for table, columns in tables.items():
            time = "last" if table == "visits" else "time"
            self.run(f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree PARTITION BY toYYYYMM({time}) ORDER BY (toDate({time}), visitor, sid, {time})")
            names = ", ".join(name for name, _ in self.columns(table))
            file = os.path.abspath(f"{parquet}/{table}.parquet")
            self.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM file('{file}', Parquet)")
            self.run(f"OPTIMIZE TABLE {table} FINAL")
        self.close()

    def open(self) -> None:
        from chdb import session

        self.session = session.Session(self.folder)
        self.run("CREATE DATABASE IF NOT EXISTS side ENGINE = Atomic")
        self.run("USE side")

    def close(self) -> None:
        self.session.close()

    def columns(self, table: str) -> list[list[str]]:
        return self.lines(f"SELECT name, type FROM system.columns WHERE database = 'side' AND table = '{table}'")

    def run(self, sql: str) -> Any:
        return self.session.query(sql, "TabSeparated")

    def lines(self, sql: str) -> list[list[Any]]:
        answer = self.session.query(sql, "JSONCompactEachRow")
        return [json.loads(line) for line in answer.bytes().splitlines()]

    def ask(self, sql: str) -> list[list[Any]]:
        return self.lines(sql + self.settings)

    def forget(self) -> None:
        """Drops what it has read."""
        for cache in ("MARK", "UNCOMPRESSED", "PRIMARY INDEX", "QUERY CONDITION", "MMAP"):
            self.run(f"SYSTEM DROP {cache} CACHE")
        page_cache.evict(self.folder)
        page_cache.drop_all()

    def touched(self, sql: str) -> int:
        """Bytes that a statement reads of the tables' columns, uncompressed."""
        return self.session.query(sql + self.settings, "JSONCompactEachRow").storage_bytes_read()


PEERS = {peer.name: peer for peer in (DuckDb, ClickHouse)}
