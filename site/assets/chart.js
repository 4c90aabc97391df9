// Curves of a chart: switched on and off in the legend, read off under the pointer. The charts stand without it, too.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

// A stair of level and upright strokes, "M52 334H60.1V320…", as corners [x, y].
function corners(path) {
  const found = [];
  let x = 0;
  let y = 0;
  for (const [, letter, first, second] of path.matchAll(/([MHV])([\d.]+)(?: ([\d.]+))?/g)) {
    if (letter !== "V") x = Number(first);
    if (letter === "V") y = Number(first);
    if (second !== undefined) y = Number(second);
    found.push([x, y]);
  }
  return found;
}

function heightAt(stairs, x) {
  let y = stairs[0][1];
  for (const corner of stairs) {
    if (corner[0] > x) break;
    y = corner[1];
  }
  return y;
}

function start(figure) {
  const svg = figure.querySelector("svg");
  const legend = figure.querySelector(".legend");
  const [left, right, top, bottom, end] = ["left", "right", "top", "bottom", "end"].map((key) => Number(figure.dataset[key]));
  const unit = figure.dataset.unit;
  const curves = [...svg.querySelectorAll(".series")].map((group) => {
    const button = legend && legend.querySelector(`button[data-series="${group.dataset.series}"]`);
    const label = button ? button.textContent.trim() : "";
    return { group, button, label, stairs: corners(group.querySelector(".curve").getAttribute("d")) };
  });
  const shown = () => curves.filter((curve) => curve.group.getAttribute("display") !== "none");
  const stress = (chosen) => {
    for (const curve of curves) curve.group.classList.toggle("faint", Boolean(chosen) && curve !== chosen);
  };
  for (const curve of curves) {
    if (!curve.button) continue;
    curve.button.addEventListener("click", () => {
      const on = curve.button.getAttribute("aria-pressed") !== "true";
      curve.button.setAttribute("aria-pressed", String(on));
      if (on) curve.group.removeAttribute("display");
      else curve.group.setAttribute("display", "none");
    });
    for (const event of ["pointerenter", "focus"]) {
      curve.button.addEventListener(event, () => stress(curve.group.getAttribute("display") === "none" ? null : curve));
    }
    for (const event of ["pointerleave", "blur"]) curve.button.addEventListener(event, () => stress(null));
  }
  if (legend) legend.hidden = false;

  const cursor = make("g", { class: "cursor", display: "none" }, svg);
  const line = make("path", { d: "" }, cursor);
  const dot = make("circle", { r: 4 }, cursor);
  const back = make("rect", { rx: 4, height: 22 }, cursor);
  const text = make("text", { "font-size": 13 }, cursor);
  svg.addEventListener("pointermove", (event) => {
    const matrix = svg.getScreenCTM();
    const x = (event.clientX - matrix.e) / matrix.a;
    const y = (event.clientY - matrix.f) / matrix.d;
    const near = shown().map((curve) => [Math.abs(heightAt(curve.stairs, x) - y), curve]).sort((a, b) => a[0] - b[0])[0];
    if (!near || x < left || x > right || y < top - 10 || y > bottom + 10) {
      cursor.setAttribute("display", "none");
      stress(null);
      return;
    }
    const height = heightAt(near[1].stairs, x);
    const share = ((bottom - height) / (bottom - top)) * 100;
    const error = ((x - left) / (right - left)) * end;
    text.textContent = `${near[1].label ? near[1].label + ": " : ""}${share.toFixed(1)} % up to ${error.toFixed(2)} ${unit}`;
    cursor.removeAttribute("display");
    line.setAttribute("d", `M${x} ${top}V${bottom}`);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", height);
    const width = text.getComputedTextLength();
    const at = Math.min(Math.max(x + 10, left), right + 200 - width);
    const above = height > top + 40 ? height - 18 : height + 26;
    text.setAttribute("x", at + 6);
    text.setAttribute("y", above);
    back.setAttribute("x", at);
    back.setAttribute("y", above - 16);
    back.setAttribute("width", width + 12);
    stress(near[1]);
  });
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("display", "none");
    stress(null);
  });
}

for (const figure of document.querySelectorAll("figure[data-chart]")) start(figure);
