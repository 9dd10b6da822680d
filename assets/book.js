// The widget script asks for version 2 of MathJax; version 3 is on the page.
document.addEventListener("DOMContentLoaded", () => {
  window.MathJax = window.MathJax || {};
  window.MathJax.Hub = window.MathJax.Hub || { Queue() {}, Config() {} };
});

// What the generators of tables, widgets and references leave out for readers who listen.
document.addEventListener("DOMContentLoaded", () => {
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
  const side = document.querySelector(".bd-sidebar-primary");
  if (side) {
    side.setAttribute("role", "region");
    side.setAttribute("aria-label", "Side bar");
  }
  reachScrolling();
  nameParts();
  new MutationObserver(nameParts).observe(document.body, { childList: true, subtree: true });
  new ResizeObserver(reachScrolling).observe(document.body);
});

// What scrolls sideways must be reached by the keyboard too.
function reachScrolling() {
  const boxes = "article pre, article .output, article .pst-scrollable-table-container, " +
    "article mjx-container, article div.math";
  for (const table of document.querySelectorAll("article .paper-table")) {
    table.classList.toggle("scrolls", table.scrollWidth > table.clientWidth + 1);
  }
  for (const box of document.querySelectorAll(boxes)) {
    const scrolls = /auto|scroll/.test(getComputedStyle(box).overflowX);
    if (scrolls && box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) {
      box.setAttribute("tabindex", "0");
    }
  }
}

// Widgets bring their tables and sliders when they are drawn; what has its name keeps it.
function nameParts() {
  nameHeaders();
  numberRegions();
  nameSliders();
}

function nameHeaders() {
  for (const cell of document.querySelectorAll("article th")) {
    if (cell.textContent.trim() === "") {
      const name = document.createElement("span");
      name.className = "visually-hidden";
      name.textContent = cell.closest("thead") ? "name" : "continued";
      cell.append(name);
    }
  }
}

const regions = {}; // how many have a label already
function numberRegions() {
  for (const region of document.querySelectorAll('[role="region"][aria-label]:not([data-counted])')) {
    const label = region.getAttribute("aria-label");
    region.dataset.counted = "";
    regions[label] = (regions[label] || 0) + 1;
    if (regions[label] > 1) region.setAttribute("aria-label", `${label} ${regions[label]}`);
  }
}

// A slider is announced by the word beside it.
function nameSliders() {
  for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
    const box = handle.closest(".widget-inline-hbox, .jupyter-widgets");
    const label = box && box.querySelector(".widget-label");
    handle.setAttribute("aria-label", (label && label.textContent.trim()) || "value");
  }
}
