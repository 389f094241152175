// Builds the pages of laps: the compare page as one file that needs nothing else for `rig compare --html`, and
// as page, script and styles for the gateway, whose pages run no script that stands in them.

import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const here = (path) => new URL(path, import.meta.url);
const UPLOT = "node_modules/uplot/dist/uPlot.min.css";
const POLICY =
  `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; ` +
  `script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">`;

/** Return a page around what is its own, which says where styles and script go. */
const framed = (name, own) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>rigd ${name}</title>
<style>/*styles*/</style>
</head>
<body>
<div id="bar"></div>
<p id="trouble" role="alert" hidden></p>
${own}<script type="module">/*script*/</script>
</body>
</html>
`;

async function script(path) {
  const made = await build({
    entryPoints: [here(path).pathname],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    legalComments: "inline",
  });
  return made.outputFiles[0].text;
}

async function styles(paths) {
  return (await Promise.all(paths.map((path) => readFile(here(path), "utf8")))).join("\n");
}

/** Build them into the folder of the gateway and that of pages that stand alone, which carry the licences. */
export async function laps(served, alone, licences) {
  for (const [name, sheets, single] of [
    ["compare", ["styles/theme.css", UPLOT, "styles/compare.css"], true],
    ["laps", ["styles/theme.css", "styles/compare.css", "styles/laps.css"], false],
  ]) {
    const page = framed(name, await readFile(here(`src/laps/${name}.html`), "utf8"));
    const [code, style] = [await script(`src/laps/${name}.ts`), await styles(sheets)];
    const linked = page
      .replace("<style>/*styles*/</style>", `<link rel="stylesheet" href="/assets/${name}.css">`)
      .replace('<script type="module">/*script*/</script>', `<script type="module" src="/assets/${name}.js"></script>`);
    await writeFile(`${served}/${name}.html`, linked);
    await writeFile(`${served}/assets/${name}.js`, code);
    await writeFile(`${served}/assets/${name}.css`, style);
    if (!single) continue;
    // The script may not end its element early.
    const safe = code.replaceAll("</script", "<\\/script");
    const whole = page
      .replace('<meta name="referrer"', () => `${POLICY}\n<meta name="referrer"`)
      .replace("/*styles*/", () => style)
      .replace("/*script*/", () => safe);
    await writeFile(`${alone}/${name}.html`, `${whole}<!--\n${licences.replaceAll("--", "- -")}\n-->\n`);
  }
}
