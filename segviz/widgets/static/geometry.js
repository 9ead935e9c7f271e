// @ts-check
/** Where things are in the token strip. Pure. */

/** @typedef {{left: number, top: number, width: number, height: number}} Box */

/**
 * The boundary position (before which token) that is nearest to a point. The line is chosen first,
 * so that a drag across wrapped lines follows the pointer.
 * @param {Box[]} boxes one per token, in reading order @param {number} x @param {number} y
 */
export function boundaryAt(boxes, x, y) {
  let line = -1;
  let distance = Infinity;
  boxes.forEach((box, index) => {
    const away = Math.max(box.top - y, y - (box.top + box.height), 0);
    if (away < distance) {
      distance = away;
      line = index;
    }
  });
  if (line < 0) return 0;
  const top = boxes[line].top;
  let nearest = line;
  let gap = Infinity;
  for (let index = line; index < boxes.length && sameLine(boxes[index].top, top); index++) {
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
 * Where each segment's label goes: above its first token, as wide as the next label on the line
 * allows; moved to the left where the line ends too soon and there is room.
 * @param {Box[]} boxes @param {number[]} starts first tokens of the segments
 * @param {number[]} wanted width each label would like @param {number} width of a line
 * @returns {{left: number, width: number}[]}
 */
export function placeLabels(boxes, starts, wanted, width) {
  const gap = 5;
  /** @type {{left: number, width: number}[]} */
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
  return Math.abs(a - b) < 3;
}
