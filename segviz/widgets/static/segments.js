// @ts-check
/**
 * Edits of segments and the mask rule. Pure functions, the same as in Python's segments and masks.
 */

/** @typedef {{start: number, stop: number, name: string, attention: "bidirectional"|"causal"}} Segment */

/** What a cell of the mask is: not visible, visible under a causal mask too, or only through the segment mask. */
export const HIDDEN = 0;
export const CAUSAL = 1;
export const ADDED = 2;

/** @param {Segment[]} segments */
export function totalLength(segments) {
  return segments.length ? segments[segments.length - 1].stop : 0;
}

/**
 * The boundary between segments `index` and `index + 1`, moved as far as its neighbours allow.
 * @param {Segment[]} segments @param {number} index @param {number} position
 * @returns {Segment[]}
 */
export function moveBoundary(segments, index, position) {
  const before = segments[index];
  const after = segments[index + 1];
  if (!before || !after) return segments;
  const at = Math.max(before.start + 1, Math.min(after.stop - 1, Math.round(position)));
  if (at === before.stop) return segments;
  return replaced(segments, index, 2, { ...before, stop: at }, { ...after, start: at });
}

/** @param {Segment[]} segments @param {number} position */
export function canSplit(segments, position) {
  return (
    position > 0 &&
    position < totalLength(segments) &&
    !segments.some((segment) => segment.start === position)
  );
}

/**
 * @param {Segment[]} segments @param {number} position
 * @returns {Segment[]}
 */
export function splitAt(segments, position) {
  if (!canSplit(segments, position)) return segments;
  const index = segmentAt(segments, position);
  const segment = segments[index];
  return replaced(
    segments,
    index,
    1,
    { ...segment, stop: position },
    { ...segment, start: position, name: `${segment.name} 2` },
  );
}

/**
 * @param {Segment[]} segments @param {number} index
 * @returns {Segment[]}
 */
export function mergeAt(segments, index) {
  const before = segments[index];
  const after = segments[index + 1];
  if (!before || !after) return segments;
  return replaced(segments, index, 2, { ...before, stop: after.stop });
}

/**
 * @param {Segment[]} segments @param {number} index
 * @returns {Segment[]}
 */
export function toggleAttention(segments, index) {
  const segment = segments[index];
  if (!segment) return segments;
  const attention = segment.attention === "causal" ? "bidirectional" : "causal";
  return replaced(segments, index, 1, { ...segment, attention });
}

/**
 * @param {Segment[]} segments @param {number} index @param {string} name
 * @returns {Segment[]}
 */
export function renameSegment(segments, index, name) {
  const segment = segments[index];
  if (!segment || segment.name === name) return segments;
  return replaced(segments, index, 1, { ...segment, name });
}

/** @param {Segment[]} segments @param {number} position */
export function segmentAt(segments, position) {
  return segments.findIndex((segment) => segment.start <= position && position < segment.stop);
}

/**
 * The prompt's segments as edited, followed by what `whole` holds behind the prompt (the response).
 * @param {Segment[]} prompt @param {Segment[]} whole
 * @returns {Segment[]}
 */
export function withResponse(prompt, whole) {
  const end = totalLength(prompt);
  const response = whole.filter((segment) => segment.start >= end);
  return response.length && response[0].start === end ? [...prompt, ...response] : prompt;
}

/**
 * The state of one cell.
 * @param {Segment[]} segments @param {number} query @param {number} key
 * @param {{mask?: string, window?: number|null}} [options]
 */
export function cellState(segments, query, key, options = {}) {
  if (key <= query && query - key < (options.window ?? Infinity)) return CAUSAL;
  const index = segmentAt(segments, query);
  const together =
    segments[index].attention === "bidirectional" && index === segmentAt(segments, key);
  return options.mask !== "causal" && together ? ADDED : HIDDEN;
}

/** @param {Segment[]} segments @param {number} index @param {number} count @param {Segment[]} instead */
function replaced(segments, index, count, ...instead) {
  return [...segments.slice(0, index), ...instead, ...segments.slice(index + count)];
}
