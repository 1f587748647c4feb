//! What the server does not answer yet, by the name of the endpoint, parameter or form. Neither drawn nor expected.

const NOT_YET: &[&str] = &[
    // Endpoints.
    "minutes",
    "hostname",
    "event/page",
    "event/list",
    "tags",
    "tag/details",
    "session/list",
    "session/details",
    "goals",
    "overview",
    "options",
    // Parameters.
    "from_time",
    "scale",
    "sort",
    "direction",
    "search",
    "custom_metric_key",
    "keyword",
    // Forms.
    "several event null",
    "event_meta_key !x",
    "event_meta_key ~x",
    "event_meta_key ^x",
    "event_meta_key several",
    "tag ~x",
    "tag ^x",
    "tag null",
    "tag !null",
    "tag several",
    // Members.
    "exit_path",
    "countries",
];

/// Whether the server has it.
pub fn exists(name: &str) -> bool {
    let group = name.split('/').next().unwrap_or_default();
    !NOT_YET.contains(&name) && !(group == "options" && NOT_YET.contains(&"options"))
}
