// Inline mathematics cannot break. What is wider than its line becomes a block that scrolls by itself,
// by finger or, being focusable, by keyboard.
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  for (const formula of document.querySelectorAll("span.math")) {
    const line = formula.closest("p, li, dd, td, th, h1, h2, h3, figcaption");
    if (!line || formula.getBoundingClientRect().width <= line.clientWidth) continue;
    formula.classList.add("wide");
    formula.tabIndex = 0;
  }
});
