// @ts-check
/** The mask as rectangles, one row of pixels or of cells at a time. Pure. */
import { segmentAt } from "./segments.js";

/**
 * Which keys a query sees, as half-open spans: through its segment, and as under a causal mask.
 * What is in both is causal.
 * @param {import("./segments.js").Segment[]} segments @param {number} query
 * @param {{mask?: string, window?: number|null}} [options]
 * @returns {{segment: number, added: [number, number]|null, causal: [number, number]}}
 */
export function maskSpans(segments, query, options = {}) {
  const index = segmentAt(segments, query);
  const { start, stop, attention } = segments[index];
  const together = options.mask !== "causal" && attention === "bidirectional";
  return {
    segment: index,
    added: together ? [start, stop] : null,
    causal: [Math.max(0, query - (options.window ?? Infinity) + 1), query + 1],
  };
}

/**
 * Stripes that paint a part of the mask: each cell's row, or where cells are smaller than pixels
 * each row of pixels with the query in its middle.
 * @param {number} length @param {import("./zoom.js").Sight} sight @param {number} height in pixels
 * @returns {{query: number, top: number, bottom: number}[]}
 */
export function maskStripes(length, sight, height) {
  const pixel = (/** @type {number} */ row) =>
    Math.max(0, Math.min(height, Math.round(((row - sight.row) * height) / sight.rows)));
  if (sight.rows > height) {
    return Array.from({ length: height }, (_, top) => {
      const query = Math.floor(sight.row + ((top + 0.5) * sight.rows) / height);
      return { query: Math.min(length - 1, query), top, bottom: top + 1 };
    });
  }
  const first = Math.floor(sight.row);
  const last = Math.min(length, Math.ceil(sight.row + sight.rows));
  return Array.from({ length: last - first }, (_, at) => ({
    query: first + at,
    top: pixel(first + at),
    bottom: pixel(first + at + 1),
  }));
}
