"""What is asked: filters and periods, drawn anew for each request from what occurs."""

import datetime
import json
import random

from hitstone import Hitstone

FILTERS = ("none", "country", "path", "pattern", "three")
PATTERNS = ["(?i)^/blog/2019/[^/]+/[^/]+$", "^/docs/[^/]+/[^/]+$", "^/products/[^/]+/.*$", "(?i)^/(pricing|checkout)$", "^/blog/20(19|20)/"]
PLATFORMS = ["desktop", "mobile"]


# Of the generator.
FIRST_DAY = datetime.date(2025, 1, 1)


class Drawing:
    """Draws filters and periods of so many days; values that are frequent are asked of an open server."""

    def __init__(self, ours: Hitstone, days: int, seed: int):
        self.random, self.days = random.Random(seed), days
        span = FIRST_DAY.isoformat(), (FIRST_DAY + datetime.timedelta(days=days - 1)).isoformat()
        of = {name: json.loads(ours.ask(ours.request(name, *span, {}))) for name in ("country", "page")}
        self.countries = [line["country_code"] for line in of["country"] if line["country_code"]][:20]
        self.paths = [line["path"] for line in of["page"]][:60]

    def period(self, days: int) -> tuple[datetime.date, datetime.date]:
        """The first and the last of so many days."""
        days = min(days, self.days)
        first = FIRST_DAY + datetime.timedelta(days=self.random.randint(0, self.days - days))
        return first, first + datetime.timedelta(days=days - 1)

    def filters(self, kind: str) -> dict[str, str]:
        draw = self.random.choice
        return {
            "none": lambda: {},
            "country": lambda: {"country": draw(self.countries)},
            "path": lambda: {"path": draw(self.paths)},
            "pattern": lambda: {"pattern": draw(PATTERNS)},
            "three": lambda: {"country": draw(self.countries[:8]), "platform": draw(PLATFORMS), "path": draw(self.paths[:30])},
        }[kind]()
