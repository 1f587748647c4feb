"""How Hitstone's times grow with the number of events."""

import argparse
import statistics
import time
from typing import Any

from data import HOST, Data
from hitstone import Hitstone
from measure import Asker, Cell, cells
from questions import Drawing
from report import number, row

OPENINGS = 3


def measure(binary: str, folders: dict[int, Data], given: argparse.Namespace) -> dict[int, dict[str, Any]]:
    """By number of events: cells over all days, seconds until a server answers, memory."""
    found = {}
    for events, data in folders.items():
        ours = Hitstone(binary, data.data, HOST)
        openings = []
        for _ in range(OPENINGS):
            openings.append(ours.open())
            ours.close()
        ours.open()
        time.sleep(1)
        idle = ours.memory()
        asker = Asker(ours, [], Drawing(ours, given.days, given.seed))
        asked = list(cells([given.days], given.filters, given.statistics))
        for cell in asked:
            asker.warm(cell, given.runs)
        ours.close()
        found[events] = {"cells": asked, "opening": statistics.median(openings), "idle": idle, "memory": asker.memory, "bytes": data.size()}
    return found


def markdown(found: dict[int, dict[str, Any]]) -> str:
    """One line a statistic, one pair of columns a size."""
    sizes = list(found)
    head = ["over all days", *(f"{events} events, ms" for events in sizes), *(f"ns an event at {events}" for events in sizes)]
    lines = ["## Growth", "", row(head), row(["---"] * len(head))]
    facts = (("opening, ms", "opening", 1e3, 1), ("bytes on disk an event", "bytes", None, 1))
    for what, name, factor, digits in facts:
        values = [found[events][name] * (factor or 1 / events) for events in sizes]
        lines.append(row([what, *(number(value, digits) for value in values), *("" for _ in sizes)]))
    for what, name in (("anonymous memory idle, MiB", "idle"), ("anonymous memory at most, MiB", "memory")):
        lines.append(row([what, *(str(found[events][name] >> 20) for events in sizes), *("" for _ in sizes)]))
    by_size: list[list[Cell]] = [found[events]["cells"] for events in sizes]
    for same in zip(*by_size):
        medians = [cell.median("hitstone") for cell in same]
        each = [median * 1e6 / events for median, events in zip(medians, sizes)]
        lines.append(row([f"{same[0].statistic}, {same[0].filter}", *(number(median, 2) for median in medians), *(number(ns, 2) for ns in each)]))
    return "\n".join([*lines, ""])
