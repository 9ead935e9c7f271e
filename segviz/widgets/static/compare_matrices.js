// @ts-check
/** One head under both masks, and the difference: three pictures with one zoom and one pointer. */
import { makeBar } from "./attention_bar.js";
import { uint16 } from "./attention_picture.js";
import { makeQuestion } from "./attention_tiles.js";
import { cellText, makeReadout } from "./cell_text.js";
import { node, onMessage, save, setText, tellHover } from "./common.js";
import { NAMES, signed } from "./compare_numbers.js";
import { makePicture } from "./compare_picture.js";
import { select, toggle } from "./controls.js";
import { shadingOf, unpack } from "./heatmap.js";
import { format } from "./plot.js";

/** @typedef {import("./heatmap.js").Part} Part */
/** @typedef {{seq: number, rows: number[], columns: number[]}} Question about one cell */
/**
 * @typedef {{seq: number, title: string, size: [number, number], parts: Part[], maxima: number[],
 *   tables: Uint8Array[]}} Patterns
 * Causal, segment and difference; the tables are of probabilities and of differences.
 */

const SHORT = ["causal", "segment", "difference"];
const DIFFERENCE = 2;
/** A picture that is so wide has room for labels from the start, in pixels. */
const ROOMY = 400;
const LOOKS = [
  { value: "sqrt", text: "square root", title: "small numbers keep their differences" },
  { value: "linear", text: "linear", title: "twice the number, twice as far on the colour bar" },
  { value: "log", text: "logarithmic", title: "four powers of ten" },
];

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {HTMLElement} parent @param {HTMLElement} el
 * @param {() => void} onChange there is something to show, or nothing
 */
