/* The quick filters: a box that is ticked takes effect at once. */
"use strict";
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-filters]");
  if (form && event.target.matches("[type=checkbox]")) form.requestSubmit();
});
