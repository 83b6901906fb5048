// Bundles the pages' scripts into ../assets: classic scripts, since browsers refuse modules over file://. Each begins with a hash of
// what it was made from, by which a test sees a bundle that is older than its sources.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const BUNDLES = { "site.js": "pages.js", "plots.js": "plots.js" };

export function sourcesHash() {
  const names = readdirSync(".").filter((name) => /\.(js|mjs|json)$/.test(name)).sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(name).update("\0").update(readFileSync(name)).update("\0");
  return hash.digest("hex").slice(0, 16);
}

for (const [target, source] of Object.entries(BUNDLES)) {
  const { outputFiles } = await build({
    entryPoints: [source], bundle: true, minify: true, write: false, format: "iife", target: "es2020", legalComments: "eof", charset: "utf8",
  });
  const text = `/* built by make site-assets from ${sourcesHash()} */\n${outputFiles[0].text.replace(/[ \t]+$/gm, "")}`;
  writeFileSync(`../assets/${target}`, text);
  console.log(`${target}: ${Math.round(text.length / 1000)} kB`);
}
