// @ts-check
/** One head's attention as a heat map; the bytes come from Python, exact numbers on demand. */
import { makeBar } from "./attention_bar.js";
import { makeAttentionControls, makeChip } from "./attention_controls.js";
import { hasAll, mergedPicture, paintable, pictureOf } from "./attention_picture.js";
import { largestOf, rowValues, tellPin } from "./attention_pin.js";
import { makeQuestion, makeTiles } from "./attention_tiles.js";
import { cellText, groupLabels, makeReadout, sideText } from "./cell_text.js";
import { mount, node, onMessage, save, setText, tell, tellHover, themeColor } from "./common.js";
import { fineValue, shadingOf } from "./heatmap.js";
import { Matrix } from "./matrix.js";
import { makeZoom } from "./matrix_zoom.js";
import { format, MASKED } from "./plot.js";
import { totalLength } from "./segments.js";
import { cellOf, positionsOf } from "./zoom.js";

/** @typedef {import("./attention_picture.js").Picture} Picture */
/** @typedef {import("./heatmap.js").Part} Part */
/** @typedef {import("./matrix.js").Cell} Cell */
/** @typedef {{seq: number, rows: number[], columns: number[], merged: boolean}} CellQuestion */
/** @typedef {{seq: number, queries: number[]}} RowQuestion */

