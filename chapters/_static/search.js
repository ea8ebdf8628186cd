// The search of the book (page Search only). The index is sections.js, of _ext/section_search.py; here its entries are
// ranked for what was typed, and the first are drawn: each with a link to its section, and the words around the match.
// Stemmer is that of Sphinx (language_data.js).

// ---------------------------------------------------------------- ranking: pure functions

// Lower case, no accents. A lone number says nothing: where a message was pasted with numbers, the page has dots. A name
// like torch.where or create_graph is a word of its own beside its parts.
const ALIAS = { wrt: "", pytorch: "torch" };
function split(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const parts = word => [...word.split(/[._]/), ...(/\p{L}[._]\p{L}/u.test(word) ? [word] : [])];
  return (plain.match(/[\p{L}\p{N}]+(?:[._][\p{L}\p{N}]+)*/gu) ?? []).flatMap(parts)
    .filter(word => !/^\d+$/.test(word)).map(word => ALIAS[word] ?? word).filter(word => word);
}

const stems = new Map();
function stem(word) {
  if (!stems.has(word)) stems.set(word, new Stemmer().stemWord(word));
  return stems.get(word);
}

function count(words, weight, into) {
  for (const word of words) into.set(word, (into.get(word) ?? 0) + weight);
}

// A word of a heading counts as so many of the text, one of the page's title as so many.
const HEADING = 8, TITLE = 2;
// What only explains a word, names an object or lists things comes after what is about them.
const LISTS = /(api|api_pinn|conformance|notation|references|status)$/;
function share(page, kind) {
  return { message: 1, word: 0.75, name: 0.25 }[kind] ?? (LISTS.test(page) ? 0.1 : 1);
}

const run = words => ` ${words.join(" ")} `;

// What an entry is called: its heading, the keyword before a colon; a section's label without its first word, or where
// in the companion a name lives.
function names(kind, anchor, title) {
  const more = kind === "section" ? [anchor.split("-").slice(1).join(" ")] : kind === "name" ? [anchor] : [];
  return [title, title.split(":")[0], ...more].map(split);
}

// Of each entry its words, with how often they come; and of each word in how many entries it comes.
function prepared({ pages, entries }) {
  const known = new Map();
  const all = entries.map(([page, anchor, kind, title, text]) => {
    const called = names(kind, anchor, title), body = split(text).map(stem), often = new Map();
    count(body, 1 / (0.5 + body.length / 200), often);
    for (const name of called) count(new Set(name.map(stem)), HEADING / (0.5 + name.length / 8), often);
    count(new Set(split(pages[page]).map(stem)), TITLE, often);
    for (const word of often.keys()) known.set(word, (known.get(word) ?? 0) + 1);
    const heads = called.map(name => name.map(stem));
    return {
      page, anchor, title, text, often, heads,
      share: share(page, kind), exact: called.slice(0, 2).map(run),
      name: kind === "name" && /[A-Z_.]/.test(title) && title, // no plain word: who types it means it
    };
  });
  return { pages, all, known };
}

// What stands in every second section says little of any: more than the logarithm takes away.
const rarity = (book, word) => Math.log(book.all.length / (book.known.get(word) ?? book.all.length)) ** 1.5;
const total = (book, words) => words.reduce((sum, word) => sum + rarity(book, word), 0);

// The stems of a query. A word that the book does not have may be the beginning of one that it has.
function wanted(book, query) {
  const words = query.map(stem).flatMap(word => {
    if (book.known.has(word) || word.length < 3) return [word];
    const longer = [...book.known.keys()].filter(one => one.startsWith(word));
    return longer.sort((a, b) => book.known.get(b) - book.known.get(a)).slice(0, 1);
  });
  return [...new Set(words)].filter(word => book.known.has(word));
}

// From 0 to 1: how much of the name is asked for, times the square of how much of what is asked for is in the name.
function named(book, name, words) {
  const both = total(book, words.filter(word => name.includes(word)));
  return both && both ** 3 / total(book, [...new Set(name)]) / total(book, words) ** 2;
}

