// Pirsch's tag: page views, also of pages that a script changes to, named events, links to other hosts, downloads and
// pages that were not found, over Pirsch's browser calls by identification code. Keeps nothing in the browser.
(() => {
  const script = document.currentScript || document.getElementById("pianjs");
  const attribute = (name) => script.getAttribute("data-" + name);
  const has = (name) => script.hasAttribute("data-" + name);
  const list = (name) => (attribute(name) || "").split(",").map((text) => text.trim()).filter(Boolean);
  const endpoint = (name) => attribute(name + "-endpoint") || new URL(name, script.src).href;
  const noResolution = has("disable-resolution");

  // The site itself, then others that count the same: HOST or HOST:CODE.
  const sites = [attribute("dev") || location.hostname, ...list("domain")].map((text, at) => {
    const [hostname, code] = text.split(":");
    // Spaces are part of them, and one may have none where the next one has.
    const affix = (name) => (attribute(name) || "").split(",")[at] || "";
    const around = (part) => (text) => affix(part + "-prefix") + text + affix(part + "-suffix");
    return { hostname, code: code || attribute("code"), path: around("path"), title: around("title") };
  });

  const tags = {};
  list("tag").forEach((name) => { tags[name] = "1"; });
  for (const { name, value } of script.attributes) {
    if (name.startsWith("data-tag-")) tags[name.slice(9)] = value;
  }

  // Visitors opt out by an entry that we only read, where the browser lets us.
  const optedOut = () => {
    try {
      return localStorage.getItem("disable_pirsch");
    } catch {
      return false;
    }
  };

  const matches = (name) => list(name).some((pattern) => {
    try {
      return new RegExp(pattern).test(location.pathname);
    } catch (error) {
      console.error("Pirsch: data-" + name, error);
      return false;
    }
  });

  // Looked at anew each time: the path changes, and so may the visitor's mind.
  const counts = () =>
    !optedOut() && navigator.doNotTrack != "1" && !navigator.globalPrivacyControl
    && (!has("include") || matches("include")) && !matches("exclude");

  // On the developer's own machine nothing is sent, unless that is asked for.
  const isLocal = !has("dev")
    && (location.protocol == "file:" || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(location.hostname));

  const address = (site) => {
    const url = new URL(location);
    if (has("dev") || site != sites[0]) [url.hostname, url.port] = [site.hostname, ""];
    url.pathname = site.path(url.pathname);
    if (has("disable-query")) url.search = "";
    if (has("strip-anchor")) url.hash = "";
    return url.href.slice(0, 1800);
  };

  // Browsers break off an answer that nobody reads.
  const ask = async (url, options) => {
    const answer = await fetch(url, { keepalive: true, credentials: "omit", ...options });
    const text = await answer.text();
    if (!answer.ok) throw new Error("Pirsch: " + answer.status + " " + text);
  };

  const post = (name, body) => ask(endpoint(name), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

  const about = (site) => ({
    url: address(site),
    title: site.title(document.title),
    referrer: has("disable-referrer") ? "" : document.referrer,
    width: noResolution ? "" : screen.width,
    height: noResolution ? "" : screen.height,
  });

  const view = () => {
    if (isLocal) return console.info("Pirsch: page views on this host are not counted, unless the tag has data-dev");
    if (!counts()) return;
    for (const site of sites) {
      const { url, title, referrer, width, height } = about(site);
      const query = new URLSearchParams({
        nc: Date.now(), code: site.code, url, t: title, ref: referrer, w: width, h: height,
      });
      for (const name in tags) query.append("tag_" + name, tags[name]);
      ask(endpoint("hit") + "?" + query).catch(() => {});
    }
  };

  const event = async (name, options = {}) => {
    if (typeof name != "string" || !name) throw new TypeError("Pirsch: an event needs a name");
    if (isLocal) return console.info("Pirsch event: " + name, options);
    if (!counts()) return;
    const meta = { ...tags };
    for (const key in options.meta || {}) meta[key] = String(options.meta[key]);
    await Promise.all(sites.map((site) => {
      const { url, title, referrer, width, height } = about(site);
      return post("event", {
        identification_code: site.code,
        event_name: name,
        event_duration: Math.max(0, Math.round(options.duration) || 0),
        event_meta: meta,
        non_interactive: Boolean(options.non_interactive),
        url,
        title,
        referrer,
        screen_width: width || 0,
        screen_height: height || 0,
      });
    }));
  };
  const quietly = (name, meta, more) => event(name, { meta, ...more }).catch((error) => console.error(error));

  // What an element says of its event: as attributes, with or without "data-", or as classes.
  const marks = (element) => {
    const said = {};
    for (const { name, value } of element.attributes) {
      const key = name.replace(/^data-/, "");
      if (key.startsWith("pirsch-")) said[key.slice(7)] = value;
    }
    for (const text of element.classList) {
      const [key, value = ""] = text.split("=");
      if (key.startsWith("pirsch-")) said[key.slice(7)] = value.replace(/\+/g, " ");
    }
    return said;
  };

  const tell = (element) => {
    const { event: name, duration, ...rest } = marks(element);
    if (!name) return;
    const meta = {};
    for (const key in rest) if (key.startsWith("meta-")) meta[key.slice(5)] = rest[key];
    quietly(name, meta, { duration: Number(duration), non_interactive: "non-interactive" in rest });
  };

  const endings = ["7z", "avi", "csv", "dmg", "docx", "epub", "exe", "gz", "iso", "jar", "key", "midi", "mov", "mp3",
    "mp4", "mpeg", "msi", "ods", "odt", "pdf", "pkg", "pps", "ppt", "pptx", "rar", "rtf", "tgz", "txt", "wav", "wma",
    "wmv", "xls", "xlsx", "xml", "zip", ...list("download-extensions")];
  const isFile = (link) =>
    link.hasAttribute("download") || endings.includes(link.pathname.split(".").pop().toLowerCase());

  const click = ({ target, button }) => {
    if (button > 1) return;
    const marked = target.closest("[data-pirsch-event],[pirsch-event],[class*='pirsch-event=']");
    if (marked) tell(marked);
    const link = target.closest("a");
    // Addresses of mail and telephones have no host.
    if (!link || !link.host) return;
    const more = { non_interactive: true };
    if (isFile(link)) {
      if (!has("disable-downloads")) {
        quietly(attribute("download-event-name") || "File Download", { file: link.pathname }, more);
      }
    } else if (link.host != location.host && !has("disable-outbound-links")) {
      quietly(attribute("outbound-link-event-name") || "Outbound Link Click", { url: link.href }, more);
    }
  };

  const start = () => {
    if (!has("disable-page-views")) {
      view();
      if (!has("disable-history")) {
        const push = history.pushState;
        history.pushState = function () {
          push.apply(this, arguments);
          view();
        };
        addEventListener("popstate", view);
      }
      // A page that was kept whole is seen once more.
      addEventListener("pageshow", (event) => event.persisted && view());
    }
    addEventListener("click", click, true);
    addEventListener("auxclick", click, true);
    if ((has("enable-sessions") || has("enable-session")) && !isLocal) {
      setInterval(() => {
        if (!counts()) return;
        for (const site of sites) post("session", { identification_code: site.code }).catch(() => {});
      }, Number(attribute("interval-ms")) || 60_000);
    }
  };

  window.pirsch = event;
  window.pirschNotFound = () =>
    quietly(attribute("not-found-event-name") || "404 Page Not Found", { path: location.pathname });
  // A page that is loaded ahead is seen when it is shown.
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
