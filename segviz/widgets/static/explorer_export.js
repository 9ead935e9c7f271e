// @ts-check
/** Export: what the explorer shows as a file for a paper, made in Python, saved by the browser. */
import { node, setText, tell } from "./common.js";
import { allow, button, select } from "./controls.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./common.js").Scope} Scope */

const FIGURES = [
  { value: "attention", text: "attention", title: "the attention that is shown, scale and all" },
  { value: "comparison", text: "causal | segment | difference", title: "one head, three panels" },
  { value: "mask", text: "mask", title: "the mask in force" },
  { value: "heads", text: "all heads", title: "every head of every layer" },
  { value: "flow", text: "flow", title: "the mass from segment to segment, with numbers" },
  { value: "tokens", text: "tokens", title: "the text, shaded by what one token attends to" },
  { value: "arcs", text: "arcs", title: "lines from queries to keys" },
];
const FORMATS = [
  { value: "pdf", text: "PDF", type: "application/pdf" },
  { value: "svg", text: "SVG", type: "image/svg+xml" },
  { value: "png", text: "PNG", type: "image/png" },
];
const WIDTHS = [
  { value: "column", text: "column", title: "3.25 inches" },
  { value: "text", text: "text", title: "6.75 inches" },
  { value: "slide", text: "slide", title: "10 inches" },
];

/** The width in which a figure can be read, as in Python: three panels do not fit into a column.
 * @param {string} figure @param {string} view @returns {string} */
const usualWidth = (figure, view) =>
  ["comparison", "tokens"].includes(figure) || (figure === "flow" && view === "difference")
    ? "text"
    : "column";

/**
 * A button, and the choices that it unfolds.
 * @param {Scope} scope @param {Model} model
 */
export function makeExport(scope, model) {
  const chosen = { figure: "attention", format: "pdf", width: "column" };
  let widthIsTheirs = false;
  const element = node("div", "sv-export", { role: "group", "aria-label": "Export a figure" });
  /** @param {keyof typeof chosen} name @param {any[]} options @param {string} title */
  const pick = (name, options, title) => {
    const one = select(scope, name, title, options, (value) => {
      chosen[name] = value;
      if (name === "width") widthIsTheirs = true;
      else fitWidth();
    });
    one.show(chosen[name]);
    return one;
  };
  const figures = pick("figure", FIGURES, "which figure");
  const formats = pick("format", FORMATS, "PDF and SVG are vectors");
  const widths = pick("width", WIDTHS, "of the whole figure; the text keeps its size");
  function fitWidth() {
    if (widthIsTheirs) return;
    chosen.width = usualWidth(chosen.figure, model.get("view"));
    widths.show(chosen.width);
  }
  const saving = button(scope, "Save", "make the figure and save it", () => {
    if (making || model.get("busy")) return;
    making = tell(model, { kind: "export", ...chosen });
    update();
  });
  const note = node("span", "sv-hint", { role: "status" });
  element.append(figures.element, formats.element, widths.element, saving, note);
  element.hidden = true;
  let making = false;

  const opener = button(scope, "Export", "save what is shown as a figure for a paper", () => {
    element.hidden = !element.hidden;
    opener.setAttribute("aria-expanded", String(!element.hidden));
  });
  opener.setAttribute("aria-expanded", "false");
  opener.hidden = Boolean(model.static);

  function update() {
    const busy = Boolean(model.get("busy"));
    allow(saving, !making && !busy);
    if (making) setText(note, "drawing …");
    else if (busy) setText(note, "waiting for the run");
    else if (note.textContent?.endsWith("…") || note.textContent?.startsWith("waiting")) setText(note, "");
  }

  scope.model(model, "change:busy", update);
  scope.model(model, "change:view", fitWidth);
  scope.model(model, "msg:custom", (content, buffers) => {
    if (content?.kind !== "exported") return;
    making = false;
    update();
    setText(note, content.name ? `saved ${content.name}` : "not saved");
    if (content.name) download(content.name, buffers[0]);
  });
  return { opener, element };
}

/** @param {string} name @param {BufferSource} data */
function download(name, data) {
  const type = FORMATS.find(({ value }) => name.endsWith(`.${value}`))?.type;
  const link = /** @type {HTMLAnchorElement} */ (node("a"));
  link.href = URL.createObjectURL(new Blob([data], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
