// Sorts and filters tables; without this script they stand whole, in the order of the ranking.
"use strict";

const SIZES = { k: 1e3, M: 1e6, G: 1e9 };

// A number is what a cell begins with; cells without one stay last, whichever way the column is sorted.
function keyOf(row, column, text) {
  const cell = row.cells[column];
  if (text) return (cell.querySelector(".name") || cell).textContent.trim().toLowerCase();
  const first = cell.firstChild ? cell.firstChild.textContent.trim() : "";
  const value = parseFloat(first);
  return Number.isNaN(value) ? null : value * (SIZES[first.slice(-1)] || 1);
}

function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null);
  return direction * (a < b ? -1 : a > b ? 1 : 0);
}

const rowsOf = (body) => [...body.rows];

function sortBy(table, head, column) {
  const text = head.dataset.sort === "text";
  const ascending = head.hasAttribute("aria-sort")
    ? head.getAttribute("aria-sort") === "descending"
    : head.dataset.sort !== "down";
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  for (const body of table.tBodies) {
    const keyed = rowsOf(body).map((row) => [keyOf(row, column, text), row]);
    keyed.sort((a, b) => compare(a[0], b[0], ascending ? 1 : -1));
    body.append(...keyed.map((pair) => pair[1]));
  }
}

const headsOf = (table) => [...table.tHead.rows[0].cells];

for (const table of document.querySelectorAll("table[data-sortable]")) {
  headsOf(table).forEach((head, column) => {
    if (!head.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head, column));
    head.append(button);
  });
}

// --- what a reader chooses ---

const STATES = ["comparable", "box", "other"];
const SHOWN_STATES = { comparable: 1, box: 2, all: 3 };

const field = (form, name) => form.elements.namedItem(name);
const isOn = (form, name, without) => (field(form, name) ? field(form, name).checked : without);

// Comparable rows are asked for first; "box" adds those that differ in their box alone, "all" the others.
function wanted(row, form, words) {
  const chosen = field(form, "state") ? field(form, "state").value : "all";
  if (STATES.indexOf(row.dataset.state) >= SHOWN_STATES[chosen]) return false;
  const measured = row.dataset.kind !== "paper";
  if (!isOn(form, measured ? "measured" : "printed", true)) return false;
  if ("ablation" in row.dataset && !isOn(form, "ablations", false)) return false;
  const name = row.querySelector(".name").textContent;
  const text = `${name} ${row.dataset.title || ""}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

// The rows stand in the order of the ranking: the first one of a method is its best.
function showRows(form, ordered) {
  const words = field(form, "find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const families = new Set();
  let shown = 0;
  for (const row of ordered) {
    let show = wanted(row, form, words);
    if (show && isOn(form, "best", false)) {
      show = !families.has(row.dataset.family);
      families.add(row.dataset.family);
    }
    row.hidden = !show;
    shown += show ? 1 : 0;
  }
  const hidden = ordered.length - shown;
  form.querySelector("output").textContent = hidden ? `${shown} rows, ${hidden} hidden` : `${shown} rows`;
  form.querySelector("[data-all]").hidden = !hidden;
}

// A column that says nothing of the rows that are shown takes their room.
function foldEmpty(table, ordered) {
  const shown = ordered.filter((row) => !row.hidden);
  headsOf(table).forEach((head, column) => {
    if (!head.matches(".number:not(.key), .rank, .extra")) return;
    const empty = shown.length > 0 && shown.every((row) => !row.cells[column].textContent);
    for (const line of [table.tHead.rows[0], ...ordered]) line.cells[column].classList.toggle("void", empty);
  });
}

// The choice of whoever asks for everything.
function chooseAll(form) {
  for (const input of form.elements) {
    if (["printed", "measured", "ablations"].includes(input.name)) input.checked = true;
    if (input.name === "best") input.checked = false;
    if (input.name === "find") input.value = "";
  }
  const last = [...form.querySelectorAll("[name=state]")].pop();
  if (last) last.checked = true;
}

function remember(form) {
  const state = new URLSearchParams();
  for (const input of form.elements) {
    if (!input.name) continue;
    if (input.type === "radio") { if (input.checked) state.set(input.name, input.value); }
    else if (input.type === "checkbox") state.set(input.name, input.checked ? "on" : "off");
    else if (input.value) state.set(input.name, input.value);
  }
  return state.toString();
}

function recall(form) {
  const chosen = new URLSearchParams(location.hash.slice(1));
  for (const input of form.elements) {
    if (!input.name || !chosen.has(input.name)) continue;
    if (input.type === "radio") input.checked = input.value === chosen.get(input.name);
    else if (input.type === "checkbox") input.checked = chosen.get(input.name) === "on";
    else input.value = chosen.get(input.name);
  }
}

for (const form of document.querySelectorAll("form[data-filters]")) {
  const table = document.querySelector("table.board");
  const ordered = [...table.tBodies[0].rows];
  const apply = () => {
    showRows(form, ordered);
    foldEmpty(table, ordered);
    table.classList.toggle("whole", isOn(form, "columns", false));
  };
  form.hidden = false;
  for (const event of ["input", "change"]) form.addEventListener(event, apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("[data-all]").addEventListener("click", () => { chooseAll(form); apply(); });
  // Another convention is another page: what was chosen here goes along.
  recall(form);
  for (const link of document.querySelectorAll(".switch a")) {
    link.addEventListener("click", () => { link.hash = remember(form); });
  }
  apply();
}

// What has no room in a cell is read in whole after a click.
for (const table of document.querySelectorAll("table.board")) {
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("tbody td, tbody th");
    if (cell && !event.target.closest("a, button")) cell.parentElement.classList.toggle("open");
  });
}
