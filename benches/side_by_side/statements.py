"""The statistics as SQL, by the definitions of statistics.md, for DuckDB and ClickHouse over the tables of tables.py.

Each statement answers with the numbers that Hitstone's answer has, in its order, as rows whose first members are the
keys. Sums and counts come as they are; `rows.py` makes rates and averages of them.
"""

ATTRIBUTES = {
    "channel": ["channel"],
    "language": ["language"],
    "country": ["country"],
    "city": ["city", "country", "region"],
    "os": ["os"],
    "os/version": ["os", "os_version"],
    "browser": ["browser"],
    "browser/version": ["browser", "browser_version"],
    "screen": ["screen_class"],
    "platform": ["platform"],
    "utm/source": ["utm_source"],
    "utm/medium": ["utm_medium"],
    "utm/campaign": ["utm_campaign"],
    "utm/content": ["utm_content"],
    "utm/term": ["utm_term"],
}
CLOCKS = {"hours": ("hour", 24), "minutes": ("minute", 60), "weekdays": ("weekhour", 168)}
STATISTICS = [
    "total", "visitor", "duration/session", "duration/page", *CLOCKS, "hostname", "growth", "page", "page/entry", "page/exit",
    "events", "event/meta", "referrer", *ATTRIBUTES,
]

DIALECTS = {
    "duckdb": {
        "moment": "TIMESTAMP '%s'",
        "day": "CAST(%s AS DATE)",
        "hour": "hour(%s)",
        "minute": "minute(%s)",
        "weekhour": "(isodow(%s) - 1) * 24 + hour(%s)",
        "matches": "regexp_matches(path, '%s')",
        "distinct": "count(DISTINCT %s)",
        "distinct_if": "count(DISTINCT %s) FILTER (WHERE %s)",
        "sum_if": "coalesce(sum(%s) FILTER (WHERE %s), 0)",
        "count_if": "count(*) FILTER (WHERE %s)",
        "value": "meta_values[list_position(meta_keys, '%s')]",
        "has": "list_contains(meta_keys, '%s')",
        "keys": "(SELECT string_agg(k, ',' ORDER BY k) FROM (SELECT DISTINCT unnest(flatten(list(meta_keys))) AS k))",
        "escape": lambda text: text.replace("'", "''"),
    },
    "chdb": {
        "moment": "toDateTime64('%s', 3, 'UTC')",
        "day": "toDate(%s)",
        "hour": "toHour(%s)",
        "minute": "toMinute(%s)",
        "weekhour": "(toDayOfWeek(%s) - 1) * 24 + toHour(%s)",
        "matches": "match(path, '%s')",
        "distinct": "uniqExact(%s)",
        "distinct_if": "uniqExactIf(%s, %s)",
        "sum_if": "sumIf(%s, %s)",
        "count_if": "countIf(%s)",
        "value": "meta_values[indexOf(meta_keys, '%s')]",
        "has": "has(meta_keys, '%s')",
        "keys": "arrayStringConcat(arraySort(groupUniqArrayArray(meta_keys)), ',')",
        "escape": lambda text: text.replace("\\", "\\\\").replace("'", "\\'"),
    },
}


