// The pages that draw: what they show is in the address, what they draw in data.js, their words in the page itself.
import { compare } from "./compare.js";
import { explore } from "./explore.js";

const data = window.normlab;
const place = (id) => document.getElementById(id);
if (data && place("explore")) explore(place("explore"), data);
if (data && place("compare")) compare(place("compare"), data);
