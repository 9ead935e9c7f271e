// @ts-check
/** The mask, computed here from the segments: it follows a drag within a frame. */
import {
  COLORS,
  mount,
  node,
  pixel,
  quoted,
  rgba,
  setText,
  tell,
  tellHover,
  themeColor,
} from "./common.js";
import { Matrix } from "./matrix.js";
import { maskPixels } from "./plot.js";
import {
  ADDED,
  CAUSAL,
  cellState,
  HIDDEN,
  maskStates,
  segmentAt,
  totalLength,
} from "./segments.js";

const LIMIT = 1024;
const SENTENCES = {
  [HIDDEN]: "not visible",
  [CAUSAL]: "visible, as under a causal mask",
  [ADDED]: "newly visible through the segment mask",
};

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderMask({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-mask", () => {
    colors = readColors();
    matrix.imageSoon();
    matrix.overlaySoon();
  });
  const heading = node("div", "sv-heading");
  body.append(heading);
  const matrix = new Matrix(scope, body, el, "Attention mask, query down, key across", paint);
  const legend = node("div", "sv-legend");
  for (const [name, text, title] of [
    ["sv-swatch sv-swatch-added", "added by the segment mask", "in the colour of its segment"],
    ["sv-swatch sv-swatch-causal", "causal", "visible, as under a causal mask"],
    ["sv-swatch sv-swatch-hidden", "not visible", "the query may not attend to the key"],
    ["sv-swatch sv-swatch-decode", "decoding starts", "the prompt ends, generated tokens follow"],
  ]) {
    const item = node("span", "sv-legend-item", { title });
    item.append(node("span", name, { "aria-hidden": "true" }), node("span", "", {}, text));
    legend.append(item);
  }
  const [added, , , decode] = /** @type {HTMLElement[]} */ ([...legend.children]);
  const readout = node("div", "sv-readout", { "aria-live": "off" });
  body.append(legend, readout);
  let colors = readColors();

  function readColors() {
    /** @param {string} name */
    const color = (name) => pixel(...rgba(themeColor(root, name)));
    return {
      causal: color("--sv-causal"),
      added: Array.from({ length: COLORS }, (_, index) => color(`--sv-seg-${index}`)),
    };
  }

  const options = () => ({ mask: model.get("mask"), window: model.get("window") });
  /** @returns {import("./segments.js").Segment[]} */
  const segments = () => model.get("segments") ?? [];

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  function paint(context, width, height) {
    const length = totalLength(segments());
    const side = Math.min(length, LIMIT);
    const states = maskStates(segments(), { ...options(), rows: side, columns: side });
    const rowSegment = Array.from({ length: side }, (_, row) =>
      segmentAt(segments(), Math.floor(((row + 0.5) * length) / side)),
    );
    const pixels = maskPixels(states, side, side, rowSegment, colors);
    const canvas = new OffscreenCanvas(side, side);
    const image = new ImageData(new Uint8ClampedArray(pixels.buffer), side, side);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
    context.drawImage(canvas, 0, 0, width, height);
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
    const causal = model.get("mask") === "causal";
    setText(heading, causal ? "Causal mask" : "Segment mask");
    added.style.display = causal ? "none" : "";
    decode.style.display = promptLength === null || promptLength >= length ? "none" : "";
  }

  /** @param {{query: number, key: number}|null} cell */
  matrix.hover = (cell) => {
    matrix.highlight(cell);
    tellHover(el, cell);
    if (!cell) return setText(readout, "");
    const tokens = model.get("tokens");
    const state = cellState(segments(), cell.query, cell.key, options());
    setText(
      readout,
      `query ${cell.query}${quoted(tokens, cell.query)} · key ${cell.key}${quoted(tokens, cell.key)} · ${SENTENCES[state]}`,
    );
    readout.title = readout.textContent ?? "";
  };

  for (const name of ["segments", "tokens", "prompt_length", "mask", "window"]) {
    scope.model(model, `change:${name}`, update);
  }
  update();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderMask };
