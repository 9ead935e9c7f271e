// @ts-check
/** The numbers of a comparison, and the sentences around them. Pure. */
import { format } from "./plot.js";

/** What the three pictures and the three tables are called. */
export const NAMES = ["causal mask", "segment mask", "difference: segment minus causal"];

/** Changes of less than this are not worth a sentence: both numbers would read the same. */
const LEAST = 0.005;

/** @param {number} value a difference, with its sign */
export function signed(value) {
  return value > 0 ? `+${format(value)}` : format(value);
}

/** @param {number} value a share of attention, two digits */
export function hundredths(value) {
  const text = Math.abs(value).toFixed(2);
  return value < 0 && text !== "0.00" ? `−${text}` : text;
}

/** @param {number} value */
export function signedHundredths(value) {
  const text = hundredths(value);
  return value > 0 && text !== "0.00" ? `+${text}` : text;
}

/** @param {number|null} probability null: not known, less than those that were kept */
export function likelihood(probability) {
  if (probability === null) return "–";
  return probability < 0.0005 ? "<0.001" : probability.toFixed(3);
}

/** @param {number} nats */
export function inNats(nats) {
  return `${nats >= 0.995 ? nats.toFixed(2) : format(Number(nats.toPrecision(2)))} nats`;
}

/**
 * Where attention moved between segments, the largest change first.
 * @param {ArrayLike<number>} causal [query segment, key segment] @param {ArrayLike<number>} segment
 * @param {number} size number of segments @param {number} most
 * @returns {{query: number, key: number, causal: number, segment: number, change: number}[]}
 */
export function largestMoves(causal, segment, size, most) {
  const all = Array.from({ length: size * size }, (_, at) => ({
    query: Math.floor(at / size),
    key: at % size,
    causal: causal[at],
    segment: segment[at],
    change: segment[at] - causal[at],
  }));
  return all
    .filter((move) => Math.abs(move.change) >= LEAST)
    .sort((a, b) => Math.abs(b.change) - Math.abs(a.change))
    .slice(0, most);
}

/**
 * The segments to put into a table that has no room for all: those between which most moved.
 * @param {ArrayLike<number>} causal @param {ArrayLike<number>} segment
 * @param {number} size @param {number} most
 * @returns {number[]} in their order
 */
export function busiest(causal, segment, size, most) {
  const moved = new Float64Array(size);
  for (let at = 0; at < size * size; at++) {
    const change = Math.abs(segment[at] - causal[at]);
    moved[Math.floor(at / size)] += change;
    moved[at % size] += change;
  }
  return Array.from(moved.keys())
    .sort((a, b) => moved[b] - moved[a])
    .slice(0, most)
    .sort((a, b) => a - b);
}

/**
 * Values for a chart of `pixels` columns: each the largest of those it stands for.
 * @param {ArrayLike<number>} values @param {number} pixels
 */
export function columnsOf(values, pixels) {
  const count = Math.min(values.length, Math.max(1, pixels));
  const columns = new Float32Array(count);
  for (let at = 0; at < values.length; at++) {
    const column = Math.floor((at * count) / values.length);
    columns[column] = Math.max(columns[column], values[at]);
  }
  return columns;
}

/**
 * The sentence that says where the answers part.
 * @param {{position: number, parted: boolean, answer: string[]}} parting
 * @param {string} token the token at that position, in quotes and with a space in front, or ""
 */
export function partingSentence({ position, parted, answer }, token) {
  const said = quotedAnswer(answer);
  if (parted) {
    return answer.length
      ? `Both answers begin with ${said} and part after position ${position}${token}.`
      : `The answers part at their first token, after position ${position}${token}.`;
  }
  const same = answer.length ? `Both masks give the same answer, ${said}.` : "The answers do not part.";
  return `${same} Most different is what would follow position ${position}${token}.`;
}

/** @param {string[]} labels */
function quotedAnswer(labels) {
  const most = 40;
  return `“${labels.length > most ? "…" : ""}${labels.slice(-most).join("")}”`;
}

/** @param {number} nats @param {boolean} exact */
export function klSentence(nats, exact) {
  return exact
    ? `KL(segment ‖ causal) = ${inNats(nats)}`
    : `KL(segment ‖ causal): at least ${inNats(nats)} ` +
        "(two saved traces keep only the likeliest tokens)";
}
