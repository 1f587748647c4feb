// Counts what happens on a page over Prisme's events API: page views, also of pages that a script changes to, links to
// other hosts, downloads, and what the page reports by itself. Keeps nothing in the browser.
(() => {
  const script = document.currentScript;
  const data = script.dataset;
  const base = (data.prismeUrl || new URL(script.src).origin).replace(/\/+$/, "") + "/api/v1/events/";
  const links = data.outboundLinks != "false" && base + "outbound-links";
  const files = data.fileDownloads != "false" && base + "file-downloads";
  const manual = ![undefined, "false"].includes(data.manual);
  const domain = data.domain || location.host;
  let views = 0;
  let previous = document.referrer;
  if (previous.startsWith(location.origin + "/")) {
    previous = location.protocol + "//" + domain + previous.slice(location.origin.length);
  }

  // The path in the tag is that of the page that was loaded.
  const address = (options) =>
    new URL(location.protocol + "//" + (options.domain || domain)
      + (options.path || (views < 2 && data.path) || location.pathname) + location.search).href;

  // Visitors opt out by an entry that we only read, where the browser lets us.
  const off = () => {
    try {
      return localStorage["prismeAnalytics.tracking.enable"] == "false";
    } catch {
      return false;
    }
  };

  const post = (url, options, headers, body) => {
    if (off()) return;
    headers["X-Prisme-Referrer"] = address(options);
    const visitor = options.visitorId || data.visitorId;
    if (visitor) headers["X-Prisme-Visitor-Id"] = visitor;
    // Browsers break off an answer that nobody reads.
    fetch(url, {
      method: "POST",
      keepalive: true,
      credentials: "omit",
      referrerPolicy: "no-referrer-when-downgrade",
      headers,
      body,
    }).then((answer) => answer.text()).catch(() => {});
  };

  const pageview = (options) => {
    options = options || {};
    views++;
    const headers = {
      "X-Prisme-Document-Referrer": previous,
      "X-Prisme-Status": options.status || data.status || "200",
    };
    previous = address(options);
    post(base + "pageviews", options, headers);
  };

  const trigger = (name, properties, options) =>
    post(base + "custom/" + encodeURIComponent(name), options || {}, { "Content-Type": "application/json" },
      JSON.stringify(properties));

  const click = (event) => {
    if (event.type == "auxclick" && event.button != 1) return;
    const link = event.target.closest && event.target.closest("a");
    // Addresses of mail and telephones have no host.
    if (!link || !link.host) return;
    const target = new URL(link.href);
    target.search = "";
    if (links && link.host != location.host) post(links, {}, {}, target.href);
    if (files && link.hasAttribute("download")) post(files, {}, {}, target.href);
  };

  // What browsers would send by themselves for a click is sent by us.
  const unping = () =>
    document.querySelectorAll("a[ping]").forEach((link) => {
      const others = link.getAttribute("ping").split(/\s+/).filter((url) => url != links && url != files);
      link.setAttribute("ping", others.join(" "));
    });

  const start = () => {
    pageview();
    const push = history.pushState;
    history.pushState = function () {
      push.apply(this, arguments);
      pageview();
    };
    addEventListener("popstate", () => pageview());
    document.addEventListener("click", click, true);
    document.addEventListener("auxclick", click, true);
    if (document.readyState == "loading") document.addEventListener("DOMContentLoaded", unping);
    unping();
  };

  window.prisme = manual ? { trigger, pageview } : { trigger };
  if (manual) return;
  // A page that is loaded ahead is seen when it is shown.
  if (document.prerendering) document.addEventListener("prerenderingchange", start, { once: true });
  else start();
})();