class Question:
    """A statistic's period and filter; `dialect` is a key of DIALECTS."""

    def __init__(self, dialect, start, end, filters):
        self.sql = DIALECTS[dialect]
        self.dialect = dialect
        self.span = (start, end)
        self.filters = filters

    def within(self, start, end):
        return Question(self.dialect, start, end, self.filters)

    def unfiltered(self):
        return Question(self.dialect, *self.span, {})

    def at(self, time):
        """Whether a time lies in the period."""
        start, end = (self.sql["moment"] % moment for moment in self.span)
        return f"{time} >= {start} AND {time} < {end}"

    def tests_rows(self):
        return any(name in self.filters for name in ("path", "pattern"))

    def attributes(self):
        """What selects sessions."""
        escape = self.sql["escape"]
        names = [name for name in self.filters if name not in ("path", "pattern")]
        return [f"{name} = '{escape(self.filters[name])}'" for name in names]

    def rows(self):
        """What selects rows."""
        escape, tests = self.sql["escape"], []
        if "path" in self.filters:
            tests.append(f"path = '{escape(self.filters['path'])}'")
        elif "pattern" in self.filters:
            tests.append(self.sql["matches"] % escape(self.filters["pattern"]))
        return tests

    def views(self):
        """The page views that count, as a table's name and a condition."""
        return "views", " AND ".join([self.at("time"), *self.attributes(), *self.rows()])

    def events(self):
        return "events", " AND ".join([self.at("time"), *self.attributes(), *self.rows()])

    def sessions(self):
        """Sessions at their last activity; page views when rows are asked for."""
        if self.tests_rows():
            return self.views()
        return "visits", " AND ".join([self.at("last"), *self.attributes()])

    def counts(self, what=("visitors", "views", "sessions", "bounces"), of_sessions=None):
        """The numbers of a tally, over sessions or rows."""
        over_rows = self.tests_rows() if of_sessions is None else not of_sessions
        distinct, distinct_if = self.sql["distinct"], self.sql["distinct_if"]
        of = {
            "visitors": distinct % "visitor",
            "views": "count(*)" if over_rows else "sum(views)",
            "sessions": distinct % "sid" if over_rows else "count(*)",
            "bounces": distinct_if % ("sid", "bounce = 1") if over_rows else "sum(bounce)",
        }
        return ", ".join(of[name] for name in what)

    def whole(self, number="visitors"):
        """A number of the whole period, whatever the filter."""
        plain = self.unfiltered()
        table, where = plain.sessions()
        return f"(SELECT {plain.counts((number,))} FROM {table} WHERE {where})"


