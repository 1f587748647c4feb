// Counts what happens on a page: page views, also of pages that a script changes to, links to other hosts, downloads,
// named events, and when the visitor looks away. Keeps nothing in the browser. The attributes of the script's element
// go along with each report: the server reads those that are not read here. Every byte counts: what is `let` throughout
// compresses better.
(() => {
  let script = document.currentScript;
  // Modules are not told which element they are of. And of two tags the first one counts; an element of that name, which
  // browsers know by it, too, cannot be called.
  if (self.hitstone?.call || !script) return;
  let data = script.dataset;
  // Reports go to the script's own address without its ending, so that a path of a proxy's needs no setting.
  let api = data.api || script.src.replace(/\.js(\?.*)?$/, "");
  let endings = "7z|csv|dmg|exe|mp[34]|pdf|rar|t?gz|zip|(doc|ppt|xls)x?";
  let from = document.referrer;
  let seen;

  let here = () => document.URL.replace(data.hash == null ? /#.*/ : "", "");

  // Browsers break off an answer that nobody reads. A busy server is asked again. What fails is
  // caught by a function that does nothing of note.
  let post = (body, tries) => fetch(api, { method: "POST", body, keepalive: 1 })
    .then((answer) => answer.text(tries *= answer.status > 428)).catch(Date)
    .then(() => tries && setTimeout(post, 4e3, body, tries - 1));

  let send = (more) => {
    if (data.dnt != "false" && (navigator.doNotTrack == 1 || navigator.globalPrivacyControl)) return;
    // Visitors opt out by an entry that we only read, where the browser lets us.
    try {
      if (localStorage.hitstone == "off") return;
    } catch {}
    let body = JSON.stringify({
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
  let view = () => {
    if (here() == seen) return;
    seen = here();
    send({});
    from = seen;
    // The status was that of the page as it was loaded.
    delete data.status;
  };

  // Once the page has had its turn: it may set its title, or go elsewhere at once. Nor need it wait for what we ask of
  // the browser.
  let soon = () => setTimeout(view);

  let click = (event) => {
    let up = (selector) => event.button < 2 && event.target.closest?.(selector);
    let marked = up("[data-hs]");
    if (marked) {
      let meta = {};
      for (let { name, value } of marked.attributes) {
        name.replace(/^data-hs-(.+)/, (_, key) => { meta[key] = value; });
      }
      send({ event: marked.dataset.hs, meta });
    }
    let link = up("a");
    // Addresses of mail and telephones have no host.
    if (link?.host) {
      let url = link.origin + link.pathname;
      let kind = link.host != location.host && "outbound";
      // What is no pattern must not stop all else.
      try {
        if (link.hasAttribute("download") || RegExp("\\.(" + (data.downloads || endings) + ")$", "i").test(url)) kind = "downloads";
      } catch {}
      kind && data[kind] != "false" && send({ [kind]: url });
    }
  };

  let start = () => {
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
    for (let name of ["pushState", "replaceState"]) {
      let change = history[name];
      history[name] = (...given) => {
        // What `replaceState` (the longer name) does to the query is no other page: nothing is lost by it, as the page
        // has been counted. With fragments in paths any change counts.
        let known = here() == seen && data.hash == null && name[9] && location.pathname;
        change.apply(history, given);
        known == location.pathname ? seen = here() : soon();
      };
    }
  };

  self.hitstone = (event, meta, more) => event ? send({ event, meta, ...more }) : view(seen = 0);
  // A page that is loaded ahead is seen when it is shown.
  document.prerendering ? document.onprerenderingchange = start : start();
})();
