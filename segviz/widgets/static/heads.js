// @ts-check
/** Heads in a grid: their order, where they stand, their colours, how a key moves. Pure. */
import { pixel } from "./common.js";
import { pool } from "./plot.js";

/** @typedef {{name: string, unit: string, about: string}} Summary */
/** The same names and units as in Python. @type {Summary[]} */
export const SUMMARIES = [
  {
    name: "forward mass",
    unit: "share of attention",
    about: "share of attention on later tokens of the same segment, 0 to 1",
  },
  {
    name: "entropy",
    unit: "nats",
    about: "how widely a query spreads its attention, in nats; 0: all on one token",
  },
  {
    name: "distance",
    unit: "tokens",
    about: "how far from the query its attention goes on average, in tokens",
  },
  {
    name: "first-token mass",
    unit: "share of attention",
    about: "share of attention on the first token, 0 to 1",
  },
  {
    name: "largest difference",
    unit: "probability",
    about: "largest change of an attention probability, causal to segment, 0 to 1",
  },
];

/** The value of `sort` that stands for no ranking. */
export const NATURAL = "layer";

/** @param {string} name @returns {Summary|undefined} */
export function summaryOf(name) {
  return SUMMARIES.find((summary) => summary.name === name);
}

/**
 * Heads, counted through all layers, from the highest value to the lowest; those without a value
 * come last, and equal ones stay in their natural order.
 * @param {number} count @param {(index: number) => number} valueOf NaN where there is none
 */
export function ranked(count, valueOf) {
  const values = Float64Array.from({ length: count }, (_, index) => {
    const value = valueOf(index);
    return Number.isNaN(value) ? -Infinity : value;
  });
  return Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
}

/** The largest of some numbers, NaN apart; NaN if there is none. @param {Iterable<number>} values */
export function largest(values) {
  let most = NaN;
  for (const value of values) if (!(value <= most) && !Number.isNaN(value)) most = value;
  return most;
}

const GAP = 2;
const GROUP_GAP = 7;
const SMALLEST = 20;
const LARGEST_CELL = 96;

/**
 * Layer by layer: one line of heads, those of a KV head together. Cells fill the width, but are
 * never smaller than can be told apart (then the line is longer than the width).
 * @param {number} width @param {number} heads @param {number} kvHeads
 */
export function lineOf(width, heads, kvHeads) {
  const perGroup = heads / kvHeads;
  const between = perGroup > 1 ? GROUP_GAP : GAP;
  const gaps = (heads - kvHeads) * GAP + (kvHeads - 1) * between;
  const cell = Math.max(SMALLEST, Math.min(LARGEST_CELL, Math.floor((width - gaps) / heads)));
  const lefts = Array.from({ length: heads }, (_, head) => {
    const group = Math.floor(head / perGroup);
    return head * cell + (head - group) * GAP + group * (between - GAP) + group * GAP;
  });
  return { cell, lefts, width: heads * cell + gaps };
}

/**
 * Ranked: as many places in a line as fit.
 * @param {number} width @param {number} place @param {number} gap
 */
export function placesOf(width, place, gap) {
  const columns = Math.max(1, Math.floor((width + gap) / (place + gap)));
  return Array.from({ length: columns }, (_, column) => column * (place + gap));
}

/**
 * The place that a key leads to; null for a key that leads nowhere.
 * @param {{key: string, ctrlKey?: boolean, metaKey?: boolean}} event
 * @param {number} place @param {{count: number, columns: number, page: number, wraps: boolean}} grid
 * `wraps`: whether the end of a line leads to the next one
 */
export function moved({ key, ctrlKey, metaKey }, place, { count, columns, page, wraps }) {
  const line = Math.floor(place / columns);
  const start = line * columns;
  const end = Math.min(start + columns, count) - 1;
  const lines = Math.ceil(count / columns);
  const inLine = (/** @type {number} */ to) =>
    Math.max(wraps ? 0 : start, Math.min(wraps ? count - 1 : end, to));
  const byLines = (/** @type {number} */ by) => {
    const to = Math.max(0, Math.min(lines - 1, line + by));
    return Math.min(count - 1, to * columns + (place - start));
  };
  switch (key) {
    case "ArrowLeft":
      return inLine(place - 1);
    case "ArrowRight":
      return inLine(place + 1);
    case "ArrowUp":
      return byLines(-1);
    case "ArrowDown":
      return byLines(1);
    case "PageUp":
      return byLines(-page);
    case "PageDown":
      return byLines(page);
    case "Home":
      return ctrlKey || metaKey ? 0 : start;
    case "End":
      return ctrlKey || metaKey ? count - 1 : end;
    default:
      return null;
  }
}

/** @typedef {[number, number, number]} Rgb */
/** From low to high: away from the background in lightness, so that no hue has to be told apart.
 * @type {Record<string, Rgb[]>} */
const STOPS = {
  light: [
    [247, 222, 172],
    [233, 161, 69],
    [199, 95, 16],
    [122, 45, 6],
  ],
  dark: [
    [92, 62, 30],
    [163, 98, 28],
    [233, 152, 56],
    [255, 228, 168],
  ],
};

/** The colour of a share of the largest value. @param {number} share @param {string} theme */
export function shareColor(share, theme) {
  const stops = STOPS[theme] ?? STOPS.light;
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const from = Math.min(Math.floor(at), stops.length - 2);
  const parts = stops[from].map((low, channel) =>
    Math.round(low + (at - from) * (stops[from + 1][channel] - low)),
  );
  return `rgb(${parts.join(", ")})`;
}

/** All of them, as the background of a legend. @param {string} theme */
export function shareGradient(theme) {
  const stops = [0, 1 / 3, 2 / 3, 1].map((share) => shareColor(share, theme));
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}

/**
 * One pixel for each byte.
 * @param {Uint8Array} table red, green and blue of each @param {number} [opacity]
 */
export function pixelsOf(table, opacity = 1) {
  const alpha = Math.round(255 * opacity);
  return Uint32Array.from({ length: 256 }, (_, byte) =>
    pixel(table[3 * byte], table[3 * byte + 1], table[3 * byte + 2], alpha),
  );
}

/**
 * Paints a thumbnail as a square of a picture. Where there are fewer pixels than cells, each shows
 * the most telling cell: an average would lose single bright ones.
 * @param {{data: Uint32Array, width: number}} picture
 * @param {{left: number, top: number, side: number}} square in the picture's pixels
 * @param {Uint8Array} thumbnail @param {number} size @param {Uint32Array} colors
 * @param {boolean} diverging
 */
export function paintSquare(picture, { left, top, side }, thumbnail, size, colors, diverging) {
  const { data, rows } = pool(thumbnail, size, size, side, side, diverging);
  for (let y = 0; y < side; y++) {
    const from = Math.floor((y * rows) / side) * rows;
    const to = (top + y) * picture.width + left;
    for (let x = 0; x < side; x++) {
      picture.data[to + x] = colors[data[from + Math.floor((x * rows) / side)]];
    }
  }
}

/** A number in three digits, or four where a probability is 1. @param {number} value */
export function amount(value) {
  if (Number.isNaN(value)) return "–";
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : value > 1 ? 2 : 3);
}
