/* The shell: menus, dialogs, the section panel, toasts. Everything is found by attributes, so it also works on what
   htmx puts into the page later. */
"use strict";
(() => {
  const YEAR = 365 * 24 * 3600;
  const TOAST_SECONDS = 8;

  const openMenus = () => document.querySelectorAll("details.menu[open]");

  function closeMenus({ except = null } = {}) {
    for (const menu of openMenus()) {
      if (!except || !menu.contains(except)) menu.open = false;
    }
  }

  /* Below 720 px the panel lies over the page and the button in the top bar opens it. */
  function showPanel(isShown) {
    const button = document.querySelector("[data-open-panel]");
    document.body.classList.toggle("panel-open", isShown);
    button?.setAttribute("aria-expanded", String(isShown));
    if (isShown) document.querySelector("#panel a")?.focus();
  }

  /* Wider, it can be folded to a rail of icons; the cookie lets the server draw it so from the start. */
  function toggleRail(button) {
    if (document.body.classList.contains("panel-open")) {
      showPanel(false);
      return;
    }
    const isRail = document.body.classList.toggle("is-rail");
    button.setAttribute("aria-pressed", String(isRail));
    document.cookie = `panel=${isRail ? "rail" : "full"}; path=/; max-age=${YEAR}; samesite=lax`;
  }

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    /* What opens in another tab leaves this page, and its menu, where it was. */
    closeMenus({ except: target.closest("a[target]") ? null : target });

    if (document.body.classList.contains("panel-open") && !target.closest("#panel, [data-open-panel]")) {
      showPanel(false);
      event.preventDefault();
      return;
    }
    const control = target.closest("[data-opens], [data-closes], [data-open-panel], [data-toggle-panel], [data-dismiss]");
    if (!control) return;
    if ("opens" in control.dataset) {
      const dialog = document.getElementById(control.dataset.opens);
      if (!dialog) return; /* The link then leads to the page that asks the same. */
      event.preventDefault();
      closeMenus();
      dialog.showModal();
    } else if ("closes" in control.dataset) {
      const dialog = control.closest("dialog");
      if (!dialog) return;
      event.preventDefault();
      dialog.close();
    } else if ("openPanel" in control.dataset) {
      showPanel(!document.body.classList.contains("panel-open"));
    } else if ("togglePanel" in control.dataset) {
      toggleRail(control);
    } else {
      control.closest(".toast")?.remove();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of openMenus()) {
      const hadFocus = menu.contains(document.activeElement);
      menu.open = false;
      if (hadFocus) menu.querySelector("summary").focus();
    }
    if (document.body.classList.contains("panel-open")) {
      showPanel(false);
      document.querySelector("[data-open-panel]")?.focus();
    }
  });

  /* Choosing something that is sent without a page load closes the menu it was chosen from, unless that has data-stays. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    const menu = event.target.closest?.("details.menu:not([data-stays])");
    if (menu) menu.open = false;
  });

  function letGo(toast) {
    let timer;
    const start = () => { timer = setTimeout(() => toast.remove(), TOAST_SECONDS * 1000); };
    const stop = () => clearTimeout(timer);
    toast.addEventListener("pointerenter", stop);
    toast.addEventListener("pointerleave", start);
    toast.addEventListener("focusin", stop);
    toast.addEventListener("focusout", start);
    start();
  }

  document.querySelectorAll(".toast").forEach(letGo);

  /* For the other scripts: window.shell.toast("Moved to Thursday") returns the element, to which a button may be added. */
  window.shell = {
    toast(text) {
      const toast = document.createElement("div");
      toast.className = "toast";
      toast.textContent = text;
      document.getElementById("toasts").append(toast);
      letGo(toast);
      return toast;
    },
    icon(name, { small = false } = {}) {
      const space = "http://www.w3.org/2000/svg";
      const icon = document.createElementNS(space, "svg");
      icon.setAttribute("class", small ? "icon small" : "icon");
      icon.setAttribute("aria-hidden", "true");
      const use = document.createElementNS(space, "use");
      use.setAttribute("href", `${document.body.dataset.icons}#i-${name}`);
      icon.append(use);
      return icon;
    },
  };
})();
