// @ts-check
/** Geometry of matrices, and numbers in words. Pure. */

/** What a masked cell is in attention bytes. */
export const MASKED = 0;

/**
 * Every how many cells a tick stands, so that ticks are `room` pixels apart or more.
 * @param {number} count @param {number} pixels @param {number} room
 */
export function tickStep(count, pixels, room) {
  const least = (room * count) / Math.max(1, pixels);
  for (let power = 1; ; power *= 10) {
    for (const factor of [1, 2, 5]) {
      if (factor * power >= least) return factor * power;
    }
  }
}

/**
 * The cell under a point, or null outside.
 * @param {number} x @param {number} y @param {{width: number, height: number}} box
 * @param {number} rows in sight @param {number} columns in sight
 * @param {{row: number, column: number}} [first] in sight
 */
export function cellAt(x, y, box, rows, columns, first = { row: 0, column: 0 }) {
  if (x < 0 || y < 0 || x >= box.width || y >= box.height) return null;
  return {
    row: Math.floor(first.row + (y * rows) / box.height),
    column: Math.floor(first.column + (x * columns) / box.width),
  };
}

/**
 * The part of an axis that a segment takes, in pixels; the axis shows positions from `first` on.
 * @param {{start: number, stop: number}} segment @param {number} first @param {number} count
 * @param {number} pixels
 */
export function span(segment, first, count, pixels) {
  const at = (/** @type {number} */ position) =>
    (Math.max(0, Math.min(count, position - first)) * pixels) / count;
  return { start: at(segment.start), length: at(segment.stop) - at(segment.start) };
}

/**
 * A byte matrix shrunk so that each cell is the most telling one of those it covers: the largest,
 * or for diverging data the one furthest from zero (128). Masked only where all are.
 * @param {Uint8Array} data @param {number} rows @param {number} columns
 * @param {number} outRows @param {number} outColumns @param {boolean} diverging
 */
export function pool(data, rows, columns, outRows, outColumns, diverging) {
  if (outRows >= rows && outColumns >= columns) return { data, rows, columns };
  const height = Math.min(rows, outRows);
  const width = Math.min(columns, outColumns);
  const weight = new Uint8Array(256);
  for (let value = 1; value < 256; value++) {
    weight[value] = diverging ? 1 + Math.abs(value - 128) : value;
  }
  const out = new Uint8Array(height * width);
  for (let row = 0; row < rows; row++) {
    const target = Math.floor((row * height) / rows) * width;
    for (let column = 0; column < columns; column++) {
      const value = data[row * columns + column];
      const index = target + Math.floor((column * width) / columns);
      if (weight[value] > weight[out[index]]) out[index] = value;
    }
  }
  return { data: out, rows: height, columns: width };
}

/** @param {number} value */
export function format(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.0001) return value.toExponential(1).replace("-", "−").replace("e−", "e-");
  const digits = size >= 0.1 ? 3 : size >= 0.01 ? 4 : 5;
  return trimmed(value.toFixed(digits));
}

/** @param {string} text */
function trimmed(text) {
  return text.replace(/0+$/, "").replace(/\.$/, "").replace("-", "−");
}
