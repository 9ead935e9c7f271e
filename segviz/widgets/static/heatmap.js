// @ts-check
/** Attention bytes: from the fourth-root bytes of Python's `scale.fine` to colours. Pure. */
import { format, MASKED } from "./plot.js";

/** @typedef {"sqrt"|"linear"|"log"|"clipped"} Scale */
/** @typedef {{scale: Scale, normalize: boolean}} Look */
/**
 * @typedef {{data: Uint8Array, rows: number, columns: number, row: number, column: number,
 *   factor: number, peaks: Uint8Array|null}} Part
 * Bytes of the cells from (`row`, `column`) on, each `factor` × `factor` cells of the matrix.
 * `peaks` [2, row]: the byte of each whole row's largest magnitude, of all and without the first
 * cell; null where the part holds whole rows.
 */
/**
 * @typedef {{top: number, diverging: boolean, look: Look, hides: boolean}} Shading
 * `top`: the end of the scale in fourth roots; `hides`: whether the first column is left out.
 */

/** Powers of ten that the logarithmic scale spans, as in Python. */
export const DECADES = 4;
/** The share of cells below the end of the clipped scale. */
const CLIP = 0.99;

/**
 * The bytes of each row from `spans` [row, 2] on, put where they belong.
 * @param {Uint16Array} spans @param {Uint8Array} packed @param {number} rows @param {number} columns
 */
export function unpack(spans, packed, rows, columns) {
  const data = new Uint8Array(rows * columns);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    const [first, stop] = [spans[2 * row], spans[2 * row + 1]];
    data.set(packed.subarray(at, at + stop - first), row * columns + first);
    at += stop - first;
  }
  return data;
}

/** The number that a byte stands for. @param {number} byte @param {boolean} diverging
 * @param {number} maximum */
export function fineValue(byte, diverging, maximum) {
  const root = diverging ? (byte - 128) / 127 : (byte - 1) / 254;
  return Math.sign(root) * root ** 4 * maximum;
}

/** @param {number} value @param {boolean} diverging @param {number} maximum */
export function fineByte(value, diverging, maximum) {
  const root = Math.min(1, Math.abs(value) / (maximum || 1)) ** 0.25;
  return diverging ? 128 + Math.round(127 * Math.sign(value) * root) : 1 + Math.round(254 * root);
}

/** Magnitude of each byte, 0 to 254. @param {boolean} diverging */
function magnitudes(diverging) {
  return Uint8Array.from({ length: 256 }, (_, byte) =>
    byte === MASKED ? 0 : diverging ? Math.min(254, 2 * Math.abs(byte - 128)) : byte - 1,
  );
}

/** The largest magnitude of each row, 0 to 254. @param {Part} part @param {Uint8Array} magnitude
 * @param {boolean} hides */
function rowPeaks(part, magnitude, hides) {
  const peaks = new Uint8Array(part.rows);
  for (let row = 0; row < part.rows; row++) {
    if (part.peaks) {
      peaks[row] = part.peaks[(hides ? part.rows : 0) + row] - 1;
      continue;
    }
    let peak = 0;
    const stop = (row + 1) * part.columns;
    for (let at = row * part.columns + (hides ? 1 : 0); at < stop; at++) {
      if (magnitude[part.data[at]] > peak) peak = magnitude[part.data[at]];
    }
    peaks[row] = peak;
  }
  return peaks;
}

/**
 * How a matrix is shaded: the end of its scale is that of all its cells, also where a tile shows
 * some of them.
 * @param {Part} part all of the matrix @param {boolean} diverging @param {Look} look
 * @param {boolean} hides @returns {Shading}
 */
