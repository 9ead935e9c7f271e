// The sources are ES modules in .js files without a package.json (they are package data of a
// Python package), which not every node takes as modules: give it what the widgets run, joined.
import { readFileSync } from "node:fs";

const folder = new URL("../../segviz/widgets/static/", import.meta.url);

/** @param {string} name */
export async function source(name) {
  return import(`data:text/javascript,${encodeURIComponent(joined(name, new Set()))}`);
}

/** @param {string} name @param {Set<string>} seen */
function joined(name, seen) {
  if (seen.has(name)) return "";
  seen.add(name);
  const text = readFileSync(new URL(name, folder), "utf8");
  return text.replace(/^import\s*\{[^}]*\}\s*from\s*"\.\/([\w.]+)";\n/gm, (_, file) =>
    joined(file, seen).replace(/^export default .*\n/gm, ""),
  );
}
