// Shows and hides methods, groups, poses and pictures of an atlas, and one item larger; without it
// everything is shown.
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

// One item larger, with every name beside its error; inside <main>, where the choices above count.
const view = document.createElement("dialog");
view.className = "large";
view.addEventListener("click", (event) => { if (event.target === view) view.close(); });
document.getElementById("main").append(view);

function enlarge(face, drawing, name) {
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = "Close";
  close.addEventListener("click", () => view.close());
  const rest = [...face.children].filter((child) => !child.contains(drawing));
  view.replaceChildren(close, drawing.cloneNode(true), ...rest.map((child) => child.cloneNode(true)));
  view.classList.toggle("wider", drawing.matches(".gaze:not(.alone)"));
  view.setAttribute("aria-label", name);
  view.showModal();
}

for (const face of document.querySelectorAll(".face")) {
  const drawing = face.querySelector(".drawing, .gaze");
  if (!drawing) continue;
  const name = face.querySelector("code").textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "enlarge";
  button.setAttribute("aria-label", `Enlarge ${name}`);
  drawing.replaceWith(button);
  button.append(drawing);
  button.addEventListener("click", () => enlarge(face, drawing, name));
}
