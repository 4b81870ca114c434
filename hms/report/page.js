"use strict";
// Charts: drawn in light colours, each of which is replaced by its dark counterpart in the dark scheme.
const text = document.getElementById("figures").textContent;
const dark = JSON.parse(document.getElementById("dark").textContent);
const scheme = matchMedia("(prefers-color-scheme: dark)");

function draw(onPaper) {
  document.body.style.width = onPaper ? "1110px" : ""; // the charts take the width that the page has on paper
  const coloured = scheme.matches && !onPaper ? text.replace(/#[0-9a-f]{6}/g, (colour) => dark[colour] ?? colour) : text;
  for (const [name, figure] of Object.entries(JSON.parse(coloured))) {
    const plot = document.getElementById(`plot-${name}`);
    const layout = onPaper ? { ...figure.layout, width: plot.clientWidth } : figure.layout;
    Plotly.react(plot, figure.data, layout, { displayModeBar: false, responsive: true });
  }
}
scheme.addEventListener("change", () => draw(false));
addEventListener("beforeprint", () => draw(true));
addEventListener("afterprint", () => {
  draw(false);
  dispatchEvent(new Event("resize")); // as `responsive` awaits
});
draw(false);

// Windows: shown one at a time, chosen by click, arrow keys or address (#window-3). Without this script, all are shown.
const tabs = [...document.querySelectorAll("[role=tab]")];

function show(chosen, focus) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", tab === chosen);
    tab.tabIndex = tab === chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
  for (const box of document.querySelectorAll(".window:not([hidden]) .scroll")) // on a small screen, start at the labelled 10 s
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
