"""A folder with all that is made of one set of events: `events` (Parquet), `data` (Hitstone's), `peers`."""

import glob
import os
import shutil
from typing import Any

import environment
import tables
from hitstone import Hitstone

HOST = "example.com"


class Data:
    """Each step is left out when its folder is there."""

    def __init__(self, folder: str):
        self.events, self.data, self.peers = (os.path.join(folder, name) for name in ("events", "data", "peers"))
        # Of the first site: the one that is asked.
        self.files = os.path.join(self.events, HOST, "*.parquet")

    def generate(self, events: int, days: int, sites: int, seed: int, visitor_id: str) -> None:
        if not os.path.exists(self.events):
            making = f"{self.events}.making"
            shutil.rmtree(making, ignore_errors=True)
            environment.generate(making, events, days, sites, seed, visitor_id)
            os.rename(making, self.events)

    def load(self, binary: str) -> dict[str, Any]:
        """Imports and compacts. Returns what Hitstone told of it."""
        if os.path.exists(self.data):
            return {}
        making = f"{self.data}.making"
        shutil.rmtree(making, ignore_errors=True)
        os.makedirs(making)
        told = {}
        for host in sorted(os.listdir(self.events)):
            Hitstone.run(binary, making, "site", "create", host)
            told[host] = Hitstone.run(binary, making, "import", "--site", host, os.path.join(self.events, host))
            if told[host]["rejected"]:
                raise RuntimeError(f"rows were rejected: {told[host]}")
        told["compact"] = Hitstone.run(binary, making, "compact")
        os.rename(making, self.data)
        return told

    def load_peers(self, peers: list) -> None:
        """Makes the peers' tables of the events, and loads them."""
        if not peers:
            return
        import duckdb

        parquet = os.path.join(self.peers, "tables")
        if not os.path.exists(parquet):
            making = f"{parquet}.making"
            os.makedirs(making, exist_ok=True)
            database = os.path.join(making, "making.duckdb")
            with duckdb.connect(database) as connection:
                connection.execute("SET TimeZone = 'UTC'")
                tables.write(connection, self.files, making)
            os.remove(database)
            os.rename(making, parquet)
        for peer in peers:
            # Says that it was loaded to the end.
            mark = f"{peer.folder}.loaded"
            if not os.path.exists(mark):
                peer.load(parquet)
                open(mark, "w").close()

    def size(self) -> int:
        """Bytes of Hitstone's folder."""
        return sum(os.path.getsize(path) for path in glob.glob(os.path.join(self.data, "**"), recursive=True) if os.path.isfile(path))
