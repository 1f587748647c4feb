"""The figures as Markdown and as JSON."""

import dataclasses
import statistics

from measure import Cell, geometric_mean
from statements import ATTRIBUTES, CLOCKS

LARGE = ("page", "page/entry", "page/exit", "city", "referrer")
SMALL = ("total", "visitor", "duration/session", "duration/page", *CLOCKS, "hostname", "growth", *(set(ATTRIBUTES) - set(LARGE)))
# What is promised of medians at ten million events: which cells, milliseconds.
TARGETS = (
    ("unfiltered totals and small dimensions", 2, lambda cell: cell.filter == "none" and cell.statistic in SMALL),
    ("unfiltered pages, cities and referrers", 10, lambda cell: cell.filter == "none" and cell.statistic in LARGE),
    ("unfiltered events and their metadata", None, lambda cell: cell.filter == "none" and cell.statistic in ("events", "event/meta")),
    ("filtered years", 50, lambda cell: cell.filter != "none" and cell.days >= 365),
)
LEAST_SHOWN = 15


def number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def row(members: list[str]) -> str:
    return f"| {' | '.join(members)} |"


def table(cells: list[Cell], engines: list[str]) -> list[str]:
    """One line a cell."""
    ours, *peers = engines
    head = ["statistic", "days", "filter", f"{ours} ms", "again", "cold", "KB", "GB/s"]
    head += [f"{peer} {what}" for peer in peers for what in ("ms", "cold", "KB", "GB/s")]
    head += ["ratio", "cold ratio"]
    lines = [row(head), row(["---"] * len(head))]
    for cell in cells:
        members = [cell.statistic, str(cell.days), cell.filter]
        for engine in engines:
            members.append(number(cell.median(engine), 2))
            members += [number(statistics.median(cell.again), 2)] if engine == ours else []
            touched = cell.touched.get(engine)
            members += [number(cell.cold.get(engine)), "" if touched is None else str(touched >> 10), number(cell.bandwidth(engine), 2)]
        lines.append(row(members + [number(cell.ratio()), number(cell.cold_ratio())]))
    return lines


def targets(cells: list[Cell]) -> list[str]:
    lines = [row(["target", "ms", "median", "most", "cells above"]), row(["---"] * 5)]
    for what, limit, belongs in TARGETS:
        chosen = {f"{cell.statistic} {cell.days} {cell.filter}": cell.median("hitstone") for cell in cells if belongs(cell)}
        if not chosen:
            continue
        above = [name for name, median in chosen.items() if limit is not None and median >= limit]
        shown = ", ".join(above[:LEAST_SHOWN]) + (", …" if len(above) > LEAST_SHOWN else "")
        members = [what, str(limit or ""), number(statistics.median(chosen.values()), 2), number(max(chosen.values()), 2)]
        lines.append(row([*members, f"{len(above)} of {len(chosen)}: {shown}" if above else f"none of {len(chosen)}"]))
    return lines


def ratios(cells: list[Cell]) -> list[str]:
    """The mean of the ratios, and the least."""
    lines = []
    for what, ratio_of in (("warm", Cell.ratio), ("cold", Cell.cold_ratio)):
        found = sorted(((ratio, cell) for cell in cells if (ratio := ratio_of(cell)) is not None), key=lambda pair: pair[0])
        if not found:
            continue
        mean = geometric_mean([ratio for ratio, _ in found])
        lines += [f"Geometric mean of {len(found)} {what} ratios to the faster peer: **{mean:.1f}**. The least:", ""]
        lines += [f"- {ratio:.1f}: {cell.statistic}, {cell.days} days, {cell.filter}" for ratio, cell in found[:LEAST_SHOWN]]
        lines.append("")
    return lines


def by_days(cells: list[Cell], engines: list[str]) -> list[str]:
    """Means of the ratios by days and filter, and the median milliseconds of each engine: warm, and cold where that was asked."""
    filters = list(dict.fromkeys(cell.filter for cell in cells))
    lines = []
    for what, ratio_of, time_of in (
        ("warm", Cell.ratio, Cell.median),
        ("cold", Cell.cold_ratio, lambda cell, engine: cell.cold.get(engine)),
    ):
        found = [(cell, ratio) for cell in cells if (ratio := ratio_of(cell)) is not None]
        if not found:
            continue
        head = [f"{what}: days", *filters, *(f"{engine} ms" for engine in engines), "slower than a peer"]
        lines += [row(head), row(["---"] * len(head))]
        for days in dict.fromkeys(cell.days for cell, _ in found):
            of_days = [(cell, ratio) for cell, ratio in found if cell.days == days]
            means = [geometric_mean([ratio for cell, ratio in of_days if cell.filter == name]) for name in filters]
            times = [statistics.median(time_of(cell, engine) for cell, _ in of_days) for engine in engines]
            slower = sum(ratio < 1 for _, ratio in of_days)
            lines.append(row([str(days), *map(number, means), *map(number, times), f"{slower} of {len(of_days)}"]))
        lines.append("")
    return lines


def markdown(run: dict, cells: list[Cell], engines: list[str]) -> str:
    """The section of a run: its facts, how it stands to the targets, the table."""
    facts = [f"- {name}: {value}" for name, value in run.items()]
    parts = [[f"## {run['events']} events, {run['visitor ids']} visitor ids", ""], facts, [""]]
    parts += [ratios(cells), by_days(cells, engines), targets(cells), [""], table(cells, engines), [""]]
    return "\n".join(line for part in parts for line in part)


def plain(cells: list[Cell]) -> list[dict]:
    """The same for JSON."""
    return [
        {
            **dataclasses.asdict(cell),
            "median": {engine: cell.median(engine) for engine in cell.warm},
            "gigabytes_per_second": {engine: cell.bandwidth(engine) for engine in cell.touched},
            "ratio": cell.ratio(),
            "cold_ratio": cell.cold_ratio(),
        }
        for cell in cells
    ]