export function makeMatrices(scope, model, parent, el, onChange) {
  const element = node("section", "sv-compare-part", { "aria-label": "Attention patterns" });
  const head = node("div", "sv-compare-head");
  const title = node("div", "sv-heading");
  const name = node("span", "", {}, "Attention patterns");
  const hint = node("span", "sv-hint");
  title.append(name, hint);
  const controls = node("div", "sv-controls", { role: "toolbar", "aria-label": "Colours and zoom" });
  head.append(title, controls);
  const grid = node("div", "sv-compare-matrices");
  element.append(head, grid);
  parent.append(element);

  const me = Math.random().toString(36).slice(2);
  const pictures = NAMES.map((text, index) =>
    makePicture(scope, model, grid, el, { name: text, index, me }),
  );
  const boxes = [node("div", "sv-compare-bar"), node("div", "sv-compare-bar")];
  const bars = [
    makeNamedBar(boxes[0], "attention probability, one scale for both masks"),
    makeNamedBar(boxes[1], "change of the probability: purple less, orange more"),
  ];
  const decode = makeKey(boxes[0]);
  grid.append(...boxes);
  const reading = node("div", "sv-compare-reading");
  const say = makeReadout(reading, "point at a cell to read it under both masks");
  const values = node("div", "sv-compare-values", { "aria-live": "polite" });
  const numbers = SHORT.map((text) => {
    const item = node("span", "", {}, `${text} `);
    const number = node("span", "sv-compare-number");
    item.append(number);
    return number;
  });
  values.append(...numbers.map((number) => /** @type {HTMLElement} */ (number.parentElement)));
  reading.append(values);
  element.append(reading);

  /** @param {string} trait @param {any} value */
  const choose = (trait, value) => {
    model.set(trait, value);
    save(model);
  };
  const look = select(scope, "Scale", "how a number becomes a colour", LOOKS, (value) =>
    choose("look", value),
  );
  const hide = toggle(
    scope,
    "Hide first token",
    "leave out the first key, which often takes most of the attention",
    (on) => choose("hide_first", on),
  );
  // All three follow one zoom, so one set of buttons does.
  controls.append(look.element, hide.element, pictures[0].zoom.element);

  /** @type {Patterns|null} */ let patterns = null;
  /** @type {{picture: number, query: number, key: number}|null} */ let hovered = null;
  /** @type {{question: string, values: Float32Array}|null} */ let exact = null;
  /** @type {(question: Question) => void} */
  const ask = makeQuestion(scope, model, me, "value", (question, answer) => {
    if (answer.values) exact = { question: JSON.stringify(question), values: answer.values };
    read();
  });

  /** @returns {import("./common.js").Tokens|null} */
  const tokens = () => (model.get("tokens")?.labels.length ? model.get("tokens") : null);
  /** @returns {import("./segments.js").Segment[]} */
  const segments = () => model.get("segments") ?? [];

  function update() {
    element.hidden = patterns === null;
    onChange();
    look.show(model.get("look"));
    hide.show(Boolean(model.get("hide_first")));
    if (!patterns) return;
    const [rows, columns] = patterns.size;
    const { factor } = patterns.parts[0];
    const promptLength = model.get("prompt_length") ?? null;
    for (const { matrix, zoom } of pictures) {
      matrix.setAxes({
        rows,
        columns,
        segments: segments(),
        promptLength,
        tokens: tokens(),
      });
      zoom.update();
    }
    setText(name, patterns.title ? `${patterns.title}: attention patterns` : "Attention patterns");
    setText(hint, factor > 1 ? `a cell is the largest of ${factor} × ${factor}` : "");
    decode.hidden = promptLength === null || promptLength >= columns;
    read();
  }

  /** Other colours for the same cells. */
  function reshade() {
    if (!patterns) return;
    const hides = Boolean(model.get("hide_first"));
    const chosen = { scale: model.get("look"), hideFirst: hides, normalize: false };
    const shadings = patterns.parts.map((part, index) =>
      shadingOf(part, index === DIFFERENCE, chosen, hides),
    );
    // The same colour is the same number under both masks.
    const top = Math.max(shadings[0].top, shadings[1].top);
    shadings[0].top = shadings[1].top = top;
    pictures.forEach((picture, index) => picture.shade(shadings[index]));
    const { maxima, tables } = patterns;
    bars.forEach((bar, kind) => {
      const picture = { table: tables[kind], maximum: maxima[kind + 1], columnStarts: null };
      bar.show(picture, shadings[kind + 1]);
    });
  }

  onMessage(scope, model, "patterns", (content, arrays) => {
    patterns = content.clear ? null : patternsOf(content, arrays);
    exact = null;
    if (!patterns) hovered = null;
    pictures.forEach((picture, index) => {
      const table = patterns?.tables[index === DIFFERENCE ? 1 : 0] ?? new Uint8Array();
      const part = patterns?.parts[index] ?? null;
      picture.take(part, table, patterns?.maxima[index] ?? 0, patterns?.seq ?? -1);
    });
    reshade();
    update();
  });

  function read() {
    const cell = hovered && pictures[hovered.picture].cellWith(hovered);
    const place = hovered;
    values.hidden = !cell;
    reading.classList.toggle("sv-pointed", Boolean(cell));
    if (!cell || !place || !patterns) return say("");
    const question = { seq: patterns.seq, ...cell };
    const known = exact?.question === JSON.stringify(question) ? exact.values : null;
    const about = pictures.map((picture) => picture.valueAt(place));
    if (!known && about.some((value) => value !== null)) ask(question);
    numbers.forEach((number, index) => {
      const value = known ? numberOf(known[index]) : about[index];
      if (value === null) return setText(number, "masked");
      // Bytes are good for two digits.
      const said = known ? value : Number(value.toPrecision(2));
      const text = index === DIFFERENCE ? signed(said) : format(said);
      setText(number, known ? text : `≈ ${text}`);
    });
    say(cellText(markOf(cell), tokens(), segments()));
  }

  /** @param {{rows: number[], columns: number[]}} cell @returns {import("./matrix.js").Cell} */
  function markOf({ rows, columns }) {
    const { first } = pictures[0].matrix.down;
    const [query, queryStop] = rows.map((row) => row + first);
    return { query, queryStop, key: columns[0], keyStop: columns[1] };
  }

  pictures.forEach((picture, index) => {
    picture.matrix.hover = (cell) => {
      hovered = patterns && cell && { picture: index, query: cell.query, key: cell.key };
      tellHover(el, hovered && markOf(picture.cellWith(hovered)));
      read();
    };
  });
  // Where a picture is small, labels that are read only in a zoom would take too much of it.
  scope.resize(grid, () => {
    const roomy = pictures[0].element.clientWidth >= ROOMY;
    for (const { matrix } of pictures) {
      if (matrix.zoomable === roomy) continue;
      matrix.zoomable = roomy;
      matrix.layoutSoon();
    }
  });
  // What one picture says of its zoom the others are told.
  scope.dom(el, "segviz-zoom", ({ bubbles, detail }) => {
    if (bubbles) el.dispatchEvent(new CustomEvent("segviz-zoom", { detail }));
  });
  for (const trait of ["look", "hide_first"]) {
    scope.model(model, `change:${trait}`, () => {
      reshade();
      update();
    });
  }
  for (const trait of ["segments", "tokens", "prompt_length"]) {
    scope.model(model, `change:${trait}`, update);
  }
  update();
  const redraw = () => {
    for (const { matrix } of pictures) {
      matrix.imageSoon();
      matrix.overlaySoon();
    }
  };
  return { element, redraw };
}

/** @param {any} content @param {Uint8Array[]} arrays spans and bytes of each, two colour tables
 * @returns {Patterns} */
function patternsOf(content, arrays) {
  const [rows, columns] = content.shape;
  const parts = [0, 2, 4].map((at) => ({
    data: unpack(uint16(arrays[at]), arrays[at + 1], rows, columns),
    rows,
    columns,
    row: 0,
    column: 0,
    factor: content.factor,
    peaks: null,
  }));
  return { ...content, parts, tables: arrays.slice(6) };
}

/** What Python says of a cell; null where it is masked. @param {number} value */
function numberOf(value) {
  return Number.isNaN(value) ? null : value;
}

/** @param {HTMLElement} parent @param {string} name what its colours are */
function makeNamedBar(parent, name) {
  const box = node("div", "sv-compare-scale");
  box.append(node("div", "sv-compare-bar-name", {}, name));
  parent.append(box);
  return makeBar(box);
}

/** What the pictures show besides colours; returns the entry of the border of decoding.
 * @param {HTMLElement} parent */
function makeKey(parent) {
  const legend = node("div", "sv-legend sv-compare-key");
  const [, decode] = [
    ["sv-swatch sv-swatch-masked", "masked", "the query may not attend to the key"],
    ["sv-swatch sv-swatch-decode", "decoding starts", "the prompt ends, generated tokens follow"],
  ].map(([swatch, text, title]) => {
    const item = node("span", "sv-legend-item", { title });
    item.append(node("span", swatch, { "aria-hidden": "true" }), node("span", "", {}, text));
    legend.append(item);
    return item;
  });
  parent.append(legend);
  return decode;
}
