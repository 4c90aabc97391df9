// Shows and hides methods, groups, poses and pictures of an atlas; without it everything is shown.
"use strict";

for (const form of document.querySelectorAll("form[data-atlas]")) {
  const main = document.getElementById("main");
  const value = (name) => (form.elements.namedItem(name) ? form.elements.namedItem(name).value : "");
  const apply = () => {
    for (const box of form.querySelectorAll("input[name=method]")) {
      main.classList.toggle(`off-${box.value}`, !box.checked);
    }
    for (const name of ["pictures", "truth"]) {
      const box = form.elements.namedItem(name);
      main.classList.toggle(`off-${name}`, Boolean(box) && !box.checked);
    }
    for (const face of document.querySelectorAll(".face")) {
      const group = value("group");
      const pose = value("pose");
      face.hidden = Boolean((group && !face.dataset.groups.split(" ").includes(group)) || (pose && face.dataset.pose !== pose));
    }
  };
  form.hidden = false;
  for (const event of ["input", "change"]) form.addEventListener(event, apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
