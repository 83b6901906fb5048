// The list of claims: searched and sifted by what the address says, so that a link shows what its sender saw.
(() => {
  const form = document.getElementById("find");
  if (!form) return;
  const items = [...document.querySelectorAll("li[data-text]")];
  const query = form.elements.q, word = form.elements.word, found = document.getElementById("found");
  const plain = (text) => text.toLowerCase().normalize("NFKC").replace(/[-\s]+/g, " ");
  const joined = (text) => plain(text).replace(/ /g, "");

  // Words must all be there, written apart or together; of Japanese, most pairs of neighbouring characters, since endings differ.
  const MOST = 0.6;
  const terms = (text) => plain(text).split(" ").filter(Boolean);
  const pairs = (term) => [...term].slice(1).map((_, i) => term.slice(i, i + 2));

  function matches(item, wanted) {
    const text = ` ${plain(item.dataset.text)} `, close = joined(item.dataset.text);
    return wanted.every((term) => {
      if (/[\u3040-\u30ff\u4e00-\u9fff]/.test(term) && term.length > 2) {
        const own = pairs(term);
        return own.filter((pair) => close.includes(pair)).length >= MOST * own.length;
      }
      return term.length < 3 && /^[a-z]+$/.test(term) ? text.includes(` ${term} `) : close.includes(term);
    });
  }

  function show() {
    const wanted = terms(query.value);
    let count = 0;
    for (const item of items) {
      item.hidden = !((!word.value || item.dataset.word === word.value) && matches(item, wanted));
      count += !item.hidden;
    }
    for (const group of document.querySelectorAll("section.group")) group.hidden = !group.querySelector("li:not([hidden])");
    found.textContent = `${count} ${found.dataset.unit}`;
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
})();
