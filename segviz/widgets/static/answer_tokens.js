// @ts-check
/** Answers: where they part, and how likely their tokens were. Pure. */

/** @typedef {{labels: string[], special: number[], state: string, note: string}} Answer */
/**
 * What Python says of an answer's tokens: labels, each once, and numbers that point at them.
 * @typedef {{
 *   labels: string[], special: Set<number>, chosen: Uint32Array, own: Float32Array,
 *   ranks: number, there: Uint32Array, probabilities: Float32Array
 * }} Likely
 */
/** @typedef {{label: string, special: boolean, probability: number, chosen: boolean}} Place */

/**
 * Where two answers part: the first token that differs, or that one has and the other, complete,
 * has not. -1 while they agree.
 * @param {Answer} a @param {Answer} b
 */
export function firstDifference(a, b) {
  const shorter = Math.min(a.labels.length, b.labels.length);
  for (let index = 0; index < shorter; index++) {
    if (a.labels[index] !== b.labels[index]) return index;
  }
  if (a.labels.length === b.labels.length) return -1;
  const short = a.labels.length < b.labels.length ? a : b;
  return short.state === "done" ? shorter : -1;
}

/** @param {any} content @param {Uint8Array[]} arrays @returns {Likely} */
export function readLikely(content, arrays) {
  // Copies: a buffer from the network need not begin at a multiple of four.
  const [chosen, own, there, probabilities] = arrays.map((array) => array.slice().buffer);
  return {
    labels: content.labels,
    special: new Set(content.special),
    chosen: new Uint32Array(chosen),
    own: new Float32Array(own),
    ranks: content.arrays[2].shape[1],
    there: new Uint32Array(there),
    probabilities: new Float32Array(probabilities),
  };
}

/**
 * How likely the token at an index was; NaN where unknown, or where what is known is of another
 * token: numbers and tokens arrive one after the other.
 * @param {Likely|null} likely @param {number} index @param {string} label
 */
export function probabilityOf(likely, index, label) {
  if (!likely || likely.labels[likely.chosen[index]] !== label) return NaN;
  return likely.own[index];
}

/**
 * The likeliest tokens in place of the one at an index; the chosen one is among them, or follows
 * them where it was less likely. Empty where nothing is known.
 * @param {Likely|null} likely @param {number} index @param {string} label
 * @returns {Place[]}
 */
export function placesAt(likely, index, label) {
  if (!likely || likely.labels[likely.chosen[index]] !== label) return [];
  const chosen = likely.chosen[index];
  /** @type {(token: number, probability: number) => Place} */
  const place = (token, probability) => ({
    label: likely.labels[token],
    special: likely.special.has(token),
    probability,
    chosen: token === chosen,
  });
  const places = [];
  for (let rank = 0; rank < likely.ranks; rank++) {
    const at = index * likely.ranks + rank;
    if (!Number.isNaN(likely.probabilities[at])) {
      places.push(place(likely.there[at], likely.probabilities[at]));
    }
  }
  const known = places.some((one) => one.chosen);
  if (!known && (places.length || !Number.isNaN(likely.own[index]))) {
    places.push(place(chosen, likely.own[index]));
  }
  return places;
}

/** @param {number} probability NaN: unknown */
export function chance(probability) {
  if (Number.isNaN(probability)) return "–";
  if (probability > 0.9995 && probability < 1) return ">0.999";
  return probability < 0.0005 ? "<0.001" : probability.toFixed(3);
}

/** How much of the colour a token gets, in percent: the less likely, the more. @param {number} p */
export function unlikeliness(p) {
  return Math.round(6 + 54 * (1 - Math.max(0, Math.min(1, p))));
}

/** Where a box goes beside an anchor, within the window. All in pixels of the window.
 * @param {{left: number, top: number, bottom: number}} anchor
 * @param {{width: number, height: number}} box @param {{width: number, height: number}} page
 */
export function besides(anchor, box, page) {
  const [gap, edge] = [5, 6];
  const below = anchor.bottom + gap;
  const above = anchor.top - gap - box.height;
  return {
    left: Math.max(edge, Math.min(anchor.left, page.width - edge - box.width)),
    top: below + box.height + edge <= page.height || above < edge ? below : above,
  };
}

const WORDS = /** @type {Record<string, string>} */ ({
  waiting: "no answer yet",
  running: "reading the prompt …",
  done: "no new tokens",
  cancelled: "cancelled before the first token",
  failed: "failed before the first token",
});

/** What stands in place of an answer without tokens. @param {string} state */
export function emptyWords(state) {
  return WORDS[state] ?? "";
}

/** Where a key leads among the tokens; null if it is not one of these keys.
 * @param {string} key @param {number} index @param {number} count */
export function nextToken(key, index, count) {
  const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: count - 1 }[key];
  return to === undefined ? null : Math.max(0, Math.min(count - 1, to));
}
