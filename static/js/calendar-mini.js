/* The mini page: a part of the server's page in a small window beside what was clicked. What it saves is told to whoever
   opened it. Everything it offers is on the activity's own page as well. */
"use strict";
(() => {
  const SMALL = matchMedia("(max-width: 720px)");
  const GAP = 8;
  const dialog = document.getElementById("mini-page");
  if (!dialog) return;
  const frame = dialog.closest(".calendar-frame");
  const texts = JSON.parse(document.getElementById("calendar-words").textContent);
  let anchor = null; // What it stands beside: a function, for the calendar draws anew.
  let done = () => {};
  let opened = ""; // The form as it was opened.
  let turn = 0; // Answers that come after another was asked for are not shown.

  /* Asks the server. Who has been signed out meanwhile is led to the log-in page. */
  async function ask(address, options = {}) {
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
    let response;
    try {
      response = await fetch(address, {
        ...options, cache: "no-store", headers: { "HX-Request": "true", "X-CSRFToken": token, ...options.headers },
      });
    } catch {
      throw new Error(texts.unreachable);
    }
    const elsewhere = response.headers.get("HX-Redirect");
    if (elsewhere) {
      location.assign(elsewhere);
      await new Promise(() => {});
    }
    const isJSON = response.headers.get("Content-Type")?.startsWith("application/json");
    const answer = isJSON ? await response.json() : await response.text();
    if (response.ok || (response.status === 422 && !isJSON)) return { answer, isJSON };
    throw new Error((isJSON && answer.error) || (response.status === 404 ? texts.gone : texts.failed));
  }

  const form = () => dialog.querySelector("form[data-mini-form]:not([hidden])");
  const filled = () => (form() ? new URLSearchParams(new FormData(form())).toString() : "");
  const isOpen = () => dialog.open;
  const isDirty = () => dialog.open && filled() !== opened;

  function place() {
    if (SMALL.matches) return; // There it is a sheet.
    const beside = anchor?.();
    const around = frame.getBoundingClientRect();
    const own = dialog.getBoundingClientRect();
    const box = beside ?? { left: around.left + around.width / 2, right: around.left + around.width / 2, top: innerHeight / 4 };
    let x = box.right + GAP;
    if (x + own.width > around.right) x = box.left - GAP - own.width;
    if (x < around.left) x = Math.max(around.left, Math.min(box.left, around.right - own.width));
    const lowest = Math.max(GAP, innerHeight - own.height - GAP);
    const y = Math.min(Math.max(box.top, GAP), lowest);
    dialog.style.setProperty("--x", `${x}px`);
    dialog.style.setProperty("--y", `${y}px`);
  }

  function show(html) {
    dialog.innerHTML = html;
    if (!dialog.open) dialog.show();
    opened = dialog.querySelector(".banner, [role=alert]") ? "" : filled();
    place();
    const first = dialog.querySelector("[aria-invalid=true], [data-mini-form]:not([hidden]) [name=subject]:not(:disabled)");
    (first ?? dialog.querySelector("h2")).focus({ preventScroll: true });
    keepDuration();
  }

  async function load(address) {
    const mine = ++turn;
    try {
      const { answer } = await ask(address);
      if (mine === turn) show(answer);
    } catch (error) {
      if (mine === turn) {
        close();
        window.shell.toast(error.message);
      }
    }
  }

  function open(address, { beside, onDone, onClose }) {
    if (isDirty()) {
      window.shell.toast(texts.unsaved);
      dialog.querySelector("h2").focus();
      return false;
    }
    close();
    anchor = beside;
    done = onDone;
    dialog.onclose = onClose;
    load(address);
    return true;
  }

  function close() {
    turn += 1;
    if (!dialog.open) return;
    opened = "";
    dialog.close();
    dialog.replaceChildren();
  }

  /* Moving Start keeps the duration, and what was chosen as a time is the day to begin with when All day is ticked. */
  function keepDuration() {
    const fields = form()?.elements;
    if (!fields?.start) return;
    const parse = (text) => (text ? Date.parse(`${text}${text.length > 10 ? "" : "T00:00"}Z`) : NaN);
    for (const [first, last, size] of [["start", "due", 16], ["start_date", "due_date", 10]]) {
      let length = parse(fields[last].value) - parse(fields[first].value);
      fields[last].addEventListener("change", () => { length = parse(fields[last].value) - parse(fields[first].value); });
      fields[first].addEventListener("change", () => {
        const start = parse(fields[first].value);
        if (Number.isNaN(start) || !(length >= 0)) return;
        fields[last].value = new Date(start + length).toISOString().slice(0, size);
      });
    }
    fields.all_day.addEventListener("change", () => {
      for (const [time, day] of [["start", "start_date"], ["due", "due_date"]]) {
        if (fields.all_day.checked && fields[time].value) fields[day].value = fields[time].value.slice(0, 10);
        if (!fields.all_day.checked && fields[day].value) {
          fields[time].value = fields[day].value + (fields[time].value.slice(10) || "T09:00");
        }
      }
      place();
    });
    fields.status.addEventListener("change", place);
  }

  dialog.addEventListener("click", (event) => {
    if (event.target.closest("[data-mini-close]")) close();
    const link = event.target.closest("a[data-mini]");
    if (link && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      load(link.href);
    }
    const more = event.target.closest("a[data-mini-more]");
    if (more) {
      const fields = form().elements;
      const start = fields.all_day.checked ? fields.start_date.value : fields.start.value;
      const address = new URL(more.href);
      for (const [name, value] of [["start", start], ["due", fields.due.value], ["category", fields.category.value]]) {
        if (value) address.searchParams.set(name, value);
      }
      more.href = address;
    }
    const asks = event.target.closest("[data-mini-asks]");
    if (asks) {
      for (const button of dialog.querySelectorAll("[data-mini-asks]")) {
        const asked = document.getElementById(button.getAttribute("aria-controls"));
        const isShown = button === asks && asked.hidden;
        asked.hidden = !isShown;
        button.setAttribute("aria-expanded", String(isShown));
        if (isShown) asked.querySelector("input:not([type=hidden])")?.focus();
      }
      opened = filled();
      place();
    }
  });

  dialog.addEventListener("submit", async (event) => {
    const sent = event.target.closest("[data-mini-form]");
    if (!sent) return;
    event.preventDefault();
    if (sent.getAttribute("aria-busy") === "true") return;
    sent.setAttribute("aria-busy", "true");
    try {
      const { answer, isJSON } = await ask(sent.action, { method: "POST", body: new FormData(sent, event.submitter) });
      if (isJSON) {
        close();
        done(answer);
      } else {
        show(answer);
      }
    } catch (error) {
      window.shell.toast(error.message);
    } finally {
      sent.removeAttribute("aria-busy");
    }
  });

  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    close();
  });
  addEventListener("resize", () => { if (dialog.open) place(); });
  addEventListener("beforeunload", (event) => { if (isDirty()) event.preventDefault(); });

  window.miniPage = { ask, close, isDirty, isOpen, open };
})();