export function shadingOf(part, diverging, look, hides) {
  const shading = { top: 1, diverging, look, hides };
  if (look.scale !== "clipped" && (look.normalize || !hides)) return shading;
  const magnitude = magnitudes(diverging);
  const peaks = look.normalize ? rowPeaks(part, magnitude, hides) : null;
  const counts = new Uint32Array(255);
  let total = 0;
  for (let row = 0; row < part.rows; row++) {
    const factor = peaks ? 254 / (peaks[row] || 254) : 1;
    const stop = (row + 1) * part.columns;
    for (let at = row * part.columns + (hides ? 1 : 0); at < stop; at++) {
      const byte = part.data[at];
      if (byte === MASKED) continue;
      counts[Math.min(254, Math.round(magnitude[byte] * factor))]++;
      total++;
    }
  }
  let largest = 254;
  while (largest > 0 && !counts[largest]) largest--;
  let end = largest;
  if (look.scale === "clipped") {
    end = 0;
    for (let seen = counts[0]; end < largest && seen < CLIP * total; ) seen += counts[++end];
  }
  return { ...shading, top: (end || largest || 254) / 254 };
}

/**
 * Where a share of the scale's end stands among the colours, 0 to 1.
 * @param {number} share 0 to 1 @param {Scale} scale
 */
export function shadeOf(share, scale) {
  const part = Math.min(1, share);
  if (scale === "sqrt") return Math.sqrt(part);
  if (scale === "log") return part > 0 ? Math.max(0, 1 + Math.log10(part) / DECADES) : 0;
  return part;
}

/**
 * Bytes into the colour table, 0 where nothing is drawn.
 * @param {Part} part @param {Shading} shading
 */
export function shades(part, { top, diverging, look, hides }) {
  const magnitude = magnitudes(diverging);
  const peaks = look.normalize ? rowPeaks(part, magnitude, hides) : null;
  /** @type {Map<number, Uint8Array>} one table for each peak: there are 255 at most */
  const tables = new Map();
  /** @param {number} peak */
  const table = (peak) => {
    let known = tables.get(peak);
    if (known) return known;
    known = new Uint8Array(256);
    for (let byte = 1; byte < 256; byte++) {
      const root = magnitude[byte] / (peak || 254) / top;
      const shade = shadeOf(root ** 4, look.scale);
      known[byte] = diverging
        ? 128 + Math.round(127 * (byte < 128 ? -shade : shade))
        : 1 + Math.round(254 * shade);
    }
    tables.set(peak, known);
    return known;
  };
  const out = new Uint8Array(part.data.length);
  for (let row = 0; row < part.rows; row++) {
    const known = table(peaks ? peaks[row] : 254);
    const start = row * part.columns;
    for (let at = start; at < start + part.columns; at++) out[at] = known[part.data[at]];
    if (hides && part.column === 0) out[start] = 0;
  }
  return out;
}

/**
 * Shades of the part of a matrix in sight, one per pixel: the largest of those that fall on it, or
 * where data diverge the one furthest from zero.
 * @param {Uint8Array} data @param {number} rows @param {number} columns
 * @param {import("./zoom.js").Sight} sight in cells of `data`; may go beyond
 * @param {number} height @param {number} width in pixels @param {boolean} diverging
 */
export function pooledSight(data, rows, columns, sight, height, width, diverging) {
  const out = new Uint8Array(height * width);
  const weight = new Uint8Array(256);
  for (let shade = 1; shade < 256; shade++) {
    weight[shade] = diverging ? 1 + Math.abs(shade - 128) : shade;
  }
  const firstColumn = Math.max(0, Math.floor(sight.column));
  const lastColumn = Math.min(columns, Math.ceil(sight.column + sight.columns));
  const targets = new Int32Array(columns);
  for (let column = firstColumn; column < lastColumn; column++) {
    const at = Math.floor(((column + 0.5 - sight.column) * width) / sight.columns);
    targets[column] = Math.max(0, Math.min(width - 1, at));
  }
  const lastRow = Math.min(rows, Math.ceil(sight.row + sight.rows));
  for (let row = Math.max(0, Math.floor(sight.row)); row < lastRow; row++) {
    const at = Math.floor(((row + 0.5 - sight.row) * height) / sight.rows);
    const target = Math.max(0, Math.min(height - 1, at)) * width;
    const start = row * columns;
    for (let column = firstColumn; column < lastColumn; column++) {
      const shade = data[start + column];
      const index = target + targets[column];
      if (weight[shade] > weight[out[index]]) out[index] = shade;
    }
  }
  return out;
}

