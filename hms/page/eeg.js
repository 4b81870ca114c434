"use strict";
// Zoom and gain of the EEG, for all windows at once.
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
