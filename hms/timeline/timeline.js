"use strict";
// The timeline: the readout under the pointer, the zoom, and which window's EEG is open.
const data = JSON.parse(document.getElementById("data").textContent);
const [strip, scroll, cursor, pointer, clock] = ["strip", "scroll", "cursor", "pointer", "at"].map((id) => document.getElementById(id));
const windows = [...document.querySelectorAll(".window")];
const numbers = [...document.querySelectorAll("[data-share]")];
let current = 0;

function time(second) {
  const moment = new Date(1000 * (second + (data.start ?? 0))).toUTCString(); // Sun, 10 Mar 2024 22:13:07 GMT
  if (data.start === null) return `${Math.floor(second / 3600)}${moment.slice(19, 25)}`;
  return `${data.days ? `${moment.slice(5, 11)} ` : ""}${moment.slice(17, 25)}`;
}
function tell(second) {
  let [low, high] = [0, data.edges.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (data.edges[middle] <= second) low = middle;
    else high = middle;
  }
  clock.textContent = time(second);
  for (const [i, number] of numbers.entries()) number.textContent = data.shares[low][i] === null ? "–" : `${data.shares[low][i]} %`;
}
function show(chosen, focus) {
  cursor.hidden = !windows.length;
  if (!windows.length) return tell(0);
  current = Math.min(windows.length - 1, Math.max(0, chosen));
  for (const [i, one] of windows.entries()) one.hidden = i !== current;
  const onset = data.drawn[current];
  const [from, to] = [Math.max(0, onset - 20), Math.min(data.duration, onset + 30)];
  cursor.style.left = `${(100 * from) / data.duration}%`;
  cursor.style.width = `${(100 * (to - from)) / data.duration}%`;
  strip.setAttribute("aria-valuenow", Math.round(onset));
  strip.setAttribute("aria-valuetext", windows[current].querySelector("h3").textContent);
  tell(onset + 5);
  clock.textContent = time(onset);
  const box = windows[current].querySelector(".scroll"); // on a small screen, centre the 10 s that are predicted
  box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
  keepInSight();
  if (!focus) return;
  document.getElementById("eeg").scrollIntoView();
  windows[current].focus({ preventScroll: true });
}
function keepInSight() {
  const [seen, mark] = [scroll.getBoundingClientRect(), cursor.getBoundingClientRect()];
  if (mark.left >= seen.left && mark.right <= seen.right) return;
  scroll.scrollLeft += (mark.left + mark.right - seen.left - seen.right) / 2;
}
const nearest = (second) => data.drawn.reduce((best, onset, i) => (Math.abs(onset + 5 - second) < Math.abs(data.drawn[best] + 5 - second) ? i : best), 0);
function under(event) {
  const box = strip.getBoundingClientRect();
  return Math.min(data.duration, Math.max(0, ((event.clientX - box.left) / box.width) * data.duration));
}
strip.addEventListener("pointermove", (event) => {
  pointer.hidden = false;
  pointer.style.left = `${(100 * under(event)) / data.duration}%`;
  tell(under(event));
});
strip.addEventListener("pointerleave", () => {
  pointer.hidden = true;
  show(current, false);
});
strip.addEventListener("click", (event) => show(nearest(under(event)), false));
strip.addEventListener("keydown", (event) => {
  const to = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: windows.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  show(to, false);
});
document.getElementById("back")?.addEventListener("click", () => show(current - 1, false));
document.getElementById("on")?.addEventListener("click", () => show(current + 1, false));
for (const button of document.querySelectorAll("[data-window]")) button.addEventListener("click", () => show(Number(button.dataset.window), true));

for (const button of document.querySelectorAll("[data-zoom]"))
  button.addEventListener("click", () => {
    for (const other of document.querySelectorAll("[data-zoom]")) other.setAttribute("aria-pressed", other === button);
    for (const axis of document.querySelectorAll("[data-of-zoom]")) axis.toggleAttribute("hidden", axis.dataset.ofZoom !== button.dataset.zoom);
    strip.style.width = `${100 * button.dataset.factor}%`;
    keepInSight();
  });
show(data.opened, false);
