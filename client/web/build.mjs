// Builds the pages: scripts, styles and HTML into the folder of the gateway, and what a page that stands alone
// needs into that of riglap. Nothing of it is fetched when it is used.

import { build } from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { laps } from "./laps.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const GATEWAY = here("../rigclient/gateway/pages");
const ALONE = here("../riglap/pages");

// Pages of the gateway: name of the HTML file and of its script in src/pages, title, class of the root, and its
// own style in styles.
const PAGES = [
  ["index", "rigd", ""],
  ["overlay", "rigd overlay", "overlay"],
  ["wall", "rigd pit wall", "", "wall"],
  ["replay", "rigd replay", "", "replay"],
  ["garage", "rigd garage", "", "garage"],
  ["season", "rigd season", "", "season"],
];
// Modules for pages of one's own: name in /assets, and source.
const MODULES = [
  ["rig", "src/own/rig.ts"],
  ["overlays", "src/overlays/all.ts"],
];
// Scripts that stand alone: source, and name of the output.
const SINGLE = [];
const LIBRARIES = ["lit", "lit-html", "lit-element", "@lit/reactive-element", "uplot"];

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", charset: "utf8", logLevel: "warning" };

const sheet = (name) => `<link rel="stylesheet" href="/assets/${name}.css">\n`;
const html = ([name, title, kind, style]) => `<!doctype html>
<html lang="en" class="${kind}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
${sheet("theme")}${style ? sheet(`${style}-style`) : ""}<script type="module" src="/assets/${name}.js"></script>
</head>
<body></body>
</html>
`;

async function licences() {
  const texts = LIBRARIES.map(async (name) => {
    const { version, license } = JSON.parse(await readFile(here(`node_modules/${name}/package.json`), "utf8"));
    return `${name} ${version} (${license})\n\n${await readFile(here(`node_modules/${name}/LICENSE`), "utf8")}`;
  });
  return `Libraries that are part of these scripts.\n\n${(await Promise.all(texts)).join("\n\n")}`;
}

await rm(GATEWAY, { recursive: true, force: true });
await rm(ALONE, { recursive: true, force: true });
await mkdir(`${GATEWAY}/assets`, { recursive: true });
await mkdir(ALONE, { recursive: true });
const entries = { worker: here("src/wire/worker.ts"), theme: here("styles/theme.css") };
for (const [name, , , style] of PAGES) {
  entries[name] = here(`src/pages/${name}.ts`);
  if (style) entries[`${style}-style`] = here(`styles/${style}.css`);
}
for (const [name, source] of MODULES) entries[name] = here(source);
await build({ ...shared, entryPoints: entries, outdir: `${GATEWAY}/assets`, format: "esm", splitting: true, chunkNames: "part-[hash]" });
for (const [source, name] of SINGLE)
  await build({ ...shared, entryPoints: [here(source)], outfile: `${ALONE}/${name}`, format: "iife" });
for (const page of PAGES) await writeFile(`${GATEWAY}/${page[0]}.html`, html(page));
const words = await licences();
await laps(GATEWAY, ALONE, words);
for (const folder of [GATEWAY, ALONE]) await writeFile(`${folder}/LICENSES.txt`, words);
