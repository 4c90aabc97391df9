// Pairs the runs that are chosen: differences per group with intervals, errors against errors, curves.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const form = document.querySelector("form[data-compare]");
const result = document.querySelector("[data-result]");
const data = JSON.parse(document.getElementById("data").textContent);
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

function make(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function cell(row, name, text, kind) {
  const element = document.createElement(name);
  element.textContent = text;
  if (kind) element.className = kind;
  if (name === "th") element.scope = row.parentNode.tagName === "THEAD" ? "col" : "row";
  row.append(element);
  return element;
}

// Mean difference and half its interval: cluster-robust standard error, t quantile of the group's clusters.
function difference(a, b, group) {
  const sums = new Map();
  let count = 0;
  let total = 0;
  for (let i = 0; i < a.length; i += 1) {
    if (group.members[i] !== "1" || a[i] === null || b[i] === null) continue;
    const d = (b[i] - a[i]) * data.step;
    const held = sums.get(data.clusters[i]) || [0, 0];
    sums.set(data.clusters[i], [held[0] + d, held[1] + 1]);
    total += d;
    count += 1;
  }
  if (!count) return null;
  const mean = total / count;
  let square = 0;
  for (const [sum, size] of sums.values()) square += (sum - mean * size) ** 2;
  const clusters = sums.size;
  const half = group.t === null || clusters < 2 ? null : (group.t * Math.sqrt((square * clusters) / (clusters - 1))) / count;
  return { mean, half, count };
}

const signed = (value) => (value < 0 ? "\u2212" : "+") + Math.abs(value).toFixed(2);

function showDifferences(first, others) {
  const table = result.querySelector("table.differences");
  const head = table.tHead;
  const body = table.tBodies[0];
  head.replaceChildren();
  body.replaceChildren();
  const names = Object.keys(data.groups);
  const top = head.insertRow();
  cell(top, "th", `minus ${first.name}`);
  for (const name of names) cell(top, "th", `${name}, ${data.unit}`, "number");
  for (const other of others) {
    const row = body.insertRow();
    cell(row, "th", other.name);
    for (const name of names) {
      const found = difference(first.errors, other.errors, data.groups[name]);
      if (!found) { cell(row, "td", "\u2013", "number"); continue; }
      const sure = found.half !== null && Math.abs(found.mean) > found.half;
      const box = cell(row, "td", signed(found.mean), sure ? "number sure" : "number");
      const small = document.createElement("small");
      const range = found.half === null ? "no interval" : `${signed(found.mean - found.half)} to ${signed(found.mean + found.half)}`;
      small.textContent = sure ? `${range}, ${found.mean < 0 ? "better" : "worse"}` : range;
      box.append(small);
    }
  }
}

function showScatter(first, other) {
  const svg = document.querySelector("svg[data-scatter]");
  svg.replaceChildren();
  const pairs = [];
  for (let i = 0; i < first.errors.length; i += 1) {
    if (first.errors[i] !== null && other.errors[i] !== null) {
      pairs.push([first.errors[i] * data.step, other.errors[i] * data.step, i]);
    }
  }
  const values = pairs.flatMap((pair) => [pair[0], pair[1]]).sort((a, b) => a - b);
  const low = Math.max(values[0] || 0.1, 1e-3) / 1.1;
  const high = (values[values.length - 1] || 1) * 1.1;
  const at = (value) => Math.log(Math.max(value, low) / low) / Math.log(high / low);
  const x = (value) => 50 + at(value) * 390;
  const y = (value) => 410 - at(value) * 390;
  for (let power = -3; power < 5; power += 1) {
    for (const step of [1, 2, 5]) {
      const tick = step * 10 ** power;
      if (tick < low || tick > high) continue;
      make("path", { class: "gridline", d: `M${x(tick)} 20V410M50 ${y(tick)}H440` }, svg);
      make("text", { class: "tick", x: x(tick), y: 428, "text-anchor": "middle" }, svg, String(Number(tick.toPrecision(2))));
      make("text", { class: "tick", x: 44, y: y(tick) + 4, "text-anchor": "end" }, svg, String(Number(tick.toPrecision(2))));
    }
  }
  make("path", { class: "diagonal", d: "M50 410L440 20" }, svg);
  for (const [a, b, i] of pairs) {
    const dot = make("circle", { class: a <= b ? "point over" : "point under", cx: x(a).toFixed(1), cy: y(b).toFixed(1), r: 2.6 }, svg);
    make("title", {}, dot, `${data.ids[i]}: ${a.toFixed(2)} and ${b.toFixed(2)} ${data.unit}`);
  }
  make("text", { class: "tick", x: 245, y: 452, "text-anchor": "middle" }, svg, first.name);
  make("text", { class: "tick", x: -215, y: 14, "text-anchor": "middle", transform: "rotate(-90)" }, svg, other.name);
  const better = pairs.filter((pair) => pair[1] < pair[0]).length;
  svg.closest("figure").querySelector("figcaption").textContent =
    `One point per item, logarithmic scales: below the line ${other.name} is better (${better} of ${pairs.length}).`;
}

function showCurves(chosen) {
  const svg = document.querySelector("svg[data-curves]");
  svg.replaceChildren();
  const x = (value) => 50 + (value / data.end) * 490;
  const y = (share) => 410 - share * 390;
  for (let share = 0; share <= 100; share += 20) {
    make("path", { class: "gridline", d: `M50 ${y(share / 100)}H540` }, svg);
    make("text", { class: "tick", x: 44, y: y(share / 100) + 4, "text-anchor": "end" }, svg, `${share} %`);
  }
  for (let k = 0; k <= 4; k += 1) {
    const tick = (data.end * k) / 4;
    make("text", { class: "tick", x: x(tick), y: 428, "text-anchor": "middle" }, svg, `${Number(tick.toPrecision(3))}`);
  }
  make("text", { class: "tick", x: 295, y: 452, "text-anchor": "middle" }, svg, `error, ${data.unit}`);
  const overall = data.groups[data.overall].members;
  chosen.forEach((run, place) => {
    const all = run.errors.filter((_, i) => overall[i] === "1");
    const sorted = all.filter((value) => value !== null).map((value) => value * data.step).sort((a, b) => a - b);
    let path = `M50 410`;
    sorted.forEach((value, i) => {
      if (value <= data.end) path += `H${x(value).toFixed(1)}V${y((i + 1) / all.length).toFixed(1)}`;
    });
    const style = (place % 8) + 1;
    make("path", { class: `curve curve-${style}`, d: `${path}H540`, fill: "none", "stroke-width": 2, "stroke-dasharray": DASHES[place % 4] }, svg);
    make("path", { class: `curve curve-${style}`, d: `M340 ${300 + place * 20}H366`, "stroke-width": 2, "stroke-dasharray": DASHES[place % 4] }, svg);
    make("text", { class: `label label-${style}`, x: 374, y: 304 + place * 20, "font-size": 13 }, svg, run.name);
  });
}

function showExtremes(first, other) {
  const table = result.querySelector("table.extremes");
  table.tHead.replaceChildren();
  table.tBodies[0].replaceChildren();
  const top = table.tHead.insertRow();
  cell(top, "th", "Item");
  const grouped = Object.keys(data.groups).length > 1; // else all are of the one group
  if (grouped) cell(top, "th", "Groups");
  for (const name of [first.name, other.name, "difference"]) cell(top, "th", name, "number");
  const found = [];
  for (let i = 0; i < first.errors.length; i += 1) {
    if (first.errors[i] !== null && other.errors[i] !== null) found.push([other.errors[i] - first.errors[i], i]);
  }
  found.sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]));
  for (const [d, i] of found.slice(0, 10)) {
    const row = table.tBodies[0].insertRow();
    cell(row, "th", data.ids[i]);
    if (grouped) cell(row, "td", Object.keys(data.groups).filter((name) => data.groups[name].members[i] === "1" && name !== data.overall).join(", "));
    for (const value of [first.errors[i], other.errors[i]]) cell(row, "td", (value * data.step).toFixed(2), "number");
    cell(row, "td", signed(d * data.step), "number");
  }
}

function update() {
  const a = Number(form.elements.namedItem("a").value);
  const boxes = [...form.querySelectorAll("input[name=b]")];
  for (const box of boxes) {
    box.disabled = Number(box.value) === a;
    if (box.disabled) box.checked = false;
  }
  const picked = boxes.filter((box) => box.checked).map((box) => Number(box.value));
  history.replaceState(null, "", `#a=${a}&b=${picked.join(".")}`);
  result.hidden = !picked.length;
  if (!picked.length) return;
  const first = data.runs[a];
  const others = picked.map((number) => data.runs[number]);
  showDifferences(first, others);
  showScatter(first, others[0]);
  showCurves([first, ...others]);
  showExtremes(first, others[0]);
}

const asked = new URLSearchParams(location.hash.slice(1));
if (asked.has("a") && data.runs[Number(asked.get("a"))]) {
  form.elements.namedItem("a").value = asked.get("a");
  const wanted = (asked.get("b") || "").split(".");
  for (const box of form.querySelectorAll("input[name=b]")) box.checked = wanted.includes(box.value);
}
form.hidden = false;
for (const event of ["input", "change"]) form.addEventListener(event, update);
form.addEventListener("submit", (event) => event.preventDefault());
update();
