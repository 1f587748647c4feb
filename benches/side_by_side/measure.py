"""Asks Hitstone and the peers the same, one after the other, and compares the answers."""

import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import rows
from hitstone import Hitstone
from questions import Drawing
from statements import Question, statement


@dataclass
class Cell:
    """A statistic over so many days with a kind of filter: milliseconds and bytes by engine."""

    statistic: str
    days: int
    filter: str
    warm: dict[str, list[float]] = field(default_factory=dict)
    # The same request to Hitstone once more, allowed to be answered from a memory of answers.
    again: list[float] = field(default_factory=list)
    cold: dict[str, float] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)

    def median(self, engine: str) -> float:
        return statistics.median(self.warm[engine])

    def ratio(self) -> float | None:
        """How many times longer the faster peer takes."""
        return faster({engine: self.median(engine) for engine in self.warm})

    def cold_ratio(self) -> float | None:
        return faster(self.cold)

    def bandwidth(self, engine: str) -> float | None:
        """Gigabytes touched in a second, warm."""
        bytes_touched = self.touched.get(engine)
        return None if bytes_touched is None else bytes_touched / self.median(engine) / 1e6


def faster(times: dict[str, float]) -> float | None:
    others = [spent for engine, spent in times.items() if engine != Hitstone.name]
    return min(others) / times[Hitstone.name] if others and Hitstone.name in times else None


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    begun = time.perf_counter()
    result = function()
    return (time.perf_counter() - begun) * 1e3, result


class Asker:
    """The engines, what is drawn for them, and which of their answers differed."""

    def __init__(self, ours: Hitstone, peers: list, drawing: Drawing):
        self.ours, self.peers, self.drawing = ours, peers, drawing
        self.differences: list[str] = []
        self.memory = 0

    def draw(self, cell: Cell) -> tuple[dict, dict[str, str]]:
        """Arguments of a request to Hitstone, and the same as SQL by peer."""
        (first, last), filters = self.drawing.period(cell.days), self.drawing.filters(cell.filter)
        ours = {"name": cell.statistic, "first": first.isoformat(), "last": last.isoformat(), "filters": filters}
        span = f"{first} 00:00:00", f"{last.fromordinal(last.toordinal() + 1)} 00:00:00"
        theirs = {peer.name: statement(Question(peer.dialect, *span, filters), cell.statistic) for peer in self.peers}
        return ours, theirs

    def compare(self, asked: dict, answer: bytes, peer: str, found: list) -> None:
        name = asked["name"]
        fault = rows.difference(name, rows.of_hitstone(name, json.loads(answer)), rows.of_peer(name, found))
        if fault:
            self.differences.append(f"{name} {asked['first']}..{asked['last']} {asked['filters']} {peer}: {fault}")

    def read_all(self, names: list[str]) -> None:
        """Asks for everything once over all days: nothing is read for the first time afterwards."""
        for name in names:
            asked, statements = self.draw(Cell(name, self.drawing.days, "none"))
            self.ours.ask(self.ours.request(**asked))
            for peer in self.peers:
                peer.ask(statements[peer.name])

    def warm(self, cell: Cell, runs: int) -> None:
        """Each run asks something else; the first is not counted."""
        cell.warm = {engine.name: [] for engine in (self.ours, *self.peers)}
        for run in range(runs + 1):
            asked, statements = self.draw(cell)
            spent, answer = timed(lambda: self.ours.ask(self.ours.request(**asked)))
            again, _ = timed(lambda: self.ours.ask(self.ours.request(**asked, cached=True)))
            times = {self.ours.name: spent}
            for peer in self.peers:
                times[peer.name], found = timed(lambda: peer.ask(statements[peer.name]))
                self.compare(asked, answer, peer.name, found)
            if run:
                cell.again.append(again)
                for engine, spent in times.items():
                    cell.warm[engine].append(spent)
        self.memory = max(self.memory, self.ours.memory())

    def cold(self, cell: Cell) -> None:
        """Once after everything was forgotten; then what was touched, of the same."""
        asked, statements = self.draw(cell)
        requests = {self.ours.name: self.ours.request(**asked), **statements}
        for engine in (self.ours, *self.peers):
            engine.forget()
            cell.cold[engine.name], _ = timed(lambda: engine.ask(requests[engine.name]))
            cell.touched[engine.name] = engine.touched(requests[engine.name])


def geometric_mean(ratios: list[float]) -> float:
    return math.exp(statistics.fmean(map(math.log, ratios)))


def cells(ranges: list[int], filters: list[str], names: list[str]) -> Iterator[Cell]:
    return (Cell(name, days, kind) for days in ranges for kind in filters for name in names)
