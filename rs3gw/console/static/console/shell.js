// The drawer with the sections on narrow windows, and filters that close when one looks elsewhere.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const sections = document.getElementById("sections");
  const opener = document.querySelector(".nav-open");
  if (!sections || !opener) return;
  const show = (isOpen) => {
    document.body.classList.toggle("nav-on", isOpen);
    opener.setAttribute("aria-expanded", String(isOpen));
    (isOpen ? sections.querySelector("a") : opener).focus();
  };
  opener.addEventListener("click", () => show(!document.body.classList.contains("nav-on")));
  document.querySelector("[data-veil]").addEventListener("click", () => show(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("nav-on")) show(false);
  });
});

const openFilters = () => document.querySelectorAll("#changelist-filter details[open]");

document.addEventListener("click", (event) => {
  for (const filter of openFilters()) if (!filter.contains(event.target)) filter.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const filter of openFilters()) {
    filter.open = false;
    filter.querySelector("summary").focus();
  }
});
