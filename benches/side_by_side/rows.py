"""Answers of Hitstone and of the peers as rows that can be compared."""

from statements import ATTRIBUTES, CLOCKS

SHOWN = {"country": "country_code"}


def of_hitstone(name, answer):
    """The rows of a statistic's JSON, keys first."""
    if name in ("total",):
        return [[*counts(answer), answer["bounce_rate"], answer["cr"]]]
    if name == "visitor":
        return [[line["day"][:10], *counts(line), line["cr"]] for line in answer if line["sessions"]]
    if name.startswith("duration/"):
        return [[line["day"][:10], line["average_time_spent_seconds"]] for line in answer if line["average_time_spent_seconds"]]
    if name in CLOCKS:
        slot = {"hours": lambda l: l["hour"], "minutes": lambda l: l["minute"], "weekdays": lambda l: l["weekday"] * 24 + l["hour"]}[name]
        return [[slot(line), *counts(line)] for line in answer if line["views"]]
    if name == "hostname":
        return [[line["hostname"], *counts(line), line["relative_visitors"], line["relative_views"]] for line in answer]
    if name == "page":
        return [[line["path"], *counts(line), line["relative_visitors"], line["relative_views"]] for line in answer]
    if name in ("page/entry", "page/exit"):
        count, rate = ("entries", "entry_rate") if name == "page/entry" else ("exits", "exit_rate")
        return [[line["path"], line["visitors"], line["sessions"], line[count], line[rate]] for line in answer]
    if name == "growth":
        return [[answer[f"{of}_growth"] for of in ("visitors", "views", "sessions", "bounces")]]
    if name == "events":
        return [[line["name"], line["visitors"], line["count"], line["average_duration_seconds"], line["cr"]] for line in answer]
    if name == "event/meta":
        return [[line["meta_value"], line["visitors"], line["count"], line["average_duration_seconds"], line["cr"]] for line in answer]
    if name == "referrer":
        return [[line["referrer_name"], line["visitors"], line["sessions"], line["bounces"], line["relative_visitors"]] for line in answer]
    if name == "platform":
        known = [(p, answer[f"platform_{p}"], answer[f"relative_platform_{p}"]) for p in ("desktop", "mobile", "unknown")]
        return sorted(([*line] for line in known if line[1]), key=lambda line: (-line[1], line[0]))
    if name == "channel":
        return [[line["channel"], *counts(line), line["relative_visitors"], line["relative_views"]] for line in answer]
    columns = {"city": ["city", "country_code", "region"]}.get(name) or [SHOWN.get(c, c) for c in ATTRIBUTES[name]]
    return [[*(line[column] for column in columns), line["visitors"], line["relative_visitors"]] for line in answer]


def of_peer(name, rows):
    """The same of a peer's rows."""
    rows = [[text(value) for value in row] for row in rows]
    if name == "total":
        return [[*row[:4], share(row[3], row[2]), share(row[0], row[4])] for row in rows]
    if name == "visitor":
        return [[*row[:5], share(row[1], row[5])] for row in rows]
    if name.startswith("duration/"):
        return [[row[0], mean(row[1], row[2])] for row in rows]
    if name in ("hostname", "page", "channel"):
        return [[*row[:5], share(row[1], row[5]), share(row[2], row[6])] for row in rows]
    if name in ("page/entry", "page/exit"):
        return [[*(row[at] or 0 for at in range(4)), share(row[3], row[4])] for row in rows]
    if name == "growth":
        now, before = rows[0][:4], rows[0][4:]
        rated = [*now[:3], share(now[3], now[2])], [*before[:3], share(before[3], before[2])]
        return [[grown(a, b) for a, b in zip(*rated)]]
    if name in ("events", "event/meta"):
        return [[row[0], row[1], row[2], int(row[3] or 0) // row[2], share(row[1], row[4])] for row in rows]
    if name == "referrer":
        return [[*row[:4], share(row[1], row[4])] for row in rows]
    if name in CLOCKS:
        return rows
    return [[*row[:-1], share(row[-2], row[-1])] for row in rows]


def counts(line):
    return [line[name] for name in ("visitors", "views", "sessions", "bounces")]


def text(value):
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return value if isinstance(value, (str, float)) or value is None else int(value)


def share(part, whole):
    return min((part or 0) / max(whole or 0, 1), 1.0)


def grown(now, before):
    if not before:
        return 1.0 if now else 0.0
    return (now - before) / before


def mean(total, count):
    """Rounded half to even."""
    total, count = int(total), int(count)
    floor, rest = divmod(total, count)
    return floor + (2 * rest > count or (2 * rest == count and floor % 2))


def difference(name, ours, theirs):
    """What differs, in words; `None` when nothing does."""
    if len(ours) != len(theirs):
        return f"{len(ours)} rows against {len(theirs)}"
    for at, (a, b) in enumerate(zip(ours, theirs)):
        if len(a) != len(b) or any(not same(x, y) for x, y in zip(a, b)):
            return f"row {at}: {a} against {b}"
    return None


def same(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return abs(a - b) <= 1e-9 * max(1.0, abs(a), abs(b))
