/* The calendar: FullCalendar over what the server tells of a range of days.

   Its clock is the wall clock of the person's own zone, whatever the browser's is: times come and go without a zone, and
   FullCalendar counts them as if in UTC, so no change of the clocks comes between. The server converts, and says what
   time it is now. The week that the server has drawn is replaced; without this script it stays. */
"use strict";
(() => {
  const SMALL = matchMedia("(max-width: 720px)");
  const VIEWS = { day: "timeGridDay", work_week: "workWeek", week: "timeGridWeek", month: "dayGridMonth", agenda: "listWeek" };
  const NAMES = Object.fromEntries(Object.entries(VIEWS).map(([name, type]) => [type, name]));
  const MINUTE = 60000;
  const DAY = 1440 * MINUTE;
  const LATEST = 5 * MINUTE; // How old what is shown may get while somebody looks.

  const card = document.getElementById("calendar");
  if (!card || !window.FullCalendar || !window.miniPage) return;
  const { ask } = window.miniPage;
  const texts = JSON.parse(document.getElementById("calendar-words").textContent);
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // Days before months.
  const scale = Number(card.dataset.scale);

  const parse = (text) => Date.parse(`${text}${text.length > 10 ? "" : "T00:00:00"}Z`);
  const time = (at) => new Date(at).toISOString().slice(0, 19);
  const day = (at) => new Date(at).toISOString().slice(0, 10);
  const format = (options) => new Intl.DateTimeFormat(language, { timeZone: "UTC", ...options });
  const [weekdayName, dayName, clock, range, month] = [
    { weekday: "short" }, { weekday: "long", day: "numeric", month: "long" }, { hour: "2-digit", minute: "2-digit", hour12: false },
    { day: "numeric", month: "long", year: "numeric" }, { month: "long", year: "numeric" },
  ].map(format);

  /* What time it is, the server says with every answer. */
  let heard = { now: parse(card.dataset.now), at: Date.now() };
  const now = () => time(heard.now + Date.now() - heard.at);
  const today = () => now().slice(0, 10);
  const mondayOf = (at) => at - ((new Date(at).getUTCDay() + 6) % 7) * DAY;

  function element(name, { text, ...attributes } = {}, ...children) {
    const made = document.createElement(name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    if (text !== undefined) made.textContent = text;
    made.append(...children);
    return made;
  }

  const host = element("div");
  const region = element("div", { class: "grid", role: "region", "aria-label": texts.region, "aria-busy": "true" }, host);
  const failure = card.querySelector("[data-feed-failed]");
  card.querySelector(".calendar-scroll").replaceWith(region);
  for (const part of card.querySelectorAll("[data-scripted]")) part.hidden = false;

  // --- What is shown -----------------------------------------------------------------------------------------------

  async function load(info, succeed, fail) {
    const query = new URLSearchParams(location.search);
    for (const name of ["date", "show", "period"]) query.delete(name);
    query.set("view", "calendar");
    query.set("start", info.startStr.slice(0, 10));
    query.set("end", info.endStr.slice(0, 10));
    try {
      const { answer } = await ask(`${card.dataset.feed}?${query}`);
      heard = { now: parse(answer.now), at: Date.now() };
      failure.hidden = true;
      succeed(answer.entries);
    } catch (error) {
      failure.querySelector("[data-words]").textContent = error.message;
      failure.hidden = false;
      fail(error);
    }
  }

  const MARKS = { google: "cloud", repeats: "repeat", guests: "people" };

  function marksOf(facts) {
    const shown = Object.keys(MARKS).filter((name) => facts.marks?.[name]);
    if (!shown.length) return [];
    return [element("span", { class: "marks" }, ...shown.map((name) => window.shell.icon(MARKS[name])))];
  }

  function contentOf({ event, timeText, isMirror, view }) {
    const facts = event.extendedProps;
    if (!facts.tone) return { domNodes: [element("div", { class: "text" }, element("b", { text: texts.fresh }), element("span", { text: timeText }))] };
    const times = isMirror && !event.allDay ? timeText : facts.times;
    if (view.type === VIEWS.agenda) {
      const name = facts.is_busy ? element("b", { text: event.title }) : element("a", { href: event.url, text: event.title });
      const place = facts.place ? [element("span", { class: "soft place", text: facts.place })] : [];
      if (facts.state) place.push(element("span", { class: "state", text: facts.state }));
      return { domNodes: [element("div", { class: "agenda-line" }, element("span", { class: "number soft", text: facts.times }), element("span", { class: "name" }, name, ...place), ...marksOf(facts))] };
    }
    const lines = [element("b", { text: event.title })];
    if (view.type === VIEWS.month && !event.allDay) lines.unshift(element("span", { class: "begins", text: times.slice(0, 5) }));
    else if (!event.allDay) lines.push(element("span", { text: times }));
    if (facts.place && view.type !== VIEWS.month) lines.push(element("span", { class: "place", text: facts.place }));
    return { domNodes: [element("div", { class: "text" }, ...lines), ...marksOf(facts)] };
  }

  function headOf({ date, view }) {
    if (view.type === VIEWS.agenda) return dayName.format(date);
    if (view.type === VIEWS.month) return weekdayName.format(date);
    return { domNodes: [document.createTextNode(`${weekdayName.format(date)} `), element("b", { text: date.getUTCDate() })] };
  }

  function classesOf({ event }) {
    const facts = event.extendedProps;
    return [
      "entry", ...(facts.is_free ? ["is-free"] : []), ...(facts.is_canceled ? ["is-canceled"] : []),
      ...(facts.is_busy ? ["is-busy"] : []), ...(facts.tone ? [] : ["is-draft"]),
    ];
  }

  function mounted({ event, el }) {
    const facts = event.extendedProps;
    if (!facts.tone) return;
    el.dataset.entry = event.id;
    el.dataset.tone = facts.tone;
    if (facts.answer) el.dataset.answer = facts.answer;
    const inside = el.matches("a") ? el : el.querySelector("a");
    if (facts.label) inside?.setAttribute("aria-label", facts.label);
    el.title = [event.title, facts.times, facts.place, facts.elsewhere, facts.why_read_only].filter(Boolean).join("\n");
    if (facts.is_busy) el.removeAttribute("tabindex");
  }

  const calendar = new FullCalendar.Calendar(host, {
    timeZone: "UTC", now, locale: language, firstDay: 1, height: "100%", headerToolbar: false, events: load,
    initialView: VIEWS[firstView()], initialDate: card.dataset.date,
    views: { workWeek: { type: "timeGrid", duration: { weeks: 1 }, hiddenDays: [0, 6] } },
    slotDuration: { minutes: scale }, snapDuration: { minutes: scale }, slotLabelInterval: { hours: 1 },
    slotLabelFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
    eventTimeFormat: { hour: "2-digit", minute: "2-digit", hour12: false },
    scrollTime: begin(), scrollTimeReset: false, nowIndicator: true,
    nowIndicatorContent: ({ isAxis, date }) => (isAxis ? clock.format(date) : ""),
    slotEventOverlap: false, eventMinHeight: 20, eventDisplay: "block", dayMaxEvents: true,
    defaultTimedEventDuration: { minutes: 30 }, forceEventDuration: true,
    editable: true, eventResizableFromStart: true, selectable: true, selectMirror: true, unselectAuto: false,
    longPressDelay: 300, dragRevertDuration: 120,
    navLinks: true, navLinkDayClick: (date) => show("day", day(date)), navLinkHint: texts.openDay,
    allDayContent: () => card.dataset.zone, listDaySideFormat: false, noEventsContent: texts.nothing, moreLinkContent: ({ num }) => texts.more.replace("%d", num),
    moreLinkHint: (number) => texts.more.replace("%d", number), closeHint: texts.close, timeHint: texts.time, eventHint: texts.event,
    dayHeaderContent: headOf,
    eventContent: contentOf, eventClassNames: classesOf, eventDidMount: mounted,
    eventClick: clicked, eventDrop: moved, eventResize: moved, select: selected,
    loading: (isLoading) => { region.setAttribute("aria-busy", String(isLoading)); },
    datesSet: turned,
  });

  function firstView() {
    if (card.dataset.show) return card.dataset.show;
    if (SMALL.matches) return "day";
    return kept("calendar-show") in VIEWS ? kept("calendar-show") : "week";
  }

  /* Begin at the time that matters: a while before now, or in another week the morning. */
  function begin() {
    const hour = Number(now().slice(11, 13));
    const isUsual = (hour >= 8 && hour < 19) || mondayOf(parse(card.dataset.date)) !== mondayOf(parse(today()));
    return { minutes: isUsual ? 7 * 60 + 40 : 60 * Math.max(0, Math.min(hour - 1, 13)) }; // With the label of eight.
  }

  function kept(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  }

  function keep(name, value) {
    try { localStorage.setItem(name, value); } catch { /* A browser that keeps nothing shows the usual. */ }
  }

  // --- Where one is ------------------------------------------------------------------------------------------------

  const shown = () => NAMES[calendar.view.type];

  function show(name, date) {
    window.miniPage.close();
    if (name !== shown()) keep("calendar-show", name);
    calendar.changeView(VIEWS[name], date ?? chosenDay());
  }

  /* The day that stays when the view changes: today if it is in sight. */
  function chosenDay() {
    const { currentStart, currentEnd } = calendar.view;
    const isInSight = parse(today()) >= currentStart && parse(today()) < currentEnd;
    return isInSight && shown() !== "day" ? today() : day(calendar.getDate());
  }

  function addressOf({ name = shown(), date }) {
    const address = new URL(location);
    for (const gone of ["period", "date", "show"]) address.searchParams.delete(gone);
    address.searchParams.set("view", "calendar");
    address.searchParams.set("show", name);
    if (date !== today()) address.searchParams.set("date", date);
    return address;
  }

  function titleOf({ type, currentStart, currentEnd }) {
    if (type === VIEWS.month) return month.format(currentStart);
    const last = new Date(currentEnd - DAY);
    const until = type === "workWeek" ? new Date(Number(currentStart) + 4 * DAY) : last;
    return range.formatRange(currentStart, until).replace(/\s*–\s*/, " – ");
  }

  /* Weeks are counted as ISO 8601 does: the first one has the year's first Thursday. */
  function weekOf(date) {
    const thursday = new Date(mondayOf(Number(date)) + 3 * DAY);
    return 1 + Math.floor((thursday - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / (7 * DAY));
  }

  let bar; // The timer of the last change of place.
  let isFirst = true;

  function turned({ view }) {
    const name = NAMES[view.type];
    document.getElementById("range").textContent = titleOf(view);
    const week = card.querySelector("[data-week]");
    week.textContent = name === "month" ? "" : texts.week.replace("%d", weekOf(view.currentStart));
    card.dataset.shown = name;
    for (const link of card.querySelectorAll("[data-show-as]")) {
      if (link.dataset.showAs === name) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    const step = { day: texts.dayStep, month: texts.monthStep }[name] ?? texts.weekStep;
    card.querySelector("[rel=prev]").setAttribute("aria-label", step[0]);
    card.querySelector("[rel=next]").setAttribute("aria-label", step[1]);
    drawDays();
    if (isFirst) {
      isFirst = false;
      return;
    }
    history.replaceState(null, "", addressOf({ date: chosenDay() }));
    clearTimeout(bar);
    bar = setTimeout(renewBar, 250);
  }

  /* The filters and the toolbar lead on from where one is; the server makes them anew. */
  async function renewBar() {
    try {
      const { answer } = await ask(location.href, { headers: { "HX-Target": "calendar-bar" } });
      const made = new DOMParser().parseFromString(answer, "text/html");
      for (const part of [".page-head", ".filters"]) {
        const [old, fresh] = [document.querySelector(`main ${part}`), made.querySelector(part)];
        if (!old || !fresh || old.contains(document.activeElement) || old.querySelector("details[open]")) continue;
        old.replaceWith(document.adoptNode(fresh));
        window.htmx?.process(fresh);
      }
    } catch {
      /* The old ones lead to where one was. */
    }
  }

  /* On a phone one day is shown, and above it the week it lies in. */
  function drawDays() {
    const strip = card.querySelector("[data-day-strip]");
    strip.hidden = shown() !== "day";
    if (strip.hidden) return;
    const date = calendar.getDate();
    const monday = mondayOf(Number(date));
    strip.replaceChildren(...[0, 1, 2, 3, 4, 5, 6].map((number) => {
      const at = new Date(monday + number * DAY);
      const link = element("a", { class: "day-head", href: addressOf({ date: day(at) }), "data-day": day(at), "aria-label": dayName.format(at) }, `${weekdayName.format(at)} `, element("b", { text: at.getUTCDate() }));
      if (day(at) === today()) link.setAttribute("aria-current", "date");
      link.classList.toggle("is-shown", day(at) === day(date));
      return link;
    }));
  }

  card.addEventListener("click", (event) => {
    const link = event.target.closest("a[rel], a[data-to-today], a[data-show-as], a[data-day]");
    if (event.target.closest("[data-feed-failed] button")) calendar.refetchEvents();
    if (!link || host.contains(link) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.rel === "prev") go("prev");
    else if (link.rel === "next") go("next");
    else if ("toToday" in link.dataset) go("today");
    else if (link.dataset.day) show("day", link.dataset.day);
    else show(link.dataset.showAs);
  });

  function go(where) {
    window.miniPage.close();
    calendar[where]();
  }

  // --- The mini page -----------------------------------------------------------------------------------------------

  const entryOf = (id) => host.querySelector(`[data-entry="${CSS.escape(id)}"]`);
  const focusable = (entry) => (entry?.matches("a") ? entry : entry?.querySelector("a"));

  function openMini(event) {
    const id = event.id;
    const isNew = window.miniPage.open(`${card.dataset.activities}${id}/mini/`, {
      beside: () => entryOf(id)?.getBoundingClientRect(),
      onDone: saved,
      onClose: () => {
        for (const entry of host.querySelectorAll(".is-selected")) entry.classList.remove("is-selected");
        focusable(entryOf(id))?.focus();
      },
    });
    if (isNew) entryOf(id)?.classList.add("is-selected");
  }

  function saved(answer) {
    calendar.refetchEvents();
    const toast = window.shell.toast(answer.said);
    if (answer.address) toast.append(element("a", { class: "button small", href: answer.address, text: texts.open }));
  }

  /* One click shows the mini page, a double click or Enter opens the activity. */
  function clicked({ event, jsEvent }) {
    jsEvent.preventDefault();
    if (event.extendedProps.is_busy || !event.url) return;
    if (jsEvent.ctrlKey || jsEvent.metaKey || jsEvent.shiftKey) window.open(event.url, "_blank", "noopener");
    else if (jsEvent.detail === 0) location.assign(event.url);
    else if (jsEvent.detail === 1) openMini(event);
  }

  host.addEventListener("dblclick", (event) => {
    const link = focusable(event.target.closest("[data-entry]"));
    if (link?.href && !window.miniPage.isDirty()) location.assign(link.href);
  });

  host.addEventListener("keydown", (event) => {
    const entry = event.target.closest("[data-entry]");
    if (event.key !== " " || !entry) return;
    event.preventDefault();
    const found = calendar.getEventById(entry.dataset.entry);
    if (found?.url) openMini(found);
  });

  /* A press beside the mini page closes it, and does nothing else. */
  let hasClosed = false;
  document.addEventListener("pointerdown", (event) => {
    hasClosed = window.miniPage.isOpen() && !event.target.closest("#mini-page, .toasts, [data-entry]");
    if (hasClosed && !window.miniPage.isDirty()) window.miniPage.close();
  }, true);

  function selected({ start, end, allDay, jsEvent }) {
    if (hasClosed && end - start <= (allDay ? DAY : scale * MINUTE)) {
      calendar.unselect();
      return;
    }
    const asked = allDay
      ? { first: day(start), last: day(end - DAY) }
      : { start: time(start), due: time(Math.max(end, Number(start) + MINUTE)) };
    newMini(asked, () => host.querySelector(".is-draft")?.getBoundingClientRect() ?? pointOf(jsEvent));
  }

  function pointOf(event) {
    return event ? { left: event.clientX, right: event.clientX, top: event.clientY } : undefined;
  }

  function newMini(asked, beside) {
    const isNew = window.miniPage.open(`${card.dataset.new}?${new URLSearchParams(asked)}`, {
      beside, onDone: saved, onClose: () => calendar.unselect(),
    });
    if (!isNew) calendar.unselect();
  }

  // --- Dragging ----------------------------------------------------------------------------------------------------

  const post = (id, values) => ask(`${card.dataset.activities}${id}/move/`, { method: "POST", body: new URLSearchParams(values) });
  let undo = null;

  /* Where something was dropped, as the server takes it. */
  function placeOf({ event, oldEvent }) {
    const facts = event.extendedProps;
    if (event.allDay && facts.is_timed && oldEvent.allDay) {
      const start = parse(facts.starts) + (event.start - oldEvent.start);
      const due = parse(facts.starts) + facts.length * MINUTE + (event.end - oldEvent.end);
      return { start: time(start), due: time(due) };
    }
    if (event.allDay) return { first: day(event.start), last: day((event.end ?? Number(event.start) + DAY) - DAY) };
    const isLong = facts.is_timed && oldEvent.allDay;
    const isEmpty = facts.length === 0 && event.end - event.start === oldEvent.end - oldEvent.start;
    const due = isLong || isEmpty ? Number(event.start) + facts.length * MINUTE : event.end;
    return { start: time(event.start), due: time(due) };
  }

  async function moved(info) {
    const { event, revert } = info;
    const { when, marks } = event.extendedProps;
    const values = { ...placeOf(info), seen: when };
    if (marks.repeats) values.scope = await chooseScope(event.title);
    if (values.scope === "") {
      revert();
      return;
    }
    try {
      const { answer } = await post(event.id, values);
      tell(event.id, answer);
    } catch (error) {
      revert();
      window.shell.toast(error.message).setAttribute("data-tone", "bad");
    }
    calendar.refetchEvents();
  }

  function tell(id, { said, undo: back }) {
    const toast = window.shell.toast(said);
    undo = null;
    if (!back) return;
    const mine = undo = async () => {
      if (undo === mine) undo = null;
      toast.remove();
      try {
        await post(id, back);
        window.shell.toast(texts.undone);
      } catch (error) {
        window.shell.toast(error.message);
      }
      calendar.refetchEvents();
    };
    const button = element("button", { class: "button small", type: "button", text: texts.undo });
    button.addEventListener("click", mine);
    toast.append(button);
  }

  /* Asks for how much of a series it is meant; "" is for none. */
  function chooseScope(title) {
    const dialog = document.getElementById("scope");
    dialog.querySelector("[data-title]").textContent = title;
    dialog.querySelector("form").reset();
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        resolve(dialog.returnValue === "move" ? dialog.querySelector("input:checked").value : "");
      }, { once: true });
    });
  }

  // --- The keyboard ------------------------------------------------------------------------------------------------

  const help = document.getElementById("shortcuts");
  const KEYS = {
    t: () => go("today"), j: () => go("next"), k: () => go("prev"), ArrowRight: () => go("next"), ArrowLeft: () => go("prev"),
    d: () => show("day"), f: () => show("work_week"), w: () => show("week"), m: () => show("month"), a: () => show("agenda"),
    n: () => newMini({}, undefined), u: () => undo?.(), "?": () => help.showModal(),
  };
  const single = help.querySelector("[data-single-keys]"); // Whom they disturb can turn them off (WCAG 2.1.4).
  single.checked = kept("calendar-keys") !== "off";
  single.addEventListener("change", () => keep("calendar-keys", single.checked ? "on" : "off"));

  document.addEventListener("keydown", (event) => {
    const action = Object.hasOwn(KEYS, event.key) && KEYS[event.key];
    const isTyping = event.target.closest?.("input, textarea, select, [contenteditable], dialog, details");
    if (!action || isTyping || !single.checked || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    event.preventDefault();
    action();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && window.miniPage.isOpen()) window.miniPage.close();
  });

  // --- Life --------------------------------------------------------------------------------------------------------

  let refreshed = Date.now();
  function refresh() {
    const isBusy = document.hidden || window.miniPage.isOpen() || host.querySelector(".fc-event-dragging, .fc-event-resizing");
    if (isBusy || Date.now() - refreshed < LATEST) return;
    refreshed = Date.now();
    calendar.refetchEvents();
  }
  setInterval(refresh, MINUTE);
  document.addEventListener("visibilitychange", refresh);

  /* FullCalendar calls its tables grids, but they have none of a grid's keys: what is in them are links and buttons, whose
     names say day and time. A part that scrolls can be reached even if there is nothing in it. */
  const GRID = ["grid", "rowgroup", "row", "gridcell", "columnheader"].map((role) => `[role=${role}]`).join();
  const dayOf = (part) => dayName.format(parse(part.closest("[data-date]").dataset.date));
  let more = ""; // The day of which the list of all entries is open.

  function nameParts() {
    for (const part of host.querySelectorAll(GRID)) {
      part.setAttribute("role", "presentation");
      part.removeAttribute("aria-labelledby");
    }
    for (const link of host.querySelectorAll("a:not([href], [role])[tabindex]")) link.setAttribute("role", "button");
    for (const number of host.querySelectorAll(".fc-daygrid-day-number[role=button]")) number.setAttribute("aria-label", dayOf(number));
    for (const link of host.querySelectorAll(".fc-more-link")) link.setAttribute("aria-label", `${link.textContent}, ${dayOf(link)}`);
    host.querySelector(".fc-timegrid-body")?.closest(".fc-scroller").setAttribute("tabindex", "0");
    host.querySelector(".fc-dayGridMonth-view .fc-daygrid-body")?.closest(".fc-scroller").setAttribute("tabindex", "0");
    host.querySelector(".fc-list > .fc-scroller")?.setAttribute("tabindex", "0");
    followMore(host.querySelector(".fc-popover"));
  }

  /* "+ n more" opens a list far from it in the page: who opens it is led there, and back when it closes. */
  function followMore(list) {
    const was = more;
    more = list?.dataset.date ?? "";
    if (more === was) return;
    if (!list) {
      if (document.activeElement === document.body) host.querySelector(`[data-date="${was}"] .fc-more-link`)?.focus({ preventScroll: true });
      return;
    }
    const close = list.querySelector(".fc-popover-close");
    for (const [name, value] of Object.entries({ role: "button", tabindex: "0", "aria-label": texts.close })) close.setAttribute(name, value);
    list.setAttribute("role", "dialog");
    (list.querySelector("a[href]") ?? close).focus({ preventScroll: true });
  }

  host.addEventListener("keydown", (event) => {
    if (!event.target.matches(".fc-popover-close") || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    event.target.click();
  });

  new MutationObserver(nameParts).observe(host, { childList: true, characterData: true, subtree: true });

  calendar.render();
})();
