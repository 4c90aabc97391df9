// Finds cards and list entries by their words; without this script all of them are shown.
"use strict";

for (const form of document.querySelectorAll("form[data-search]")) {
  const field = form.querySelector("input");
  const output = form.querySelector("output");
  const entries = [...document.querySelectorAll("[data-entry]")];
  const groups = [...document.querySelectorAll("[data-entries]")];
  const apply = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const entry of entries) {
      const text = (entry.dataset.entry + " " + entry.textContent).toLowerCase();
      entry.hidden = !words.every((word) => text.includes(word));
      shown += entry.hidden ? 0 : 1;
    }
    for (const group of groups) group.hidden = ![...group.querySelectorAll("[data-entry]")].some((entry) => !entry.hidden);
    output.textContent = words.length ? `${shown} found` : "";
  };
  form.hidden = false;
  for (const event of ["input", "change"]) form.addEventListener(event, apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
