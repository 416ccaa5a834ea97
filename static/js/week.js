/* The calendar week as the server draws it, if FullCalendar could not be loaded: hands the numbers of the data attributes to the style sheet, keeps the line at now where it
   belongs, and on a phone changes the day shown. It stands at the end of the page, so it runs before the first paint. */
"use strict";
(() => {
  const NUMBERS = ["days", "first", "hours", "start", "length", "lane", "lanes", "wide", "from", "span", "row", "at"];
  const SMALL = matchMedia("(max-width: 720px)");
  const calendar = document.querySelector(".calendar");
  if (!calendar || window.FullCalendar) return;

  function place(element) {
    for (const name of NUMBERS) {
      if (name in element.dataset) element.style.setProperty(`--${name}`, element.dataset[name]);
    }
  }

  calendar.classList.add("is-laid-out");
  place(calendar);
  calendar.querySelectorAll(".event, .now, .now-time").forEach(place);

  /* The line at now, minute by minute. The server has said where it was when the page was made. */
  const loaded = Date.now();
  const lines = [...calendar.querySelectorAll("[data-at]")].map((line) => ({ line, at: Number(line.dataset.at) }));
  const end = Number(calendar.dataset.first) + 60 * Number(calendar.dataset.hours);
  function moveNow() {
    const passed = Math.floor((Date.now() - loaded) / 60000);
    for (const { line, at } of lines) {
      const minute = at + passed;
      line.hidden = minute >= end;
      line.style.setProperty("--at", minute);
      if (line.matches(".now-time")) {
        line.textContent = [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, "0")).join(":");
      }
    }
  }
  if (lines.length) setInterval(moveNow, 30000);

  /* A phone shows one day. The links work without this; with it nothing has to be loaded. */
  const heads = [...calendar.querySelectorAll(".day-head")];
  const days = [...calendar.querySelectorAll(".day")];
  function show(chosen) {
    heads.forEach((head, number) => head.classList.toggle("is-shown", number === chosen));
    days.forEach((day, number) => day.classList.toggle("is-shown", number === chosen));
    for (const bar of calendar.querySelectorAll(".strip .event")) {
      const first = Number(bar.dataset.from) - 1;
      bar.classList.toggle("is-shown", first <= chosen && chosen < first + Number(bar.dataset.span));
    }
    heads[chosen].scrollIntoView({ block: "nearest" });
  }
  heads.forEach((head, number) => {
    head.addEventListener("click", (event) => {
      if (!SMALL.matches || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(number);
      history.replaceState(null, "", head.href);
    });
  });

  /* Begin at the time that matters: now, or in another week the morning. */
  const MORNING = 8 * 60;
  const scroller = calendar.querySelector(".calendar-scroll");
  const marker = calendar.querySelector(".now");
  if (marker && scroller.scrollHeight > scroller.clientHeight) {
    scroller.scrollTop = Math.max(0, marker.offsetTop - scroller.clientHeight / 3);
  } else if (Number(calendar.dataset.first) < MORNING) {
    const hour = calendar.querySelector(".hours li").offsetHeight;
    scroller.scrollTop = ((MORNING - Number(calendar.dataset.first)) / 60) * hour;
  }
})();
