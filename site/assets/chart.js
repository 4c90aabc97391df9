// Curves of a chart: switched on and off in the legend, read off under the pointer. The charts stand without it, too.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

const isShown = (element) => element.getAttribute("display") !== "none";

// --- the legend ---

function curvesOf(figure) {
  const svg = figure.querySelector("svg");
  const legend = figure.querySelector(".legend");
  const curves = [...svg.querySelectorAll(".series")].map((group) => {
    const key = group.dataset.series;
    const button = legend && legend.querySelector(`button[data-series="${key}"]`);
    const parts = [group, ...svg.querySelectorAll(`.marked[data-mark="${key}"]`)];
    return { group, parts, button, label: button ? button.textContent.trim() : "" };
  });
  const stress = (chosen) => {
    for (const curve of curves) {
      for (const part of curve.parts) part.classList.toggle("faint", Boolean(chosen) && curve !== chosen);
    }
  };
  for (const curve of curves) {
    if (!curve.button) continue;
    curve.button.addEventListener("click", () => {
      const on = curve.button.getAttribute("aria-pressed") !== "true";
      curve.button.setAttribute("aria-pressed", String(on));
      for (const part of curve.parts) {
        if (on) part.removeAttribute("display");
        else part.setAttribute("display", "none");
      }
    });
    for (const event of ["pointerenter", "focus"]) {
      curve.button.addEventListener(event, () => stress(isShown(curve.group) ? curve : null));
    }
    for (const event of ["pointerleave", "blur"]) curve.button.addEventListener(event, () => stress(null));
  }
  if (legend) legend.hidden = false;
  return { curves, stress };
}

// --- what stands under the pointer: each reader returns a place, lines of text and the curve that they are about ---

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

function readStairs(figure, curves, box) {
  for (const curve of curves) curve.stairs = corners(curve.group.querySelector(".curve").getAttribute("d"));
  return (x, y) => {
    const shown = curves.filter((curve) => isShown(curve.group));
    const near = shown.map((curve) => [Math.abs(heightAt(curve.stairs, x) - y), curve]).sort((a, b) => a[0] - b[0])[0];
    if (!near || x < box.left || x > box.right) return null;
    const curve = near[1];
    const height = heightAt(curve.stairs, x);
    const share = ((box.bottom - height) / (box.bottom - box.top)) * 100;
    const error = ((x - box.left) / (box.right - box.left)) * box.end;
    const start = curve.label ? `${curve.label}: ` : "";
    return { x, y: height, upright: true, curve, lines: [`${start}${share.toFixed(1)} % up to ${error.toFixed(2)} ${figure.dataset.unit}`] };
  };
}

function nearest(places, x, y, reach) {
  const found = places.map((place) => [Math.hypot(place.x - x, place.y - y), place]).sort((a, b) => a[0] - b[0])[0];
  return found && found[0] <= reach ? found[1] : null;
}

function readMarks(figure, curves) {
  const marks = [...figure.querySelectorAll(".marked[data-say]")].map((point) => {
    const circle = point.querySelector("circle");
    const curve = curves.find((one) => one.parts.includes(point));
    return { point, curve, x: Number(circle.getAttribute("cx")), y: Number(circle.getAttribute("cy")) };
  });
  return (x, y) => {
    const mark = nearest(marks.filter((one) => isShown(one.point)), x, y, 40);
    return mark && { x: mark.x, y: mark.y, curve: mark.curve, lines: [mark.point.dataset.say] };
  };
}

function readPoints(figure, curves) {
  const spots = figure.querySelector(".spots");
  const names = spots.dataset.names.split(",");
  const places = [...spots.getAttribute("d").matchAll(/M([\d.]+) ([\d.]+)/g)].map(([, x, y], k) => ({ k, x: Number(x), y: Number(y) }));
  for (const curve of curves) curve.values = curve.group.dataset.values.split(" ");
  return (x, y) => {
    const place = nearest(places, x, y, 40);
    const lines = curves.filter((curve) => isShown(curve.group)).map((curve) => `${curve.label}: ${curve.values[place ? place.k : 0]} ${figure.dataset.unit}`);
    return place && { x: place.x, y: place.y, lines: [`${names[place.k]}, point ${place.k + 1}`, ...lines] };
  };
}

const READERS = { stairs: readStairs, marks: readMarks, points: readPoints };

function start(figure) {
  const svg = figure.querySelector("svg");
  const box = {};
  for (const key of ["left", "right", "top", "bottom", "end"]) box[key] = Number(figure.dataset[key]);
  const { curves, stress } = curvesOf(figure);
  const read = READERS[figure.dataset.chart](figure, curves, box);
  const width = svg.viewBox.baseVal.width;

  const cursor = make("g", { class: "cursor", display: "none" }, svg);
  const line = make("path", { d: "" }, cursor);
  const dot = make("circle", { r: 4 }, cursor);
  const back = make("rect", { rx: 4 }, cursor);
  const text = make("text", { "font-size": 13 }, cursor);
  const hide = () => {
    cursor.setAttribute("display", "none");
    stress(null);
  };
  const show = ({ x, y, upright, curve, lines }) => {
    text.replaceChildren();
    lines.forEach((words, k) => { make("tspan", { dy: k ? 18 : 0 }, text).textContent = words; });
    cursor.removeAttribute("display");
    line.setAttribute("d", upright ? `M${x} ${box.top}V${box.bottom}` : "");
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    for (const part of text.children) part.setAttribute("x", 0);
    const wide = Math.max(...[...text.children].map((part) => part.getComputedTextLength()));
    const tall = 18 * lines.length;
    const at = Math.max(Math.min(x + 10, width - wide - 14), 2);
    const above = y > box.top + tall + 22 ? y - tall : y + 26;
    for (const part of text.children) part.setAttribute("x", at + 6);
    text.setAttribute("y", above);
    back.setAttribute("x", at);
    back.setAttribute("y", above - 16);
    back.setAttribute("width", wide + 12);
    back.setAttribute("height", tall + 5);
    stress(curve || null);
  };
  svg.addEventListener("pointermove", (event) => {
    const matrix = svg.getScreenCTM();
    const x = (event.clientX - matrix.e) / matrix.a;
    const y = (event.clientY - matrix.f) / matrix.d;
    const found = y < box.top - 10 || y > box.bottom + 10 ? null : read(x, y);
    if (found) show(found);
    else hide();
  });
  svg.addEventListener("pointerleave", hide);
}

for (const figure of document.querySelectorAll("figure[data-chart]")) start(figure);
