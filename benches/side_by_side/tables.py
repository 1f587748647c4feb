"""Tables for the peers, made from the files that Hitstone imports: visits, their page views and their custom events, each row
with the attributes of its visit, as web analytics on these engines keep them."""

from typing import Any

ATTRIBUTES = (
    "referrer referrer_name channel language country region city os os_version browser browser_version platform screen_class "
    "utm_source utm_medium utm_campaign utm_content utm_term"
).split()

ROWS = """
CREATE TEMP TABLE rows AS
SELECT visitor_id AS visitor, session_id, CAST(time AS TIMESTAMP_MS) AS time, kind, epoch_ms(time) // 1000 AS second,
    coalesce(path, '') AS path, coalesce(hostname, '') AS hostname, coalesce(event_name, '') AS event_name,
    coalesce(event_duration, 0) AS duration, coalesce(non_interactive, false) AS quiet,
    coalesce(map_keys(event_meta), []) AS meta_keys, coalesce(map_values(event_meta), []) AS meta_values,
    {attributes},
    row_number() OVER () AS place
FROM read_parquet('{files}')
"""

VISITS = """
CREATE TEMP TABLE visits AS
SELECT row_number() OVER (ORDER BY min(place)) AS sid, visitor, session_id, min(time) AS start, max(time) AS last,
    count(*) FILTER (WHERE kind = 'page_view') AS views,
    CAST(count(DISTINCT path) FILTER (WHERE kind = 'page_view') <= 1
        AND count(*) FILTER (WHERE kind = 'event' AND NOT quiet) = 0 AS TINYINT) AS bounce,
    max(second) - min(second) AS seconds,
    coalesce(arg_min(path, place) FILTER (WHERE kind = 'page_view'), '') AS entry_path,
    CASE WHEN count(*) FILTER (WHERE kind = 'page_view') = 0 THEN ''
        ELSE coalesce(arg_max(path, place) FILTER (WHERE path <> ''), '') END AS exit_path,
    {attributes}
FROM rows GROUP BY visitor, session_id
"""

OF_VISIT = ", ".join(f"v.{name}" for name in ("sid", "visitor", "bounce", "seconds", "entry_path", "exit_path", *ATTRIBUTES))

VIEWS = f"""
CREATE TEMP TABLE page_views AS
SELECT r.time, r.path, r.hostname, CASE WHEN r.next IS NULL THEN 0 ELSE least(3600, r.next - r.second) END AS on_page, {OF_VISIT}
FROM (SELECT *, lead(second) OVER (PARTITION BY visitor, session_id ORDER BY place) AS next FROM rows WHERE kind = 'page_view') r
JOIN visits v ON r.visitor = v.visitor AND r.session_id = v.session_id ORDER BY r.time
"""

EVENTS = f"""
CREATE TEMP TABLE custom_events AS
SELECT r.time, r.path, r.event_name, r.duration, r.meta_keys, r.meta_values, {OF_VISIT}
FROM (SELECT * FROM rows WHERE kind = 'event') r
JOIN visits v ON r.visitor = v.visitor AND r.session_id = v.session_id ORDER BY r.time
"""

TABLES = {"visits": "visits", "views": "page_views", "events": "custom_events"}


def write(connection: Any, files: str, out: str) -> None:
    """Writes the three tables as Parquet into a folder. `files` is a glob."""
    connection.execute(ROWS.format(files=files, attributes=", ".join(f"coalesce({name}, '') AS {name}" for name in ATTRIBUTES)))
    connection.execute(VISITS.format(attributes=", ".join(f"first({name}) AS {name}" for name in ATTRIBUTES)))
    connection.execute(VIEWS)
    connection.execute(EVENTS)
    for name, table in TABLES.items():
        order = "last" if name == "visits" else "time"
        connection.execute(f"COPY (SELECT * FROM {table} ORDER BY {order}) TO '{out}/{name}.parquet' (COMPRESSION zstd)")
