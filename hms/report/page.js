"use strict";
// Charts: drawn in light colours, which are exchanged one for one where the reader's screen is dark.
const text = document.getElementById("figures").textContent;
const dark = JSON.parse(document.getElementById("dark").textContent);
const scheme = matchMedia("(prefers-color-scheme: dark)");

function draw() {
  const coloured = scheme.matches ? text.replace(/#[0-9a-f]{6}/g, (colour) => dark[colour] ?? colour) : text;
  for (const [name, figure] of Object.entries(JSON.parse(coloured)))
    Plotly.react(`plot-${name}`, figure.data, figure.layout, { displayModeBar: false, responsive: true });
}
scheme.addEventListener("change", draw);
draw();

// Windows: one at a time, by click, arrow keys or the address (#window-3). Without this script, all of them.
const tabs = [...document.querySelectorAll("[role=tab]")];

function show(chosen, focus) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
  for (const box of document.querySelectorAll(".window:not([hidden]) .scroll")) // on a small screen: what was labelled
    box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
  if (focus) chosen.focus();
}
const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => show(tab, false));
  tab.addEventListener("keydown", (event) => {
    const to = { Home: 0, End: tabs.length - 1 }[event.key] ?? (steps[event.key] && (i + steps[event.key] + tabs.length) % tabs.length);
    if (to === undefined) return;
    event.preventDefault();
    show(tabs[to], true);
  });
}
const named = () => tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash);
addEventListener("hashchange", () => named() && show(named(), false));
if (tabs.length) show(named() ?? tabs[0], false);

// How the EEG is drawn; what is chosen holds for all windows.
const drawings = [...document.querySelectorAll(".eeg")];
let gain = 1;
for (const button of document.querySelectorAll("[data-gain]"))
  button.addEventListener("click", () => {
    gain = Math.min(8, Math.max(0.125, gain * button.dataset.gain));
    for (const drawing of drawings) drawing.style.setProperty("--gain", gain);
    for (const label of document.querySelectorAll("[data-uv]")) label.textContent = `${Number((label.dataset.uv / gain).toPrecision(2))} µV`;
  });
for (const button of document.querySelectorAll("[data-view]"))
  button.addEventListener("click", () => {
    const central = button.dataset.view === "10";
    for (const other of document.querySelectorAll("[data-view]")) other.setAttribute("aria-pressed", other.dataset.view === button.dataset.view);
    for (const drawing of drawings) {
      drawing.classList.toggle("central", central);
      const zoom = drawing.querySelector(".zoom");
      const height = zoom.getAttribute("height");
      zoom.setAttribute("viewBox", central ? `4000 0 2000 ${height}` : `0 0 10000 ${height}`);
    }
  });
document.documentElement.dataset.ready = "true";
