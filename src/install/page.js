// Logs in with what the form says, shows the site's snippets, and asks every few seconds what has arrived and what was
// left out. The token lives as long as the page.
(() => {
  const EVERY_MS = 3000;
  const WINDOW_SECONDS = 600;
  // Why events are left out, by the server's words for it.
  const REASONS = {
    bot: "It came from a program",
    dnt: "The visitor asked not to be tracked",
    filter: "A filter of the site names it",
    hostname: "The page is of another host",
    "no-session": "There was no visit to keep alive",
    prefetch: "The browser fetched the page before anyone asked for it",
    spam: "The referrer is spam",
  };
  const byId = (id) => document.getElementById(id);
  const say = (id, text) => { byId(id).textContent = text; };
  let token = "";
  let domain;

  // Addresses are relative, so that the page works below a proxy's path.
  const ask = async (path, options = {}) => {
    const answer = await fetch(path, {
      ...options,
      cache: "no-store",
      credentials: "omit",
      headers: token ? { Authorization: "Bearer " + token } : {},
    });
    if (answer.ok) return answer.json();
    const { error } = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(error ? error.join(", ") : "the server answered " + answer.status), {
      status: answer.status,
    });
  };

  const rows = (id, list) => {
    const table = byId(id);
    table.hidden = !list.length;
    table.tBodies[0].replaceChildren(...list.map((texts) => {
      const row = document.createElement("tr");
      for (const text of texts) row.insertCell().textContent = text;
      return row;
    }));
  };

  const look = async () => {
    const today = new Intl.DateTimeFormat("en-CA", { timeZone: domain.timezone || "UTC" }).format(new Date());
    const statistic = (name, more) => ask("api/v1/statistics/" + name + "?id=" + domain.id + more);
    const [active, events, rejected] = await Promise.all([
      statistic("active", "&start=" + WINDOW_SECONDS),
      statistic("events", "&from=" + today + "&to=" + today),
      ask("api/v1/rejected?id=" + domain.id),
    ]);
    const arrives = active.visitors || events.length;
    say("state", arrives
      ? "Events arrive. Visitors of the last ten minutes: " + active.visitors + "."
      : "Nothing has arrived in the last ten minutes. This page looks again by itself.");
    rows("pages", active.stats.map(({ path, visitors }) => [path, visitors]));
    rows("events", events.map(({ name, count }) => [name, count]));
    const why = ({ reason, detail }) => (REASONS[reason] || reason) + (detail ? ": " + detail : "");
    rows("rejected", rejected.filter(({ day }) => day == today).map((row) => [why(row), row.count]));
  };

  const keepLooking = async () => {
    try {
      await look();
      say("fault", "");
    } catch (error) {
      say("fault", error.message);
      if (error.status == 401) return logOut();
    }
    setTimeout(keepLooking, EVERY_MS);
  };

  const logOut = () => {
    token = "";
    byId("site").hidden = true;
    byId("login").hidden = false;
  };

  const show = () => {
    const at = (path) => new URL(path, location).href;
    const noscript = "\n<noscript><img src=\"" + at("api/v1/noscript/events/pageviews")
      + "\" alt=\"\" referrerpolicy=\"no-referrer-when-downgrade\"></noscript>";
    const tag = (path, more) => "<script defer src=\"" + at(path) + "\"" + more + "></" + "script>";
    const { integrity } = document.documentElement.dataset;
    say("host", domain.hostname);
    say("plain", tag("hs.js", "") + noscript);
    say("sealed", tag("hs.js", " integrity=\"" + integrity + "\" crossorigin=\"anonymous\"") + noscript);
    const { origin } = location;
    say("policy", "script-src " + origin + "; connect-src " + origin + "; img-src " + origin);
    say("prisme", tag("static/wa.js", ""));
    say("pirsch", tag("pa.js", " id=\"pianjs\" data-code=\"" + domain.identification_code + "\""));
    byId("login").hidden = true;
    byId("site").hidden = false;
  };

  byId("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    say("fault", "");
    try {
      token = "";
      const body = JSON.stringify({ client_id: byId("client").value.trim(), client_secret: byId("secret").value.trim() });
      token = (await ask("api/v1/token", { method: "POST", body })).access_token;
      [domain] = await ask("api/v1/domain");
    } catch (error) {
      return say("fault", error.message);
    }
    byId("secret").value = "";
    show();
    keepLooking();
  });
})();
