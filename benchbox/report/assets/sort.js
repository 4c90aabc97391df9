// Sorts a table by a column; without this script the tables stand in the order of the ranking.
"use strict";

// Numbers carry data-value; cells without one stay last, whichever way the column is sorted.
function keyOf(row, column, text) {
  const cell = row.cells[column];
  if (text) return cell.textContent.trim().toLowerCase();
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
}

function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null);
  return direction * (a < b ? -1 : a > b ? 1 : 0);
}

function sortBy(table, head, column) {
  const text = head.dataset.sort === "text";
  const ascending = head.hasAttribute("aria-sort")
    ? head.getAttribute("aria-sort") === "descending"
    : head.dataset.sort !== "down";
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("reason"));
    const keyed = rows.map((row) => [keyOf(row, column, text), row]);
    keyed.sort((a, b) => compare(a[0], b[0], ascending ? 1 : -1));
    body.append(...keyed.map((pair) => pair[1]));
  }
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  // Columns of the second head row come after those that span both rows.
  const rows = [...table.tHead.rows];
  const spanning = rows.length > 1 ? [...rows[0].cells].filter((cell) => cell.rowSpan === 2) : [];
  const heads = rows.length > 1 ? [...spanning, ...rows[1].cells] : [...rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(table, head, column));
    head.append(button);
  });
}