// How well an entry answers: rare words count more, repetition saturates, and what lacks a word falls fast.
function score(book, entry, typed, query, words) {
  const has = words.filter(word => entry.often.has(word));
  if (!has.length) return 0;
  const found = has.reduce((sum, word) => sum + rarity(book, word) * entry.often.get(word) / (entry.often.get(word) + 2), 0);
  const covered = total(book, has) / total(book, words);
  const name = Math.max(...entry.heads.map(head => named(book, head, words)));
  const exact = entry.name === typed ? 8 : entry.exact.includes(run(query)) ? 2 : 1;
  return entry.share * exact * found * covered ** 2 * (1 + 3 * name);
}

const MOST = 20, OF_A_PAGE = 3;

// The entries that answer a query, best first, not too many of one page.
function ranked(book, typed) {
  const asked = split(typed), words = wanted(book, asked);
  const scored = book.all.map(entry => [score(book, entry, typed.trim(), asked, words), entry]);
  const taken = new Map();
  return scored.filter(([points]) => points > 0).sort((a, b) => b[0] - a[0]).filter(([, { page }]) => {
    taken.set(page, (taken.get(page) ?? 0) + 1);
    return taken.get(page) <= OF_A_PAGE;
  }).slice(0, MOST).map(([points, entry]) => ({ points, ...entry }));
}

// The part of a text in which most of the words stand together, as pairs: a piece, and whether it is such a word.
const AROUND = 35, BEFORE = 5; // words
function excerpt(book, text, words) {
  const found = [...text.matchAll(/[\p{L}\p{N}]+/gu)].map(match => ({
    at: match.index, end: match.index + match[0].length, word: stem(split(match[0])[0] ?? ""),
  }));
  const worth = i => {
    const near = new Set(found.slice(i, i + AROUND - BEFORE).map(one => one.word));
    return total(book, words.filter(word => near.has(word)));
  };
  let first = 0, most = worth(0);
  for (const [i, { word }] of found.entries()) {
    if (words.includes(word) && worth(i) > most) [first, most] = [i, worth(i)];
  }
  const begin = Math.max(first - BEFORE, 0), shown = found.slice(begin, begin + AROUND);
  let at = begin ? shown[0].at : 0;
  const pieces = [[begin ? "… " : "", false]];
  for (const one of shown.filter(({ word }) => words.includes(word))) {
    pieces.push([text.slice(at, one.at), false], [text.slice(one.at, one.end), true]);
    at = one.end;
  }
  const whole = begin + AROUND >= found.length;
  return [...pieces, [whole ? text.slice(at) : `${text.slice(at, shown.at(-1).end)} …`, false]];
}

// ---------------------------------------------------------------- drawing

let book, arrived;
const setSections = found => { book = prepared(found); };

function loadSections() {
  arrived ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: "sections.js", onload: done, onerror: failed });
    document.head.append(script);
  });
  return arrived;
}

function element(tag, name, ...inside) {
  const made = document.createElement(tag);
  made.className = name;
  made.append(...inside);
  return made;
}

function drawn(entry, words) {
  const link = element("a", "", entry.title);
  link.href = `${entry.page}.html${entry.anchor && "#" + entry.anchor}`;
  const where = entry.anchor ? element("span", "search-page", book.pages[entry.page]) : "";
  const around = excerpt(book, entry.text, words).map(([text, asked]) => (asked ? element("b", "", text) : text));
  return element("li", "", link, where, element("p", "context", ...around));
}

async function search(query) {
  await loadSections();
  if (document.querySelector(".bd-search-container input").value !== query) return; // more was typed meanwhile
  const found = ranked(book, query), words = wanted(book, split(query));
  const said = found.length ? `${found.length} sections, the best first.` : "No section of the book has these words.";
  const summary = element("p", "search-summary", query.trim() ? said : "");
  summary.role = "status";
  summary.dataset.query = query;
  document.getElementById("search-results").replaceChildren(
    summary, element("ul", "search", ...found.map(entry => drawn(entry, words))));
}

function begin() {
  const form = document.querySelector(".bd-search-container form"), field = form.querySelector("input");
  const go = () => {
    history.replaceState(null, "", `?q=${encodeURIComponent(field.value)}`); // so that one can come back to it
    search(field.value);
  };
  field.addEventListener("input", go);
  form.addEventListener("submit", event => { event.preventDefault(); go(); });
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  if (field.value) search(field.value);
}

if (typeof document !== "undefined") document.addEventListener("DOMContentLoaded", begin);
