/* Your profile: show a chosen photo's name, so that it can be seen what Save will store. */
"use strict";
(() => {
  const file = document.getElementById("id_photo");
  file?.addEventListener("change", () => {
    const label = file.closest("label").firstChild;
    label.textContent = file.files.length ? `${file.files[0].name} – press Save ` : "Change photo";
  });
})();