/**
 * A matrix merged to groups: columns summed, rows averaged; bytes again, with their maximum.
 * @param {Part} part one cell per token @param {boolean} diverging @param {number} maximum
 * @param {ArrayLike<number>} rowStarts counted in rows @param {ArrayLike<number>} columnStarts
 * @param {boolean} hideFirst leave the first column out
 * @returns {{part: Part, maximum: number}}
 */
export function mergedPart(part, diverging, maximum, rowStarts, columnStarts, hideFirst) {
  const [rows, columns] = [rowStarts.length, columnStarts.length];
  const value = Float64Array.from({ length: 256 }, (_, byte) =>
    byte === MASKED ? 0 : fineValue(byte, diverging, maximum),
  );
  const groups = new Int32Array(part.columns);
  for (let column = 0, group = 0; column < part.columns; column++) {
    if (group + 1 < columns && columnStarts[group + 1] <= column) group++;
    groups[column] = group;
  }
  const sums = new Float64Array(rows * columns);
  const seen = new Uint8Array(rows * columns);
  for (let group = 0; group < rows; group++) {
    const stop = group + 1 < rows ? rowStarts[group + 1] : part.rows;
    for (let row = rowStarts[group]; row < stop; row++) {
      for (let column = hideFirst ? 1 : 0; column < part.columns; column++) {
        const byte = part.data[row * part.columns + column];
        if (byte === MASKED) continue;
        const at = group * columns + groups[column];
        sums[at] += value[byte] / (stop - rowStarts[group]);
        seen[at] = 1;
      }
    }
  }
  let largest = 0;
  for (const sum of sums) largest = Math.max(largest, Math.abs(sum));
  const data = Uint8Array.from(sums, (sum, at) =>
    seen[at] ? fineByte(sum, diverging, largest) : MASKED,
  );
  return { part: { ...part, data, rows, columns }, maximum: largest };
}

/** Where the colour bar has numbers between zero and its end. @type {Record<Scale, number[]>} */
const STOPS = { sqrt: [0.04, 0.25], linear: [0.5], clipped: [0.5], log: [0.01] };

/**
 * Numbers along the colour bar: where they stand, 0 to 1, and what they say.
 * @param {Shading} shading @param {number} maximum of the bytes
 * @param {boolean} [exact] whether the maximum is Python's, and not worked out from bytes
 * @returns {{at: number, text: string}[]}
 */
export function barLabels({ top, diverging, look }, maximum, exact = true) {
  const end = look.normalize ? top ** 4 : top ** 4 * maximum;
  if (!(end > 0)) return [{ at: diverging ? 0.5 : 0, text: "0" }];
  /** @param {number} share of the end, with its sign */
  const say = (share) => {
    const value = share * end;
    const last = Math.abs(share) === 1;
    const near = top !== 1 || !(exact || look.normalize);
    const round = last && !near ? value : Number(value.toPrecision(last ? 2 : 1));
    const number = look.normalize ? `${format(100 * round)} %` : format(round);
    if (!last) return { round, number };
    const sign = look.scale === "clipped" ? (share > 0 ? "≥ " : "≤ ") : near ? "≈ " : "";
    return { round, number: sign + number };
  };
  /** @param {number} share */
  const label = (share) => {
    const { round, number } = say(share);
    const at = shadeOf(Math.abs(round) / end, look.scale);
    return { at: diverging ? 0.5 + (Math.sign(share) * at) / 2 : at, text: number };
  };
  const stops = STOPS[look.scale];
  if (diverging) {
    const nearest = stops[stops.length - 1];
    return [label(-1), label(-nearest), { at: 0.5, text: "0" }, label(nearest), label(1)];
  }
  const least = look.scale === "log" ? `≤ ${say(10 ** -DECADES).number}` : "0";
  return [{ at: 0, text: least }, ...stops.map(label), label(1)];
}
