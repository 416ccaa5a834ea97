/* Your profile: show a chosen photo's name, so that it can be seen what Save will store. */
"use strict";
(() => {
  const file = document.getElementById("id_photo");
  const label = file?.closest("label");
  const usual = label?.firstChild.textContent;
  file?.addEventListener("change", () => {
    const [chosen] = file.files;
    label.firstChild.textContent = chosen ? label.dataset.chosen.replace("{name}", chosen.name) : usual;
  });
})();
