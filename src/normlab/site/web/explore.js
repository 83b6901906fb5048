// A situation's training curves at each method's best rate, and beside them validation accuracy over the rate.
import * as Plot from "@observablehq/plot";
import { DASHES, keepDrawn, remember, stateOf, SYMBOLS } from "./draw.js";

// A colour by the scale alone: a method is called none, which Plot would else take for the colour of that name.
const HUE = { value: "method", scale: "color" };

export function explore(section, data) {
  const form = section.querySelector("form");
  const words = form.dataset;
  const title = (method) => data.methods[method].title[words.language];
  const boxes = [...form.querySelectorAll("input[name=norm]")];
  stateOf(form);

  const situation = () => data.situations.find((each) => each.name === form.elements.at.value);
  const chosen = () => situation().arms.filter((arm) => boxes.some((box) => box.value === arm.method && box.checked));
  const domain = data.order;
  const scale = (range) => ({ domain, range: domain.map((_, i) => range[i % range.length]) });
  const colours = { domain, range: domain.map((method) => data.methods[method].colour) };

  const curves = keepDrawn(section.querySelector("[data-plot=curves]"), (width) => {
    const rows = chosen().flatMap((arm) => arm.curve.map(([epoch, loss]) => ({ method: arm.method, epoch, loss })));
    const dashes = scale(DASHES);
    return {
      height: Math.min(380, 0.75 * width + 60), marginRight: 110, color: colours,
      x: { label: words.epoch, nice: true }, y: { label: words.loss, type: "log", grid: true, ticks: 5, tickFormat: "~g" },
      marks: [
        ...chosen().map((arm) => Plot.line(rows.filter((row) => row.method === arm.method), {
          x: "epoch", y: "loss", stroke: HUE, strokeDasharray: dashes.range[domain.indexOf(arm.method)], strokeWidth: 2,
        })),
        Plot.text(spread(chosen()), { x: "epoch", y: "loss", text: (row) => title(row.method), fill: HUE, textAnchor: "start", dx: 6 }),
      ],
    };
  }, () => words.curves);

  // What is far below the best is drawn at the lower edge, so that the others can be told apart.
  const REACH = 15;
  const rates = keepDrawn(section.querySelector("[data-plot=rates]"), (width) => {
    const rows = chosen().flatMap((arm) => arm.rates.map(([lr, accuracy, n]) => ({ method: arm.method, lr, accuracy: 100 * accuracy, n })));
    const values = rows.map((row) => row.accuracy);
    const top = Math.max(...values);
    const bottom = Math.max(Math.min(...values), top - REACH);
    const best = chosen().map((arm) => ({ method: arm.method, lr: arm.lr, accuracy: 100 * (arm.rates.find(([lr]) => lr === arm.lr) || [])[1] }));
    return {
      height: Math.min(380, 0.75 * width + 60), marginRight: 20, color: colours, symbol: scale(SYMBOLS),
      x: { label: words.rate, type: "log", ticks: 5, tickFormat: "~g" }, y: { label: words.accuracy, grid: true, domain: [bottom, top], clamp: true, nice: true },
      marks: [
        Plot.line(rows, { x: "lr", y: "accuracy", stroke: HUE, strokeOpacity: 0.5 }),
        Plot.dot(rows, { x: "lr", y: "accuracy", stroke: HUE, symbol: "method", tip: true, title: (row) => `${title(row.method)}, ${row.lr}: ${row.accuracy.toFixed(2)} % (n = ${row.n})` }),
        Plot.dot(best.filter((row) => row.accuracy), { x: "lr", y: "accuracy", fill: HUE, symbol: "method", r: 5 }),
      ],
    };
  }, () => words.rates);

  // Labels at the ends of lines, moved apart: a twelfth of the axis each, in the order of the ends.
  function spread(arms) {
    const ends = arms.map((arm) => ({ method: arm.method, epoch: arm.curve.at(-1)[0], loss: arm.curve.at(-1)[1] })).sort((a, b) => a.loss - b.loss);
    const all = arms.flatMap((arm) => arm.curve.map(([, loss]) => loss));
    const step = (Math.max(...all) / Math.min(...all)) ** (1 / 16);
    for (let i = 1; i < ends.length; i++) ends[i].loss = Math.max(ends[i].loss, ends[i - 1].loss * step);
    return ends;
  }

  function show() {
    const there = new Set(situation().arms.map((arm) => arm.method));
    for (const box of boxes) box.closest("label").hidden = !there.has(box.value);
    section.querySelector("[data-trained]").textContent = situation().trained[words.language];
    curves();
    rates();
  }
  form.addEventListener("input", () => { show(); remember(form); });
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