def statement(question, name):
    """The SQL of a statistic."""
    q, sql = question, question.sql
    table, where = q.sessions()
    views, views_where = q.views()
    if name == "total":
        return f"SELECT {q.counts()}, {q.whole()} FROM {table} WHERE {where}"
    if name == "visitor":
        time = "time" if q.tests_rows() else "last"
        day, plain = sql["day"] % time, q.unfiltered()
        whole_table, whole_where = plain.sessions()
        whole = f"SELECT {sql['day'] % 'last'} AS d, {plain.counts(('visitors',))} AS w FROM {whole_table} WHERE {whole_where} GROUP BY d"
        own = f"SELECT {day} AS d, {q.counts(('visitors',))} AS a, {q.counts(('views',))} AS b, {q.counts(('sessions',))} AS c, {q.counts(('bounces',))} AS e FROM {table} WHERE {where} GROUP BY d"
        return f"SELECT o.d, a, b, c, e, w FROM ({own}) o JOIN ({whole}) x ON o.d = x.d ORDER BY o.d"
    if name == "duration/session":
        if q.tests_rows():
            time, inner = "time", f"SELECT DISTINCT {sql['day'] % 'time'} AS d, sid, seconds FROM {views} WHERE {views_where} AND seconds > 0"
            return f"SELECT d, sum(seconds), count(*) FROM ({inner}) s GROUP BY d ORDER BY d"
        return f"SELECT {sql['day'] % 'last'} AS d, sum(seconds), count(*) FROM {table} WHERE {where} AND seconds > 0 GROUP BY d ORDER BY d"
    if name == "duration/page":
        return f"SELECT {sql['day'] % 'time'} AS d, sum(on_page), count(*) FROM {views} WHERE {views_where} AND on_page > 0 GROUP BY d ORDER BY d"
    if name in CLOCKS:
        shown = sql[CLOCKS[name][0]]
        slot = shown.replace("%s", "time")
        return f"SELECT {slot} AS t, {q.counts(of_sessions=False)} FROM {views} WHERE {views_where} GROUP BY t ORDER BY t"
    if name == "hostname":
        return f"SELECT hostname, {q.counts(of_sessions=False)}, {q.whole()}, {q.whole('views')} FROM {views} WHERE {views_where} GROUP BY hostname ORDER BY 2 DESC, 1 LIMIT 100"
    if name == "growth":
        return growth(q)
    if name == "page":
        return f"SELECT path, {q.counts(of_sessions=False)}, {q.whole()}, {q.whole('views')} FROM {views} WHERE {views_where} GROUP BY path ORDER BY 2 DESC, 1 LIMIT 100"
    if name in ("page/entry", "page/exit"):
        end = name.split("/")[1]
        seen_q = Question(q.dialect, *q.span, {k: v for k, v in q.filters.items() if k not in ("path", "pattern")})
        seen, seen_where = seen_q.views()
        return (
            f"WITH e AS (SELECT {end}_path AS p, {sql['distinct'] % 'sid'} AS n FROM {views} WHERE {views_where} GROUP BY p), "
            f"s AS (SELECT path AS p, {sql['distinct'] % 'visitor'} AS v, {sql['distinct'] % 'sid'} AS c FROM {seen} WHERE {seen_where} GROUP BY p) "
            f"SELECT e.p, s.v, s.c, e.n, {q.whole('sessions')} FROM e LEFT JOIN s ON e.p = s.p ORDER BY e.n DESC, e.p LIMIT 100"
        )
    if name == "events":
        events, events_where = q.events()
        return (
            f"SELECT event_name, {sql['distinct'] % 'visitor'}, count(*), sum(duration), {q.whole()} FROM {events} WHERE {events_where} "
            f"GROUP BY event_name ORDER BY 2 DESC, 1 LIMIT 100"
        )
    if name == "event/meta":
        events, events_where = q.events()
        event, key = EVENT
        value = sql["value"] % key
        return (
            f"SELECT {value} AS m, {sql['distinct'] % 'visitor'}, count(*), sum(duration), {q.whole()} FROM {events} "
            f"WHERE {events_where} AND event_name = '{event}' AND {sql['has'] % key} GROUP BY m ORDER BY 2 DESC, 1 LIMIT 100"
        )
    if name == "referrer":
        return (
            f"SELECT referrer_name, {q.counts(('visitors', 'sessions', 'bounces'))}, {q.whole()} FROM {table} WHERE {where} "
            f"GROUP BY referrer_name ORDER BY 2 DESC, 1 LIMIT 100"
        )
    columns = ", ".join(ATTRIBUTES[name])
    order = ", ".join(str(at + 1) for at in range(len(ATTRIBUTES[name])))
    if name == "channel":
        numbers = f"{q.counts()}, {q.whole()}, {q.whole('views')}"
    else:
        numbers = f"{q.counts(('visitors',))}, {q.whole()}"
    first = len(ATTRIBUTES[name]) + 1
    return f"SELECT {columns}, {numbers} FROM {table} WHERE {where} GROUP BY {columns} ORDER BY {first} DESC, {order} LIMIT 100"


EVENT = ("Button Clicked", "value")


def growth(q):
    """The numbers of the period and of as many days before, side by side."""
    before = q.within(*previous(q.span))
    both = q.within(before.span[0], q.span[1])
    table, where = both.sessions()
    time = "time" if q.tests_rows() else "last"
    parts = []
    for period in (q.at(time), before.at(time)):
        rows = q.tests_rows()
        parts += [
            q.sql["distinct_if"] % ("visitor", period),
            q.sql["count_if"] % period if rows else q.sql["sum_if"] % ("views", period),
            q.sql["distinct_if"] % ("sid", period) if rows else q.sql["count_if"] % period,
            q.sql["distinct_if"] % ("sid", f"{period} AND bounce = 1") if rows else q.sql["sum_if"] % ("bounce", period),
        ]
    return f"SELECT {', '.join(parts)} FROM {table} WHERE {where}"


def previous(span):
    """As many days just before; of one day the same weekday a week before."""
    import datetime

    start, end = (datetime.datetime.fromisoformat(moment) for moment in span)
    length = end - start
    shift = datetime.timedelta(days=7) if length == datetime.timedelta(days=1) else length
    return tuple((moment - shift).strftime("%Y-%m-%d %H:%M:%S") for moment in (start, end))
