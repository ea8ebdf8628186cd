"""What to look at in a page: JavaScript that returns the faults it sees, in words."""

MATHS = r"""() => {
  const faults = [];
  for (const place of document.querySelectorAll('article .math'))
    if (!place.querySelector('.katex'))
      faults.push('mathematics not rendered: ' + place.textContent.slice(0, 60));
  for (const wrong of document.querySelectorAll('.wrong-formula, .katex-error'))
    faults.push('mathematics is wrong: ' + wrong.textContent.slice(0, 60));
  const skip = 'pre, code, script, style, .math';
  const tex = /\\[(\[]|\$\$|\\(frac|begin|partial|dot|bar|sin|ln)\b/;
  const article = document.querySelector('article') || document.body;
  const walk = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent;
    if (tex.test(text) && !walk.currentNode.parentElement.closest(skip))
      faults.push('raw TeX: ' + text.trim().slice(0, 60));
  }
  return faults;
}"""

PICTURES = r"""() => {
  const faults = [];
  for (const image of document.images)
    if (!image.complete || image.naturalWidth === 0) faults.push('image not loaded: ' + image.src);
  for (const svg of document.querySelectorAll('article svg')) {
    const title = svg.querySelector(':scope > title');
    const named = title || svg.matches('[aria-label], [aria-labelledby]');
    if (!named && !svg.closest('[aria-hidden=true], button, summary'))
      faults.push('inline svg without title or aria-label: ' + svg.outerHTML.slice(0, 80));
  }
  for (const icon of document.querySelectorAll('i[class*="fa-"]'))
    if (getComputedStyle(icon, '::before').content === 'none')
      faults.push('an icon without a picture: ' + icon.className);
  return faults;
}"""

# What stands in a box that scrolls or cuts off is not looked at.
OVERFLOW = r"""() => {
  const {clientWidth: width, scrollWidth: needed} = document.documentElement;
  const faults = [];
  if (needed > width + 1) faults.push(`the page is ${needed} px wide on a screen of ${width}`);
  const look = node => {
    if (getComputedStyle(node).overflowX !== 'visible') return;
    const box = node.getBoundingClientRect();
    if (box.width > 0 && box.right > width + 1)
      faults.push(`${node.outerHTML.slice(0, 80)} ends at ${Math.round(box.right)} px`);
    for (const child of node.children) look(child);
  };
  for (const node of document.querySelectorAll('article > *')) look(node);
  return faults.slice(0, 5);
}"""

# What has other colours stands where it stood: then what fits in one scheme fits in the other.
MOVED_BY_DARK = r"""() => {
  const nodes = [...document.querySelectorAll('body *')]
    .filter(node => !node.closest('.only-light, .only-dark, .theme-switch'));
  const places = scheme => {
    document.documentElement.dataset.theme = scheme;
    return nodes.map(node => node.getBoundingClientRect());
  };
  const dark = places('dark'), light = places('light');
  const moved = (_, i) => ['x', 'y', 'width', 'height'].some(side => dark[i][side] !== light[i][side]);
  return nodes.filter(moved).slice(0, 5)
    .map(node => 'the dark scheme moves ' + node.outerHTML.slice(0, 80));
}"""

OPEN_SOLUTIONS = r"""() => [...document.querySelectorAll('.solution')]
  .filter(one => !one.classList.contains('toggle-hidden'))
  .map(one => 'an open solution: ' + one.textContent.trim().slice(0, 40))"""


# What is folded is looked at like the rest: in a closed fold boxes are those of another width.
UNFOLD = r"""() => document.querySelectorAll('article details').forEach(fold => fold.open = true)"""

# A side bar slides out of a window that grows, and what is unfolded fades in: till then axe cannot tell what is below
# the letters, or takes them for pale.
AT_REST = """() => document.getAnimations()
  .forEach(one => { if (one.effect.getComputedTiming().endTime < Infinity) one.finish() })"""

# axe is slow on many elements: of formulas by where they stand, and of tokens of code and of signatures, one of a kind
# stays whole.
ONE_OF_A_KIND = r"""() => {
  const seen = new Set();
  for (const formula of document.querySelectorAll('article .math')) {
    const place = formula.closest('.admonition, td, th, figcaption, li, dd, h1, h2, h3, p, div');
    const kind = [formula.tagName, place?.tagName, place?.className].join();
    if (seen.has(kind)) formula.textContent = formula.textContent;
    seen.add(kind);
  }
  for (const token of document.querySelectorAll('.highlight span, dt.sig span')) {
    const kind = token.className + (token.closest('.cell_output, dt.sig')?.className ?? '');
    if (seen.has(kind)) token.replaceWith(token.textContent);
    seen.add(kind);
  }
  dispatchEvent(new Event('resize'));  // a box that is wider than its column now becomes focusable: book.js
}"""

