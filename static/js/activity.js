/* The activity page: keeps the duration, ticks Show in calendar for meetings, says what Repeat means for this start, shows
   one tab at a time, finds tags, and asks before typed changes are lost. Everything works without it as well. */
"use strict";
(() => {
  const HALF_AN_HOUR = 30 * 60000;
  const form = document.querySelector("[data-activity-form]");
  const field = (name) => form?.elements.namedItem(name);

  /* Times are the wall clock of the chosen zone, so they are counted as if in UTC: no clock change comes between. */
  const parse = (text, zero = "") => (text ? Date.parse(`${text}${zero}Z`) : NaN);
  const moment = (time) => new Date(time).toISOString().slice(0, 16);
  const day = (time) => new Date(time).toISOString().slice(0, 10);

  function keepDuration(first, second, { read, write, shortest }) {
    let length = read(second.value) - read(first.value);
    second.addEventListener("change", () => { length = read(second.value) - read(first.value); });
    first.addEventListener("change", () => {
      const start = read(first.value);
      if (Number.isNaN(start)) return;
      if (!(length >= 0)) length = shortest;
      second.value = write(start + length);
    });
  }

  if (form) {
    field("has_script").value = "1";
    const times = { read: (text) => parse(text), write: moment, shortest: HALF_AN_HOUR };
    const days = { read: (text) => parse(text, "T00:00"), write: day, shortest: 0 };
    keepDuration(field("start"), field("due"), times);
    keepDuration(field("start_date"), field("due_date"), days);

    /* What was chosen as a time is the day to begin with when All day is ticked, and the other way round. */
    field("all_day").addEventListener("change", () => {
      const pairs = [["start", "start_date"], ["due", "due_date"]];
      for (const [time, date] of pairs) {
        if (field("all_day").checked && field(time).value) field(date).value = field(time).value.slice(0, 10);
        if (!field("all_day").checked && field(date).value) {
          field(time).value = field(date).value + (field(time).value.slice(10) || "T09:00");
        }
      }
    });

    field("category").addEventListener("change", () => {
      if (field("category").value === "meeting") field("show_in_calendar").checked = true;
    });

    /* Repeat: the day of a weekly repetition is that of the start until somebody chooses others. */
    const repeat = field("repeat");
    const words = repeat.closest("[data-monthly-day]").dataset;
    const WHICH = words.which.split(",");
    const WEEKDAYS = words.weekdays.split(",");
    const boxes = [...form.querySelectorAll("input[name=weekdays]")];
    const firstDay = () => parse(field("all_day").checked ? field("start_date").value : field("start").value.slice(0, 10), "T00:00");
    const weekdayOf = (time) => (new Date(time).getUTCDay() + 6) % 7;
    const scopes = form.elements.namedItem("scope");
    const isOfOne = () => Boolean(scopes?.[0].checked);
    const startedWith = firstDay();
    let followed = startedWith;
    const chosen = () => boxes.filter((box) => box.checked).map((box) => Number(box.value));
    const isFollowing = (days) => days.length === 1 && days[0] === weekdayOf(followed);
    const keepInStep = () => {
      const first = isOfOne() ? startedWith : firstDay(); // One occurrence on another day leaves the repetition alone.
      if (Number.isNaN(first)) return;
      const days = chosen();
      if (repeat.value === "weekly" && (!days.length || isFollowing(days))) {
        for (const box of boxes) box.checked = Number(box.value) === weekdayOf(first);
      }
      followed = first;
      const date = new Date(first).getUTCDate();
      const which = WHICH[Math.min(Math.ceil(date / 7), 5) - 1];
      for (const option of repeat.options) {
        if (option.value === "monthly_day") option.text = words.monthlyDay.replace("{day}", date);
        if (option.value === "monthly_weekday") {
          option.text = words.monthlyWeekday.replace("{which}", which).replace("{weekday}", WEEKDAYS[weekdayOf(first)]);
        }
      }
    };
    for (const name of ["repeat", "start", "start_date", "all_day"]) field(name).addEventListener("change", keepInStep);
    keepInStep();

    /* How it repeats is nothing of one occurrence: with another rule, Save is for more. */
    if (scopes) {
      for (const scope of scopes) scope.addEventListener("change", keepInStep);
      const days = () => (isFollowing(chosen()) ? "that of the start" : chosen());
      const rule = () => ["repeat", "every", "ends", "until", "count"].map((name) => field(name).value).join() + days();
      const [one, following] = scopes;
      const sameRule = rule();
      form.addEventListener("change", () => {
        const isOfMore = rule() !== sameRule && repeat.value !== "";
        if (isOfMore && one.checked) following.checked = true;
        if (!isOfMore && one.disabled) one.checked = true;
        one.disabled = isOfMore;
        if (isFollowing(chosen())) keepInStep();
      });
    }

    const shown = () => new URLSearchParams(new FormData(form)).toString();
    const before = shown();
    let isSaving = false;
    form.addEventListener("submit", () => { isSaving = true; });
    addEventListener("beforeunload", (event) => {
      if (!isSaving && shown() !== before) event.preventDefault();
    });
    form.querySelector("[aria-invalid=true]")?.focus();
  }

  /* Tabs: the address says which. */
  const tabs = document.querySelector("[data-tabs]");
  if (tabs) {
    const links = [...tabs.querySelectorAll(".tabs a")];
    const panelOf = (link) => document.getElementById(link.hash.slice(1));
    const open = (chosen) => {
      for (const link of links) {
        if (link === chosen) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
        panelOf(link).classList.toggle("is-current", link === chosen);
      }
    };
    for (const link of links) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        open(link);
        history.replaceState(history.state, "", link.hash);
      });
    }
    const wanted = links.find((link) => panelOf(link).querySelector("[aria-invalid=true]"))
      ?? links.find((link) => link.hash === location.hash);
    if (wanted) open(wanted);
  }

  /* Tags: what is typed narrows the offers and names the new tag. */
  const finder = document.querySelector("[data-tag-finder]");
  if (finder) {
    const input = finder.querySelector("input[name=name]");
    const existing = [...finder.querySelectorAll("[data-tag]")];
    const fresh = [...finder.querySelectorAll("[data-new]")];
    const find = () => {
      const name = input.value.trim().replace(/\s+/g, " ");
      const wanted = name.toLocaleLowerCase();
      let found = 0;
      for (const offer of existing) {
        offer.hidden = !offer.dataset.tag.toLocaleLowerCase().includes(wanted);
        found += offer.hidden ? 0 : 1;
      }
      for (const offer of fresh) {
        const kind = offer.querySelector("button").value;
        const isThere = existing.some((one) => one.dataset.kind === kind && one.dataset.tag.toLocaleLowerCase() === wanted);
        offer.hidden = !name || isThere;
        offer.querySelector("[data-name]").textContent = ` “${name}”`;
      }
      finder.querySelector("[data-none]").hidden = found > 0 || Boolean(name);
    };
    input.addEventListener("input", find);
    find();
    /* Enter takes the first offer that is shown, once something is typed. */
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (!input.value.trim()) return;
      finder.querySelector("[data-tag]:not([hidden]) button, [data-new]:not([hidden]) button")?.click();
    });
  }

  for (const dialog of document.querySelectorAll("dialog[data-open-at-once]")) {
    dialog.open = false;
    dialog.showModal();
    history.replaceState(null, "", location.pathname);
  }
})();
