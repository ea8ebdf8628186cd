// What is wider than its column scrolls in a box of its own, by finger or, being focusable, by keyboard.

// Inline mathematics cannot break: where it does not fit its line it becomes such a box.
function boxWideFormulas() {
  for (const formula of document.querySelectorAll("span.math")) {
    const line = formula.closest("p, li, dd, td, th, h1, h2, h3, figcaption");
    if (line && formula.getBoundingClientRect().width > line.clientWidth) formula.classList.add("wide");
  }
}

function makeBoxesFocusable() {
  const boxes = "span.math.wide, div.math, mjx-container, div.text_html, .pst-scrollable-table-container";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible") box.tabIndex = 0;
  }
}

addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  boxWideFormulas();
  makeBoxesFocusable();
  addEventListener("resize", makeBoxesFocusable);
});
