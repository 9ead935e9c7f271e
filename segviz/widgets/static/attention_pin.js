// @ts-check
/** The pinned query: its row outlined, and its attention on every token told to the other views. */
import { hasAll } from "./attention_picture.js";
import { MASKED } from "./plot.js";
import { fineValue } from "./heatmap.js";

/** @typedef {import("./attention_picture.js").Picture} Picture */

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
 * @param {HTMLElement} el
 * @param {{query: number, values: Float32Array, maximum: number}|null} detail
 */
export function tellPin(el, detail) {
  el.dispatchEvent(new CustomEvent("segviz-pin", { bubbles: true, detail }));
}