# What the rules of colours depend on: the letters, all that is painted below them, and what stands around a link. One
# element of each kind is marked, but of the kinds that were asked before; the kinds that are marked come back.
CONTRASTS = r"""asked => {
  const seen = new Set(asked), marked = [], below = new Map([[null, '']]);
  const letters = look => [look.color, look.fontSize, look.fontWeight, look.textShadow, look.position];
  const around = node => letters(getComputedStyle(node.closest('p, li, td, dd, div')));
  for (const node of document.querySelectorAll('html, body, body *')) {
    const look = getComputedStyle(node);
    const painted = [look.backgroundColor, look.backgroundImage, look.opacity].join();
    const parent = below.get(node.parentElement);
    below.set(node, painted === 'rgba(0, 0, 0, 0),none,1' ? parent : parent + '>' + painted);
    const says = [...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim());
    if (!says || !node.checkVisibility({opacityProperty: true})) continue;
    const link = node.closest('a[href]');
    const lines = link ? [getComputedStyle(link).textDecoration, look.borderBottom, around(link)] : [];
    const kind = [below.get(node), ...letters(look), ...lines].join();
    if (seen.has(kind)) continue;
    (link || node).setAttribute('data-contrast', '');
    seen.add(kind);
    marked.push(kind);
  }
  return marked;
}"""

# axe asks the rules of colours of the marked elements alone, and of what is in them.
OF_THE_MARKED = r"""(of => [
  {id: 'color-contrast', selector: of('*')},
  {id: 'link-in-text-block', selector: of('a[href]') + ',' + of('[role=link]')},
])(what => `${what}[data-contrast], [data-contrast] ${what}`)"""

# Longer letters than any: what fits then fits in another font as well. Formulas have fonts of their own.
SPREAD = """on => {
  document.getElementById('spread')?.remove();
  if (!on) return;
  const style = document.createElement('style');
  style.id = 'spread';
  style.textContent = 'body { letter-spacing: 0.15em } .katex { letter-spacing: 0 }';
  document.head.append(style);
}"""

# The kinds of text on a page, as spans of a hidden box: one for each family, weight and slant, with its letters.
LETTERS = r"""() => {
  const kinds = new Map();
  const add = (style, text) => {
    const key = [style.fontFamily, style.fontWeight, style.fontStyle].join('|');
    if (!kinds.has(key)) kinds.set(key, [style, new Set()]);
    for (const letter of text) if (!/[\s\p{C}]/u.test(letter)) kinds.get(key)[1].add(letter);
  };
  const skip = 'script, style, noscript, math, svg title, svg desc';
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!parent.closest(skip)) add(getComputedStyle(parent), walk.currentNode.textContent);
  }
  // only where a style sheet puts something is there something: to ask every element is slow
  const inner = rule => [rule, ...[...(rule.cssRules ?? [])].flatMap(inner)];
  const putting = [...document.styleSheets].flatMap(inner)
    .filter(rule => rule.style?.content && /::(before|after)/.test(rule.selectorText))
    .map(rule => rule.selectorText.replace(/::(before|after)/g, ':is(*)'));
  for (const node of document.body.querySelectorAll(putting.join()))
    for (const place of ['::before', '::after']) {
      const style = getComputedStyle(node, place);
      if (/^"/.test(style.content)) add(style, JSON.parse(style.content.replace(/" \/ .*$/, '"')));
    }
  const box = document.createElement('div');
  box.id = 'letters';
  box.style = 'position: absolute; visibility: hidden; width: 300px; overflow: hidden';
  for (const [style, letters] of kinds.values()) {
    if (!letters.size) continue;
    const span = document.createElement('span');
    span.style.fontFamily = style.fontFamily;
    span.style.fontWeight = style.fontWeight;
    span.style.fontStyle = style.fontStyle;
    span.textContent = [...letters].join('');
    box.append(span, document.createElement('br'));
  }
  document.body.append(box);
}"""

# Of the kinds that count, a span for each letter; the others go.
ONE_BY_ONE = """counts => [...document.querySelectorAll('#letters > span')].forEach((span, i) => {
  const letters = counts[i] ? [...span.textContent] : [];
  span.replaceWith(...letters.map(letter => {
    const one = span.cloneNode();
    one.textContent = letter;
    return one;
  }));
})"""

# Of all files that a page was made of, in bytes; of one that the browser asked for again and need not fetch, 0.
SIZES = """() => performance.getEntries()
  .filter(entry => entry.entryType === 'navigation' || entry.entryType === 'resource')
  .map(entry => entry.decodedBodySize)"""

SHIFTS = """() => new Promise(resolve => {
  const shifts = [];
  const watch = list => shifts.push(...list.getEntries());
  const observer = new PerformanceObserver(watch);
  observer.observe({type: 'layout-shift', buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
    watch({getEntries: () => observer.takeRecords()});
    const moved = shifts.flatMap(shift => shift.sources)
      .map(source => (source.node?.nodeName || '?') + '.' + (source.node?.className || ''));
    resolve([shifts.reduce((sum, shift) => sum + shift.value, 0), moved.slice(0, 5)]);
  })));
})"""
