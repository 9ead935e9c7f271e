// @ts-check
/** Where things are in the token strip. Pure. */

/** @typedef {{left: number, top: number, width: number, height: number}} Box */
/** @typedef {{left: number, width: number}} Place */

/** Tops that differ by less are of one line. */
const SAME = 3;

/**
 * The boundary position (before which token) that is nearest to a point. The line is chosen first,
 * so that a drag across wrapped lines follows the pointer.
 * @param {Box[]} boxes one per token, in reading order @param {number} x @param {number} y
 */
export function boundaryAt(boxes, x, y) {
  if (!boxes.length) return 0;
  const { first, stop } = lineAt(boxes, y);
  let nearest = first;
  let gap = Infinity;
  for (let index = first; index < stop; index++) {
    const box = boxes[index];
    for (const [position, edge] of [
      [index, box.left],
      [index + 1, box.left + box.width],
    ]) {
      if (Math.abs(edge - x) < gap) {
        gap = Math.abs(edge - x);
        nearest = position;
      }
    }
  }
  return nearest;
}

/**
 * The token a line further down (or up) that stands below (or above) a token.
 * @param {Box[]} boxes @param {number} index @param {number} lines
 */
export function tokenBeside(boxes, index, lines) {
  const box = boxes[index];
  if (!box) return 0;
  const middle = box.left + box.width / 2;
  let { first, stop } = lineAt(boxes, box.top);
  for (let line = 0; line < Math.abs(lines); line++) {
    const next = lines > 0 ? stop : first - 1;
    if (!boxes[next]) break;
    ({ first, stop } = lineAt(boxes, boxes[next].top));
  }
  const away = (/** @type {number} */ at) =>
    Math.max(boxes[at].left - middle, middle - boxes[at].left - boxes[at].width);
  let nearest = first;
  for (let at = first; at < stop; at++) if (away(at) < away(nearest)) nearest = at;
  return nearest;
}

/**
 * The tokens `[first, stop)` of the line nearest to a height: a search by halves, there may be
 * thousands.
 * @param {Box[]} boxes @param {number} y
 */
function lineAt(boxes, y) {
  /** First token of which the line starts below a height. @param {number} height */
  const below = (height) => {
    let [low, high] = [0, boxes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (boxes[middle].top > height) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  const behind = below(y);
  const above = boxes[Math.max(0, behind - 1)];
  const beneath = boxes[Math.min(behind, boxes.length - 1)];
  const { top } = y - above.top - above.height < beneath.top - y ? above : beneath;
  const stop = below(top + SAME);
  return { first: below(top - SAME), stop };
}

/**
 * Where each segment's label goes: above its first token, as wide as the next label on the line
 * allows; moved to the left where the line ends too soon and there is room.
 * @param {Box[]} boxes @param {number[]} starts first tokens of the segments
 * @param {number[]} wanted width each label would like @param {number} width of a line
 * @returns {Place[]}
 */
export function placeLabels(boxes, starts, wanted, width) {
  const gap = 5;
  /** @type {Place[]} */
  const places = [];
  starts.forEach((start, index) => {
    const box = boxes[start];
    const next = boxes[starts[index + 1]];
    const alone = !next || !sameLine(next.top, box.top);
    const before = boxes[starts[index - 1]];
    const taken =
      before && sameLine(before.top, box.top)
        ? places[index - 1].left + Math.min(wanted[index - 1], places[index - 1].width) + gap
        : 0;
    const end = alone ? width : next.left - gap;
    const left = alone ? Math.min(box.left, Math.max(taken, end - wanted[index])) : box.left;
    places.push({ left, width: Math.max(0, end - left) });
  });
  return places;
}

/** @param {number} a @param {number} b */
export function sameLine(a, b) {
  return Math.abs(a - b) < SAME;
}
