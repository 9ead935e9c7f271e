// @ts-check
/** The mask, computed here from the segments: it follows a drag within a frame. */
import { COLORS, mount, node, setText, tell, tellHover, themeColor } from "./common.js";
import { cellText, makeReadout } from "./cell_text.js";
import { maskSpans, maskStripes } from "./mask_rows.js";
import { Matrix } from "./matrix.js";
import { makeZoom } from "./matrix_zoom.js";
import { ADDED, CAUSAL, cellState, HIDDEN, totalLength } from "./segments.js";

const SENTENCES = {
  [HIDDEN]: "masked",
  [CAUSAL]: "allowed by the causal mask",
  [ADDED]: "added by the segment mask",
};

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderMask({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-mask", () => {
    matrix.imageSoon();
    matrix.overlaySoon();
  });
  const head = node("div", "sv-matrix-head");
  const heading = node("div", "sv-heading");
  body.append(head);
  const label = "Attention mask, query down, key across";
  const matrix = new Matrix(scope, body, el, label, paint, { zoomable: true });
  const zoom = makeZoom(scope, matrix, el);
  head.append(heading, zoom.element);
  const legend = node("div", "sv-legend");
  for (const [name, text, title] of [
    ["sv-swatch sv-swatch-added", "added by the segment mask", "in the colour of its segment"],
    ["sv-swatch sv-swatch-causal", "causal", "allowed by the causal mask"],
    ["sv-swatch sv-swatch-hidden", "masked", "the query may not attend to the key"],
    ["sv-swatch sv-swatch-decode", "decoding starts", "the prompt ends, generated tokens follow"],
  ]) {
    const item = node("span", "sv-legend-item", { title });
    item.append(node("span", name, { "aria-hidden": "true" }), node("span", "", {}, text));
    legend.append(item);
  }
  const [added, , , decode] = /** @type {HTMLElement[]} */ ([...legend.children]);
  body.append(legend);
  const say = makeReadout(body, "point at a cell to read what the mask says of it");

  /** Read when it is painted: a host may render the view before it is in the page. */
  function readColors() {
    return {
      causal: themeColor(root, "--sv-causal"),
      added: Array.from({ length: COLORS }, (_, index) => themeColor(root, `--sv-seg-${index}`)),
    };
  }

  const options = () => ({ mask: model.get("mask"), window: model.get("window") });
  /** @returns {import("./segments.js").Segment[]} */
  const segments = () => model.get("segments") ?? [];

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height
   * @param {import("./zoom.js").Sight} sight */
  function paint(context, width, height, sight) {
    const all = segments();
    const chosen = options();
    const colors = readColors();
    const x = (/** @type {number} */ key) =>
      Math.round(((key - sight.column) * width) / sight.columns);
    for (const { query, top, bottom } of maskStripes(totalLength(all), sight, height)) {
      const { segment, added: more, causal } = maskSpans(all, query, chosen);
      if (more) {
        context.fillStyle = colors.added[segment % COLORS];
        context.fillRect(x(more[0]), top, x(more[1]) - x(more[0]), bottom - top);
      }
      context.fillStyle = colors.causal;
      context.fillRect(x(causal[0]), top, x(causal[1]) - x(causal[0]), bottom - top);
    }
  }

  function update() {
    const length = totalLength(segments());
    const promptLength = model.get("prompt_length") ?? null;
    matrix.setAxes({
      rows: length,
      columns: length,
      segments: segments(),
      promptLength,
      tokens: model.get("tokens")?.labels.length ? model.get("tokens") : null,
    });
    matrix.imageSoon();
    zoom.update();
    const causal = model.get("mask") === "causal";
    setText(heading, causal ? "Causal mask" : "Segment mask");
    added.style.display = causal ? "none" : "";
    decode.style.display = promptLength === null || promptLength >= length ? "none" : "";
  }

  matrix.hover = (cell) => {
    matrix.highlight(cell);
    tellHover(el, cell);
    if (!cell) return say("");
    const state = cellState(segments(), cell.query, cell.key, options());
    say(cellText(cell, model.get("tokens"), segments()), SENTENCES[state]);
  };

  for (const name of ["segments", "tokens", "prompt_length", "mask", "window"]) {
    scope.model(model, `change:${name}`, update);
  }
  update();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderMask };
