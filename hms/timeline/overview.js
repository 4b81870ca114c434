"use strict";
// The overview: a click on the head of a column sorts by it, numbers from the greatest, and again the other way round.
const table = document.querySelector(".recordings");
function sortBy(head) {
  const was = head.getAttribute("aria-sort");
  const values = new Map([...table.tBodies].map((body) => [body, body.rows[0].cells[head.cellIndex].dataset.value]));
  const numbers = [...values.values()].every((value) => value !== "" && Number.isFinite(Number(value)));
  const down = was ? was === "ascending" : numbers;
  const order = (one, other) => (numbers ? one - other : one.localeCompare(other, undefined, { numeric: true }));
  const bodies = [...table.tBodies].sort((one, other) => (down ? -1 : 1) * order(values.get(one), values.get(other)));
  for (const other of document.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  table.append(...bodies);
}
for (const button of document.querySelectorAll("[data-sort]")) button.addEventListener("click", () => sortBy(button.closest("th")));
