/* The list: how many rows are selected, and the box that selects the whole page. Without this file the links of the bar do it. */
"use strict";
(() => {
  const bar = document.querySelector("[data-selection]");
  const all = document.querySelector("[data-select-page]");
  const boxes = [...document.querySelectorAll("input[name=activity][form=selection]")];
  if (!bar || !all) return;
  const words = bar.querySelector("[data-selected]");
  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
    if (!bar.elements.all) words.textContent = count ? words.dataset.some.replace("0", count) : words.dataset.none;
  };
  all.hidden = false;
  all.disabled = Boolean(bar.elements.all);
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    show();
  });
  for (const box of boxes) box.addEventListener("change", show);
  window.addEventListener("pageshow", show); // The browser may have kept what was ticked.
  show();
})();
