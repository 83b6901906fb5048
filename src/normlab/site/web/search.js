// The list of claims: searched and sifted by what the address says, so that a link shows what its sender saw.
import MiniSearch from "minisearch";

const MOST = 0.5;  // of a Japanese term's pairs of neighbouring characters that must be there, since endings and order differ
const JAPANESE = /[\u3005\u3040-\u30ff\u4e00-\u9fff]+/g;

const plain = (text) => text.toLowerCase().normalize("NFKC").replace(/-/g, " ");
const words = (text) => plain(text).replace(JAPANESE, " ").split(/[^\p{L}\p{N}.]+/u).filter(Boolean);
const stretches = (text) => plain(text).match(JAPANESE) || [];
const pairs = (term) => (term.length < 3 ? [term] : [...term].slice(1).map((_, i) => term.slice(i, i + 2)));

// Words are found written apart or together: "group norm" is indexed as group, norm, and groupnorm.
function indexed(text) {
  const own = words(text);
  const joined = own.slice(1).map((word, i) => own[i] + word);
  const japanese = stretches(text).flatMap((part) => [...pairs(part), ...part]);
  return [...own, ...joined, ...japanese];
}

const exact = (queries, combineWith) => ({ combineWith, queries, prefix: false, tokenize: (text) => [text] });

// A short word stands for itself (GN is no beginning of anything); longer ones for all that begin with them.
const ofWord = (word) => ({ combineWith: "AND", queries: [word], prefix: word.length > 2, tokenize: (text) => [text] });

function asked(query) {
  return { combineWith: "AND", queries: [...words(query).map(ofWord), ...stretches(query).map((part) => exact(pairs(part), "OR"))] };
}

function found(index, query) {
  const wanted = stretches(query).map(pairs);
  const near = (result) => wanted.every((own) => own.filter((pair) => result.match[pair]).length >= MOST * own.length);
  return new Set(index.search(asked(query)).filter(near).map((result) => result.id));
}

export function sift(form) {
  const items = [...document.querySelectorAll("li[data-text]")];
  const index = new MiniSearch({ fields: ["text"], tokenize: indexed, processTerm: (term) => term });
  index.addAll(items.map((item, id) => ({ id, text: item.dataset.text })));
  const { q: query, word } = form.elements;
  const count = document.getElementById("found");

  function show() {
    const searched = query.value.trim();
    const hits = searched ? found(index, searched) : null;
    items.forEach((item, id) => {
      item.hidden = Boolean((word.value && item.dataset.word !== word.value) || (hits && !hits.has(id)));
    });
    for (const group of document.querySelectorAll("section.group")) group.hidden = !group.querySelector("li:not([hidden])");
    count.textContent = `${items.filter((item) => !item.hidden).length} ${count.dataset.unit}`;
  }

  function remember() {
    const state = new URLSearchParams();
    if (query.value) state.set("q", query.value);
    if (word.value) state.set("word", word.value);
    history.replaceState(null, "", `?${state}`);
  }

  const state = new URLSearchParams(location.search);
  query.value = state.get("q") || "";
  word.value = state.get("word") || "";
  form.addEventListener("input", () => { show(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
