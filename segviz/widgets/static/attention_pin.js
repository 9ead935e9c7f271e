// @ts-check
/** The pinned query: its row outlined, and its attention on every token told to the other views. */
import { makeChip } from "./attention_controls.js";
import { hasAll } from "./attention_picture.js";
import { makeQuestion } from "./attention_tiles.js";
import { sideText } from "./cell_text.js";
import { save } from "./common.js";
import { fineValue } from "./heatmap.js";
import { format, MASKED } from "./plot.js";
import { cellOf, positionsOf } from "./zoom.js";

/** @typedef {import("./attention_now.js").Now} Now */
/** @typedef {import("./attention_picture.js").Picture} Picture */
/** @typedef {{seq: number, queries: number[]}} RowQuestion */

/**
 * A query's attention on every key, from the bytes at hand: the mean over the rows of a group, NaN
 * where a key is masked for all of them; null where the bytes are of merged cells.
 * @param {Picture} picture @param {number} first @param {number} stop rows
 */
export function rowValues(picture, first, stop) {
  if (picture.merged) return null;
  const { data, columns, factor } = picture.base;
  const diverging = picture.kind === "diverging";
  const values = new Float32Array(picture.size[1]).fill(NaN);
  const rows = hasAll(picture) ? stop - first : 1;
  for (let row = first; row < first + rows; row++) {
    const start = Math.floor(row / factor) * columns;
    for (let key = 0; key < values.length; key++) {
      const byte = data[start + Math.floor(key / factor)];
      if (byte === MASKED) continue;
      const value = fineValue(byte, diverging, picture.end) / rows;
      values[key] = Number.isNaN(values[key]) ? value : values[key] + value;
    }
  }
  return values;
}

/**
 * The key with the largest magnitude, and that; the first key left out if it is hidden.
 * @param {Float32Array} values @param {boolean} hideFirst
 */
export function largestOf(values, hideFirst) {
  let key = -1;
  let maximum = 0;
  for (let at = hideFirst ? 1 : 0; at < values.length; at++) {
    if (Math.abs(values[at]) > maximum) [key, maximum] = [at, Math.abs(values[at])];
  }
  return { key, maximum };
}

/**
 * @param {import("./common.js").Scope} scope @param {Now} now @param {HTMLElement} el
 * @param {string} me @param {() => void} changed there is something else to read
 */
export function makePin(scope, now, el, me, changed) {
  const { model, matrix } = now;
  /** @type {Float32Array|null} */ let values = null;
  /** Whether they are Python's numbers, not the bytes'. */ let exact = false;
  const chip = makeChip(scope, () => set(null));
  /** @type {(question: RowQuestion) => void} */
  const ask = makeQuestion(scope, model, me, "row", (question, answer) => {
    const wanted = rows();
    if (!answer.values || !wanted || question.seq !== now.picture?.seq) return;
    if (String(wanted) === String(question.queries)) announce(answer.values, true);
    else follow();
  });

  /** Token positions of the pinned row; null where none is, or not of this picture.
   * @returns {[number, number]|null} */
  function range() {
    const position = model.get("pinned");
    const { first, stop } = matrix.down;
    if (typeof position !== "number" || !now.picture) return null;
    if (position < first || position >= stop) return null;
    return positionsOf(matrix.down, Math.floor(cellOf(matrix.down, position)));
  }

  /** The same in rows of the array. */
  function rows() {
    return range()?.map((position) => position - now.before) ?? null;
  }

  /** @param {number|null} position */
  function set(position) {
    if (position === (model.get("pinned") ?? null)) return;
    model.set("pinned", position);
    save(model);
  }

  /** A click on a pinned row lets it go. @param {import("./matrix.js").Cell} cell */
  function toggle(cell) {
    const pinned = range();
    set(pinned && pinned[0] <= cell.query && cell.query < pinned[1] ? null : cell.query);
  }

  function show() {
    const pinned = range();
    matrix.outline(pinned && { query: pinned[0], queryStop: pinned[1], key: null });
    chip.show(pinned && sideText("", pinned[0], pinned[1], null, []).trim());
  }

  /** Another pin or another picture: told from the bytes at once, then exactly. */
  function follow() {
    values = null;
    show();
    const wanted = rows();
    if (wanted && now.picture) {
      const near = rowValues(now.picture, wanted[0], wanted[1]);
      if (near) announce(near, false);
      ask({ seq: now.picture.seq, queries: wanted });
    } else announce(null, false);
  }

  /** @param {Float32Array|null} next @param {boolean} isExact */
  function announce(next, isExact) {
    values = next;
    exact = isExact;
    const detail = next && {
      query: model.get("pinned"),
      values: next,
      maximum: largestOf(next, now.hideFirst).maximum,
    };
    el.dispatchEvent(new CustomEvent("segviz-pin", { bubbles: true, detail }));
    changed();
  }

  /** The pinned query and where most of its attention goes; null where none is pinned.
   * @returns {[string, string]|null} */
  function read() {
    const pinned = range();
    if (!pinned || !values) return null;
    const query = sideText("query", pinned[0], pinned[1], now.tokens, now.segments);
    const { key } = largestOf(values, now.hideFirst);
    if (key < 0) return [query, ""];
    const most = sideText("key", key, undefined, now.tokens, now.segments);
    return [`${query} · most on ${most}`, `${exact ? "" : "≈ "}${format(values[key])}`];
  }

  scope.dom(el, "segviz-unpin", () => set(null));
  scope.model(model, "change:pinned", follow);
  return { chip: chip.element, set, toggle, show, follow, read };
}
