/* The bell: fetches its panel when it is opened, and asks each minute how many notices are new, while somebody looks at
   the tab. Without this file it leads to the page that shows the same. */
"use strict";
(() => {
  const SECONDS = 45;
  const bell = document.querySelector("[data-bell]");
  if (!bell) return;
  const badge = bell.querySelector("[data-bell-badge]");
  const words = bell.querySelector("[data-bell-words]");
  const status = document.querySelector("[data-bell-status]");
  const panel = document.getElementById("bell-panel");
  const withoutScript = [...panel.childNodes];
  const isOpen = () => bell.open;
  let unseen = Number(badge.textContent);
  let askedAt = Date.now();
  let timer = setInterval(askWhileSeen, SECONDS * 1000);

  function show(count, called) {
    if (count > unseen) status.textContent = called;
    unseen = count;
    badge.textContent = count;
    badge.hidden = count === 0;
    words.textContent = called;
  }

  /* Not by htmx: whoever was signed out meanwhile is not to lose what they type on this page to the log-in page. */
  async function ask() {
    askedAt = Date.now();
    try {
      const answer = await fetch(bell.dataset.count, { redirect: "manual", headers: { Accept: "application/json" } });
      if (answer.type === "opaqueredirect") clearInterval(timer);
      else if (answer.ok && !isOpen()) {
        const found = await answer.json();
        show(found.unseen, found.words);
      }
    } catch {
      /* The server is not there; it is asked again. */
    }
  }

  function askWhileSeen() {
    if (document.visibilityState === "visible") ask();
  }

  document.addEventListener("visibilitychange", () => {
    if (Date.now() - askedAt > SECONDS * 1000) askWhileSeen();
  });

  const fetchPanel = () => htmx.ajax("POST", bell.dataset.panel, { source: bell, target: "#bell-panel", swap: "innerHTML" });

  /* What was shown the last time is not offered again before it is fetched anew. */
  bell.addEventListener("toggle", () => {
    if (isOpen()) fetchPanel();
    else panel.replaceChildren(...withoutScript.map((node) => node.cloneNode(true)));
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const shown = event.target === panel && panel.querySelector("[data-unseen]");
    if (!shown) return;
    show(Number(shown.dataset.unseen), shown.dataset.words);
    if (shown.dataset.done) status.textContent = shown.dataset.done;
    /* What was pressed is gone: the focus stays within, so that Escape and Tab go on from there. */
    if (isOpen() && document.activeElement === document.body) panel.querySelector("h2").focus();
  });

  /* What was pressed stood for something that is no more: show what there is now. */
  bell.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status === 404 && event.target !== bell) fetchPanel();
  });
})();
