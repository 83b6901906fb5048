// Two methods against each other in every situation that has both: paired differences by seed, with their 95 % intervals.
import * as Plot from "@observablehq/plot";
import { keepDrawn, remember, stateOf } from "./draw.js";

const ENOUGH = 3;  // shared seeds from which on an interval is shown

export function compare(section, data) {
  const form = section.querySelector("form");
  const words = form.dataset;
  const { a, b } = form.elements;
  const title = (method) => data.methods[method].title[words.language];
  stateOf(form);

  function paired(situation) {
    const arms = [a.value, b.value].map((method) => situation.arms.find((arm) => arm.method === method));
    if (arms.some((arm) => !arm)) return null;
    const seeds = Object.keys(arms[0].accuracy).filter((seed) => seed in arms[1].accuracy);
    const effects = seeds.map((seed) => 100 * (arms[0].accuracy[seed] - arms[1].accuracy[seed]));
    if (effects.length < ENOUGH) return null;
    const mean = effects.reduce((sum, value) => sum + value, 0) / effects.length;
    const variance = effects.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (effects.length - 1);
    const half = data.quantiles[effects.length - 1] * Math.sqrt(variance / effects.length);
    const diverged = arms[0].diverged + arms[1].diverged;
    return { title: situation.title[words.language], diverged, mean, low: mean - half, high: mean + half, effects, n: effects.length };
  }

  const rows = () => (a.value === b.value ? [] : data.situations.map(paired).filter(Boolean));
  const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
  const told = (row) =>
    `${signed(row.mean)} [${signed(row.low)}, ${signed(row.high)}], n = ${row.n}${row.diverged ? `, ${row.diverged} ${words.diverged}` : ""}`;

  const draw = keepDrawn(section.querySelector("[data-plot]"), (width) => {
    const shown = rows();
    const narrow = width < 560;
    return {
      height: 56 * shown.length + 60, marginLeft: narrow ? 10 : 230, marginRight: 16,
      x: { label: words.axis, grid: true, nice: true }, y: { axis: null, domain: shown.map((row) => row.title) },
      marks: [
        Plot.ruleX([0]),
        Plot.tickX(shown.flatMap((row) => row.effects.map((effect) => ({ title: row.title, effect }))), { x: "effect", y: "title", strokeOpacity: 0.35, insetTop: 18, insetBottom: 8 }),
        Plot.ruleY(shown, { y: "title", x1: "low", x2: "high", strokeWidth: 2.5, dy: 6 }),
        Plot.dot(shown, { y: "title", x: "mean", r: 5, fill: "currentColor", dy: 6 }),
        narrow
          ? Plot.text(shown, { y: "title", text: (row) => `${row.title}: ${told(row)}`, frameAnchor: "left", textAnchor: "start", dy: -16 })
          : [Plot.text(shown, { y: "title", text: "title", frameAnchor: "left", textAnchor: "end", dx: -12 }),
             Plot.text(shown, { y: "title", text: told, frameAnchor: "left", textAnchor: "end", dx: -12, dy: 15, fillOpacity: 0.75 })],
      ],
    };
  }, () => rows().map((row) => `${row.title}: ${told(row)}`).join("; ") || words.none);

  function show() {
    draw();
    section.querySelector("[data-heading]").textContent = rows().length ? `${title(a.value)} − ${title(b.value)}` : words.none;
  }
  form.addEventListener("input", () => { show(); remember(form); });
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
