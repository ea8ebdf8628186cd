// The page is shown once its fonts are there, so that nothing moves under the reader's eyes; after three seconds
// it is shown in any case.
const root = document.documentElement;
root.classList.add("waiting");
const show = () => root.classList.remove("waiting");
setTimeout(show, 3000);

async function fontsAreLoaded() {
  do {
    document.body.getBoundingClientRect(); // a layout asks for the fonts that it needs
    await document.fonts.ready;
  } while (document.fonts.status === "loading");
}

// What is wider than its column scrolls in a box of its own, by finger or, being focusable, by keyboard.

// An inline formula breaks between its parts: where a part does not fit its line, the whole becomes such a box.
function boxWideFormulas() {
  const formulas = [...document.querySelectorAll("span.math")];
  for (const formula of formulas) formula.classList.remove("wide");
  const lines = "p, li, dd, td, th, h1, h2, h3, figcaption";
  const wide = formulas.filter(formula => formula.getBoundingClientRect().width > formula.closest(lines)?.clientWidth);
  for (const formula of wide) formula.classList.add("wide"); // all measured first: the page is laid out once
}

function makeBoxesFocusable() {
  const boxes = "span.math.wide, .katex-display, div.text_html, .pst-scrollable-table-container";
  const scrolls = box => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
  for (const box of [...document.querySelectorAll(boxes)].filter(scrolls)) box.tabIndex = 0;
}

function fitBoxes() {
  boxWideFormulas();
  makeBoxesFocusable();
}

addEventListener("DOMContentLoaded", async () => {
  await fontsAreLoaded();
  fitBoxes();
  show();
  addEventListener("resize", fitBoxes);
  document.addEventListener("toggle", fitBoxes, true); // what was folded had no width
});
