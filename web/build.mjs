// Builds the page into the Python package: hashed names, and a note of what it was built from.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../src/keepsight/server/page");

const hashOf = (content) => createHash("sha256").update(content).digest("hex");

// SHA-256 over "path\0content\0" of each source in the order of their paths; tests/server/test_page_files.py says it too.
async function sourceHash() {
  const entries = await readdir(join(here, "src"), { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  paths.push(...["build.mjs", "package.json", "package-lock.json", "tsconfig.json"].map((name) => join(here, name)));
  const named = paths.map((path) => relative(here, path).replaceAll("\\", "/")).sort();
  const hash = createHash("sha256");
  for (const name of named) hash.update(`${name}\0`).update(await readFile(join(here, name))).update("\0");
  return hash.digest("hex");
}

const built = await build({
  entryPoints: { app: join(here, "src/main.tsx") },
  bundle: true,
  minify: true,
  write: false,
  outdir: out,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  external: ["/assets/*"],
});

const files = built.outputFiles.map((file) => ({ name: file.path.split(/[\\/]/).pop(), content: file.contents }));
const inter = join(here, "node_modules/@fontsource-variable/inter");
const carried = [
  { name: "icon.svg", content: await readFile(join(here, "src/icon.svg")) },
  { name: "inter.woff2", content: await readFile(join(inter, "files/inter-latin-wght-normal.woff2")) },
  { name: "inter-licence.txt", content: await readFile(join(inter, "LICENSE")) },
];

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const names = new Map();
const withNames = (text) => [...names].reduce((done, [name, hashed]) => done.replaceAll(`/assets/${name}`, `/assets/${hashed}`), text);
// What others name comes first, so that a new name makes new names of them, too.
for (const { name, content } of [...carried, ...files]) {
  const named = /\.(css|js)$/.test(name) ? withNames(Buffer.from(content).toString("utf8")) : content;
  const hashed = name.replace(/\.(\w+)$/, `-${hashOf(named).slice(0, 12)}.$1`);
  names.set(name, hashed);
  await writeFile(join(out, hashed), named);
}
await writeFile(join(out, "index.html"), withNames(await readFile(join(here, "src/index.html"), "utf8")));
const assets = [...names.values()];
const note = { source_hash: await sourceHash(), assets: assets.sort() };
await writeFile(join(out, "build.json"), `${JSON.stringify(note, null, 1)}\n`);
console.log(assets.join("\n"));
