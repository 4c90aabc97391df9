// Sorts and filters tables; without this script they stand whole, in the order of the ranking.
"use strict";

const SIZES = { k: 1e3, M: 1e6, G: 1e9 };

// A number is what a cell begins with; cells without one stay last, whichever way the column is sorted.
function keyOf(row, column, text) {
  const cell = row.cells[column];
  if (text) return cell.textContent.trim().toLowerCase();
  const first = cell.firstChild ? cell.firstChild.textContent.trim() : "";
  const value = parseFloat(first);
  return Number.isNaN(value) ? null : value * (SIZES[first.slice(-1)] || 1);
}

function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null);
  return direction * (a < b ? -1 : a > b ? 1 : 0);
}

const rowsOf = (body) => [...body.rows].filter((row) => !row.classList.contains("reason"));

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

// Columns of the second head row come after those that span both rows.
function headsOf(table) {
  const rows = [...table.tHead.rows];
  const spanning = rows.length > 1 ? [...rows[0].cells].filter((cell) => cell.rowSpan === 2) : [];
  return rows.length > 1 ? [...spanning, ...rows[1].cells] : [...rows[0].cells];
}

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

// --- filters ---

const PROPERTIES = ["kind", "budget", "data", "extra", "year"];

function fits(row, form, words) {
  for (const name of PROPERTIES) {
    const field = form.elements.namedItem(name);
    if (field && field.value && row.dataset[name] !== field.value) return false;
  }
  if (!words.length) return true;
  const text = row.cells[1].textContent.toLowerCase();
  return words.every((word) => text.includes(word));
}

function showRows(form, tables) {
  const words = form.elements.namedItem("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const table of tables) {
    for (const body of table.tBodies) {
      let here = 0;
      for (const row of rowsOf(body)) {
        row.hidden = !fits(row, form, words);
        here += row.hidden ? 0 : 1;
        all += 1;
      }
      body.hidden = !here;
      shown += here;
    }
  }
  form.querySelector("output").textContent = shown === all ? `${all} rows` : `${shown} of ${all} rows`;
}

function showColumns(form, tables) {
  const field = form.elements.namedItem("threshold");
  if (!field) return;
  for (const table of tables) {
    const off = headsOf(table).map((head) => Boolean(field.value && head.dataset.threshold && head.dataset.threshold !== field.value));
    for (const head of table.tHead.querySelectorAll("[data-threshold]")) {
      head.hidden = Boolean(field.value) && head.dataset.threshold !== field.value;
    }
    for (const body of table.tBodies) {
      for (const row of rowsOf(body)) off.forEach((hide, column) => { row.cells[column].hidden = hide; });
    }
  }
}

for (const form of document.querySelectorAll("form[data-filters]")) {
  const tables = [...document.querySelectorAll("table.board")];
  const apply = () => {
    showRows(form, tables);
    showColumns(form, tables);
    for (const table of tables) table.classList.toggle("plain", !form.elements.namedItem("intervals").checked);
  };
  form.hidden = false;
  for (const event of ["input", "change"]) form.addEventListener(event, apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  // Another convention is another page: what was chosen here goes along.
  const chosen = new URLSearchParams(location.hash.slice(1));
  for (const field of form.elements) {
    if (!field.name || !chosen.has(field.name)) continue;
    if (field.type === "checkbox") field.checked = chosen.get(field.name) === "on";
    else field.value = chosen.get(field.name);
  }
  for (const link of document.querySelectorAll(".switch a")) {
    link.addEventListener("click", () => {
      const state = new URLSearchParams();
      for (const field of form.elements) {
        if (!field.name) continue;
        if (field.type === "checkbox") { if (!field.checked) state.set(field.name, "off"); }
        else if (field.value !== "") state.set(field.name, field.value);
      }
      link.hash = state.toString();
    });
  }
  apply();
}