/** @param {{model: import("./common.js").Model, el: HTMLElement}} context */
function renderAttention({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-attention", () => {
    matrix.imageSoon();
    matrix.overlaySoon();
  });
  const head = node("div", "sv-matrix-head");
  const heading = node("div", "sv-heading");
  const title = node("span", "sv-matrix-title", {}, "Attention");
  const hint = node("span", "sv-hint");
  heading.append(title, hint);
  body.append(head);
  const label = "Attention pattern, query down, key across";
  const matrix = new Matrix(scope, body, el, label, paint, { zoomable: true });
  const waiting = node("div", "sv-waiting", {}, "no attention yet");
  matrix.plot.append(waiting);
  /** @type {number|null} what was pinned before a click that became a double-click */
  let before = null;
  const zoom = makeZoom(scope, matrix, el, {
    click: (cell) => {
      before = model.get("pinned");
      const range = pinnedRange();
      setPinned(range && range[0] <= cell.query && cell.query < range[1] ? null : cell.query);
    },
    undo: () => setPinned(before),
  });
  head.append(heading, zoom.element);
  const bar = makeBar(body);
  const line = node("div", "sv-readout-line");
  const say = makeReadout(line);
  const chip = makeChip(scope, () => setPinned(null));
  line.append(chip.element);
  const controls = makeAttentionControls(scope, model);
  body.append(line, controls.element);

  const me = Math.random().toString(36).slice(2);
  const tiles = makeTiles(scope, model, me, () => matrix.imageSoon());
  /** @type {(question: CellQuestion) => void} */
  const askValue = makeQuestion(scope, model, me, "value", (question, { value }) => {
    if (question.seq === picture?.seq) exact = { question, value };
    read();
  });
  /** @type {(question: RowQuestion) => void} */
  const askRow = makeQuestion(scope, model, me, "row", (question, { values }) => {
    const range = pinnedRows();
    if (!values || !range || question.seq !== picture?.seq) return;
    if (String(range) === String(question.queries)) announce(values);
    else tellPinned();
  });
  /** As it came, and as it is drawn. @type {Picture|null} */ let given = null;
  /** @type {Picture|null} */ let picture = null;
  /** @type {import("./heatmap.js").Shading} */ let shading;
  /** @type {Map<Part, ReturnType<typeof paintable>>} */ const painters = new Map();
  /** The part that is painted now. @type {Part|null} */ let shown = null;
  /** @type {Cell|null} */ let hovered = null;
  /** @type {{question: CellQuestion, value: number|null}|null} */ let exact = null;
  /** @type {Float32Array|null} */ let pinnedValues = null;
  /** Labels of merged rows and columns, kept while they are the same.
   * @type {{key: string, labels: {labels: string[], special: number[]}}|null} */
  let grouped = null;

  /** @returns {import("./segments.js").Segment[]} */
  const segments = () => model.get("segments") ?? [];
  /** @returns {import("./common.js").Tokens|null} */
  const tokens = () => (model.get("tokens")?.labels.length ? model.get("tokens") : null);
  const hideFirst = () => Boolean(model.get("hide_first"));
  /** @returns {import("./heatmap.js").Look} */
  const look = () => ({
    scale: model.get("scale"),
    hideFirst: hideFirst(),
    normalize: Boolean(model.get("normalize")),
  });

  /** Another picture, or other groups: everything anew. */
  function rebuild() {
    picture = given && mergedPicture(given, model.get("merge"), segments(), hideFirst());
    reshade();
    update();
    read();
  }

  /** Other colours for the same cells. */
  function reshade() {
    painters.clear();
    if (picture) {
      const starts = picture.columnStarts;
      // Where the first column is more than the first token, what it shows is without it already.
      const hides = hideFirst() && (!starts || starts[1] === 1);
      shading = shadingOf(picture.all, picture.kind === "diverging", look(), hides);
    }
    bar.show(picture, shading);
    matrix.imageSoon();
  }

  function update() {
    const keys = picture ? picture.size[1] : totalLength(segments());
    const rows = picture ? picture.size[0] : keys;
    const { rowStarts = null, columnStarts = null } = picture ?? {};
    matrix.setAxes({
      rows: rowStarts?.length ?? rows,
      columns: columnStarts?.length ?? keys,
      rowStarts,
      columnStarts,
      stop: keys,
      segments: segments(),
      promptLength: model.get("prompt_length") ?? null,
      tokens: labels(),
    });
    setText(title, picture?.title || "Attention");
    waiting.hidden = picture !== null;
    root.classList.toggle("sv-stale", Boolean(model.get("stale")));
    const mergeable = !picture || hasAll(picture) || !model.static;
    controls.update({
      words: mergeable && tokens() !== null,
      segments: mergeable && segments().length > 0,
    });
    zoom.update();
    showPin();
  }

  function labels() {
    const starts = picture?.columnStarts;
    if (!starts) return tokens();
    const key = `${model.get("merge")} ${Array.from(starts)} ${picture?.size}`;
    if (grouped?.key !== key) {
      const names =
        model.get("merge") === "segments"
          ? segments().map((segment) => segment.name)
          : groupLabels(tokens(), starts, picture?.size[1] ?? 0);
      grouped = { key, labels: { labels: names, special: [] } };
    }
    return grouped.labels;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height
   * @param {import("./zoom.js").Sight} sight */
  function paint(context, width, height, sight) {
    if (!picture) return;
    hatch(context, width, height);
    if (shading.hides && sight.column < 1) {
      context.fillStyle = themeColor(root, "--sv-bg");
      const first = Math.round(((picture.all.factor - sight.column) * width) / sight.columns);
      context.fillRect(0, 0, first, height);
    }
    const { rows, columns } = matrix.axes;
    const whole = { rows, columns, factor: picture.all.factor };
    shown = tiles.tile(sight, Math.max(width, height), whole) ?? picture.all;
    let painter = painters.get(shown);
    if (!painter) {
      painter = paintable(shown, shading, picture.table);
      painters.set(shown, painter);
    }
    painter(context, width, height, sight);
    const { factor } = shown;
    setText(hint, factor > 1 ? `a cell is the largest of ${factor} × ${factor}` : "");
  }

  /** Masked cells let this show through.
   * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  function hatch(context, width, height) {
    const ratio = width / matrix.box.width;
    context.strokeStyle = themeColor(root, "--sv-hatch");
    context.lineWidth = ratio;
    context.beginPath();
    for (let at = -height; at < width; at += 6 * ratio) {
      context.moveTo(at, height);
      context.lineTo(at + height, 0);
    }
    context.stroke();
  }

  onMessage(scope, model, "attention", (content, arrays) => {
    given = content.clear ? null : pictureOf(content, arrays);
    tiles.reset(given ? given.seq : -1);
    exact = null;
    hovered = given ? hovered : null;
    rebuild();
    matrix.drawImage();
    matrix.drawOverlay();
    tellPinned();
  });

  /** The painted cell under the pointer: its rows and columns in the matrix. */
  function painted() {
    if (!hovered || !shown) return null;
    const { factor } = shown;
    const { rows, columns } = matrix.axes;
    const row = Math.floor(Math.floor(cellOf(matrix.down, hovered.query)) / factor) * factor;
    const column = Math.floor(Math.floor(cellOf(matrix.across, hovered.key)) / factor) * factor;
    return {
      rows: [row, Math.min(rows, row + factor)],
      columns: [column, Math.min(columns, column + factor)],
      byte:
        shown.data[((row - shown.row) / factor) * shown.columns + (column - shown.column) / factor],
    };
  }

  /** @param {import("./zoom.js").Axis} axis @param {number[]} cells @returns {[number, number]} */
  const positions = (axis, [first, stop]) => [
    positionsOf(axis, first)[0],
    positionsOf(axis, stop - 1)[1],
  ];

  function read() {
    const cell = painted();
    if (!cell || !picture) return sayPinned();
    const [query, queryStop] = positions(matrix.down, cell.rows);
    const [key, keyStop] = positions(matrix.across, cell.columns);
    let number = "masked";
    if (cell.byte !== MASKED) {
      const question = questionFor(picture, cell, [query, queryStop, key, keyStop]);
      const known = exact && JSON.stringify(exact.question) === JSON.stringify(question);
      const { kind, maximum } = picture;
      if (known && exact?.value != null) number = format(exact.value);
      else number = `≈ ${format(fineValue(cell.byte, kind === "diverging", maximum))}`;
      if (!known) askValue(question);
    }
    say(cellText({ query, key, queryStop, keyStop }, tokens(), segments()), number);
  }

  /** @param {Picture} of @param {{rows: number[], columns: number[]}} cell
   * @param {number[]} span @returns {CellQuestion} */
  function questionFor(of, cell, [query, queryStop, key, keyStop]) {
    const { rows, columns } = cell;
    // What the page has merged Python is asked about in positions, as of what came.
    if (of.merged || !of.columnStarts) return { seq: of.seq, rows, columns, merged: false };
    const before = of.size[1] - of.size[0];
    return {
      seq: of.seq,
      rows: [query - before, queryStop - before],
      columns: [hideFirst() && key === 0 && keyStop > 1 ? 1 : key, keyStop],
      merged: true,
    };
  }

  matrix.hover = (cell) => {
    hovered = picture ? cell : null;
    const place = painted();
    /** @type {Cell|null} */ let mark = cell;
    if (place && (matrix.axes.columnStarts || (shown?.factor ?? 1) > 1)) {
      const [query, queryStop] = positions(matrix.down, place.rows);
      const [key, keyStop] = positions(matrix.across, place.columns);
      mark = { query, key, queryStop, keyStop };
    }
    matrix.highlight(mark);
    tellHover(el, mark);
    read();
  };

  /** Token positions of the pinned row; null where none is, or not of this picture.
   * @returns {[number, number]|null} */
  function pinnedRange() {
    const position = model.get("pinned");
    const { first, stop } = matrix.down;
    if (typeof position !== "number" || !picture || position < first || position >= stop) return null;
    return positionsOf(matrix.down, Math.floor(cellOf(matrix.down, position)));
  }

  /** The same in rows of the array. */
  function pinnedRows() {
    const range = pinnedRange();
    if (!range || !picture) return null;
    const before = picture.size[1] - picture.size[0];
    return range.map((position) => position - before);
  }

  /** @param {number|null} position */
  function setPinned(position) {
    if (position === (model.get("pinned") ?? null)) return;
    model.set("pinned", position);
    save(model);
  }

  function showPin() {
    const range = pinnedRange();
    matrix.outline(range && { query: range[0], queryStop: range[1], key: null });
    chip.show(range ? sideText("query", range[0], range[1], tokens(), []) : "");
  }

  /** From the bytes at once, then exactly. */
  function tellPinned() {
    pinnedValues = null;
    showPin();
    const queries = pinnedRows();
    if (!queries || !picture) {
      tellPin(el, null);
      read();
      return;
    }
    const values = rowValues(picture, queries[0], queries[1]);
    if (values) announce(values);
    askRow({ seq: picture.seq, queries });
  }

  /** @param {Float32Array} values */
  function announce(values) {
    pinnedValues = values;
    const { maximum } = largestOf(values, hideFirst());
    tellPin(el, { query: /** @type {number} */ (model.get("pinned")), values, maximum });
    read();
  }

  function sayPinned() {
    const range = pinnedRange();
    if (!range || !pinnedValues) return say("");
    const { key } = largestOf(pinnedValues, hideFirst());
    const query = sideText("query", range[0], range[1], tokens(), segments());
    if (key < 0) return say(query);
    const most = sideText("key", key, undefined, tokens(), segments());
    const number = `${model.static ? "≈ " : ""}${format(pinnedValues[key])}`;
    say(`${query} · most on ${most}`, number);
  }

  scope.dom(el, "segviz-unpin", () => setPinned(null));
  scope.dom(root, "keydown", (event) => {
    if (event.key !== "Escape" || typeof model.get("pinned") !== "number") return;
    setPinned(null);
    event.stopPropagation();
  });
  scope.model(model, "change:pinned", tellPinned);
  for (const name of ["merge", "hide_first"]) {
    scope.model(model, `change:${name}`, () => {
      rebuild();
      tellPinned();
    });
  }
  for (const name of ["scale", "normalize"]) {
    scope.model(model, `change:${name}`, () => {
      reshade();
      update();
    });
  }
  scope.model(model, "change:segments", () => (model.get("merge") === "tokens" ? update() : rebuild()));
  for (const name of ["tokens", "prompt_length", "stale"]) {
    scope.model(model, `change:${name}`, update);
  }
  rebuild();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderAttention };
