// Counts what happens on a page: page views, also of pages that a script changes to, links to other hosts, downloads,
// named events, and when the visitor looks away. Keeps nothing in the browser. The attributes of the script's element
// go along with each report: the server reads those that are not read here.
(() => {
  const script = document.currentScript;
  // Modules are not told which element they are of. And of two tags the first one counts; an element of that name, which
  // browsers know by it, too, cannot be called.
  if (self.hitstone?.call || !script) return;
  const data = script.dataset;
  // Reports go to the script's own address without its ending, so that a path of a proxy's needs no setting.
  const api = data.api || script.src.replace(/\.js(\?.*)?$/, "");
  const endings = "7z|csv|dmg|docx?|exe|gz|mp[34]|pdf|pptx?|rar|tgz|xlsx?|zip";
  let files;
  // What is no pattern must not stop all else.
  try {
    files = RegExp("\\.(" + (data.downloads || endings) + ")$", "i");
  } catch {}
  let from = document.referrer;
  let seen;

  const here = () => location.href.replace(data.hash == null ? /#.*/ : "", "");

  // Browsers break off an answer that nobody reads. A busy server is asked again.
  const post = async (body, tries) => {
    try {
      const answer = await fetch(api, { method: "POST", body, keepalive: 1 });
      await answer.text();
      if (answer.status < 429) return;
    } catch {}
    tries && setTimeout(post, 4e3, body, tries - 1);
  };

  const send = (more) => {
    if (data.dnt != "false" && (navigator.doNotTrack == 1 || navigator.globalPrivacyControl)) return;
    // Visitors opt out by an entry that we only read, where the browser lets us.
    try {
      if (localStorage.hitstone == "off") return;
    } catch {}
    const body = JSON.stringify({
      // What is sent again is known by this.
      id: Date.now() + "" + Math.random(),
      url: here(),
      referrer: from,
      title: document.title,
      width: screen.width,
      data,
      ...more,
    });
    more.left && navigator.sendBeacon(api, body) || post(body, 3);
  };

  // The page that was seen last is seen once more only by those who forget it first.
  const view = () => {
    if (here() == seen) return;
    seen = here();
    send({});
    from = seen;
    // The status was that of the page as it was loaded.
    delete data.status;
  };

  // Once the page has had its turn: it may set its title, or go elsewhere at once. Nor need it wait for what we ask of
  // the browser.
  const soon = () => setTimeout(view);

  const click = ({ target, button }) => {
    const up = (selector) => button < 2 && target.closest?.(selector);
    const marked = up("[data-hs]");
    if (marked) {
      const meta = {};
      for (const { name, value } of marked.attributes) {
        name.replace(/^data-hs-(.+)/, (_, key) => { meta[key] = value; });
      }
      send({ event: marked.dataset.hs, meta });
    }
    const link = up("a");
    // Addresses of mail and telephones have no host.
    if (!link?.host) return;
    const url = link.origin + link.pathname;
    const kind = link.hasAttribute("download") || files?.test(url)
      ? "downloads" : link.host != location.host && "outbound";
    kind && data[kind] != "false" && send({ [kind]: url });
  };

  const start = () => {
    addEventListener("click", click, 1);
    addEventListener("auxclick", click, 1);
    // The last thing that browsers are sure to tell, also when the page is left.
    addEventListener("visibilitychange", () =>
      document.hidden && seen && data.time != "false" && send({ left: 1 }));
    if (data.manual != null) return;
    soon();
    // A page that was kept whole is seen once more.
    addEventListener("pageshow", (event) => event.persisted && view(seen = 0));
    addEventListener("popstate", soon);
    for (const name of ["pushState", "replaceState"]) {
      const change = history[name];
      history[name] = (...given) => {
        soon(change.apply(history, given));
      };
    }
  };

  self.hitstone = (event, meta, more) => event ? send({ event, meta, ...more }) : view(seen = 0);
  // A page that is loaded ahead is seen when it is shown.
  document.prerendering ? document.onprerenderingchange = start : start();
})();
