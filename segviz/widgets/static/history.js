// @ts-check
/** The history of the segments: what undo goes back to and redo comes forward to. Pure. */

/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {{past: Segment[][], present: Segment[], future: Segment[][]}} History */

/** How many steps are kept. */
export const STEPS = 200;

/** @param {Segment[]} present @returns {History} */
export function historyOf(present) {
  return { past: [], present, future: [] };
}

/**
 * A step forward. Where the edit goes on (`joined`: a key that is held, a drag in another view), it
 * is no step of its own.
 * @param {History} history @param {Segment[]} next @param {boolean} [joined]
 * @returns {History}
 */
export function recorded(history, next, joined = false) {
  if (sameSegments(history.present, next)) return history;
  if (joined && history.past.length) return { past: history.past, present: next, future: [] };
  return { past: [...history.past, history.present].slice(-STEPS), present: next, future: [] };
}

/**
 * A change from outside, such as from Python. One that leads back to the step before is an undo:
 * so it is when Python refuses an edit.
 * @param {History} history @param {Segment[]} next @param {boolean} [joined]
 * @returns {History}
 */
export function noted(history, next, joined = false) {
  const before = history.past[history.past.length - 1];
  if (!joined && before && sameSegments(before, next)) return undone(history);
  return recorded(history, next, joined);
}

/** @param {History} history @returns {History} */
export function undone(history) {
  const { past, present, future } = history;
  if (!past.length) return history;
  return {
    past: past.slice(0, -1),
    present: past[past.length - 1],
    future: [present, ...future],
  };
}

/** @param {History} history @returns {History} */
export function redone(history) {
  const { past, present, future } = history;
  if (!future.length) return history;
  return { past: [...past, present], present: future[0], future: future.slice(1) };
}

/** @param {Segment[]} one @param {Segment[]} other */
export function sameSegments(one, other) {
  return (
    one === other ||
    (one.length === other.length &&
      one.every(
        ({ start, stop, name, attention }, index) =>
          start === other[index].start &&
          stop === other[index].stop &&
          name === other[index].name &&
          attention === other[index].attention,
      ))
  );
}
