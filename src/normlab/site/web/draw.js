// What both drawing pages share: plots as wide as their place, redrawn when it changes, and a state that lives in the address.
import * as Plot from "@observablehq/plot";

export const DASHES = ["none", "6 3", "2 3", "8 3 2 3", "1 4", "10 4"];
export const SYMBOLS = ["circle", "square", "triangle", "diamond", "cross", "star", "wye"];

// Draws now and whenever the width changes; what is drawn has a text for those who do not see it.
export function keepDrawn(place, options, label) {
  const draw = () => {
    const figure = Plot.plot({ width: Math.max(280, place.clientWidth), ...options(place.clientWidth) });
    const drawing = figure.tagName === "svg" ? figure : figure.querySelector("svg");
    // A picture is one thing to those who hear it: its parts' names would be read as further labels.
    for (const part of drawing.querySelectorAll("[aria-label]")) {
      part.dataset.mark = part.getAttribute("aria-label");
      part.removeAttribute("aria-label");
    }
    drawing.setAttribute("role", "img");
    drawing.setAttribute("aria-label", label());
    place.replaceChildren(figure);
  };
  new ResizeObserver(draw).observe(place);
  return draw;
}

export function stateOf(form) {
  const asked = new URLSearchParams(location.search);
  for (const element of form.elements) {
    if (!element.name || !asked.has(element.name)) continue;
    if (element.type === "checkbox") element.checked = asked.get(element.name).split(",").includes(element.value);
    else if ([...element.options].some((option) => option.value === asked.get(element.name))) element.value = asked.get(element.name);
  }
}

export function remember(form) {
  const state = new URLSearchParams();
  for (const element of form.elements) {
    if (!element.name) continue;
    if (element.type !== "checkbox") state.set(element.name, element.value);
    else if (element.checked) state.set(element.name, [state.get(element.name), element.value].filter(Boolean).join(","));
  }
  history.replaceState(null, "", `?${state}`);
}
