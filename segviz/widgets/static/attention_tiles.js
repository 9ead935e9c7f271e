// @ts-check
/** Details of a large pattern, asked from Python where the reader has zoomed in. */
import { float32, uint16 } from "./attention_picture.js";
import { bytes, onMessage, tell } from "./common.js";
import { unpack } from "./heatmap.js";

/** @typedef {import("./zoom.js").Sight} Sight */
/** @typedef {import("./heatmap.js").Part} Part */
/** @typedef {{rows: [number, number], columns: [number, number], factor: number}} Wanted */

/** Tiles that are kept; each is below 1 MB. */
const KEPT = 12;
/** Cells in sight on a side of a tile. */
const SIDE = 720;
/** How much a tile goes beyond what is in sight, on each side. */
const MARGIN = 0.14;
/** After so many milliseconds a question is lost. */
const PATIENCE = 5000;

/**
 * The tile for what is in sight: about a cell for a pixel, a little beyond the edges.
 * @param {Sight} sight @param {number} pixels of the plot's longer side
 * @param {number} rows @param {number} columns @returns {Wanted}
 */
export function tileFor(sight, pixels, rows, columns) {
  const span = Math.max(sight.rows, sight.columns);
  let factor = 1;
  while (2 * factor <= span / pixels || span / factor > SIDE) factor *= 2;
  /** @param {number} first @param {number} count @param {number} side @returns {[number, number]} */
  const part = (first, count, side) => [
    Math.max(0, Math.floor((first - MARGIN * count) / factor) * factor),
    Math.min(side, Math.ceil((first + (1 + MARGIN) * count) / factor) * factor),
  ];
  return {
    rows: part(sight.row, sight.rows, rows),
    columns: part(sight.column, sight.columns, columns),
    factor,
  };
}

/**
 * Whether a part shows all that is in sight, as closely as wanted.
 * @param {Part} part @param {Sight} sight @param {number} factor
 * @param {number} rows @param {number} columns of the matrix
 */
export function covers(part, sight, factor, rows, columns) {
  const slack = 1e-6;
  return (
    part.factor <= factor &&
    part.row <= sight.row + slack &&
    part.column <= sight.column + slack &&
    part.row + part.rows * part.factor >= Math.min(rows, sight.row + sight.rows) - slack &&
    part.column + part.columns * part.factor >=
      Math.min(columns, sight.column + sight.columns) - slack
  );
}

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {string} me tells this page's questions from those of another
 * @param {() => void} arrived @param {Record<string, any>} [more] that goes with each question
 */
export function makeTiles(scope, model, me, arrived, more = {}) {
  /** @type {Part[]} the one used last at the end */ let kept = [];
  /** @type {{id: string, since: number}|null} */ let asked = null;
  let seq = -1;
  let questions = 0;

  /** @param {number} number of the picture that is shown now */
  function reset(number) {
    seq = number;
    kept = [];
    asked = null;
  }

  /**
   * The tile to paint, if it is there; asks for it otherwise. One question at a time: when its
   * answer comes, the view asks about what is in sight then.
   * @param {Sight} sight @param {number} pixels
   * @param {{rows: number, columns: number, factor: number}} whole the matrix, and how closely the
   * page has all of it
   * @returns {Part|null}
   */
  function tile(sight, pixels, { rows, columns, factor }) {
    const wanted = tileFor(sight, pixels, rows, columns);
    if (wanted.factor >= factor || model.static) return null;
    const at = kept.findLastIndex((part) => covers(part, sight, wanted.factor, rows, columns));
    if (at >= 0) {
      const [found] = kept.splice(at, 1);
      kept.push(found);
      return found;
    }
    if (!asked || performance.now() - asked.since > PATIENCE) {
      asked = { id: `${me}-tile-${questions++}`, since: performance.now() };
      tell(model, { kind: "tile", id: asked.id, seq, ...wanted, ...more });
    }
    // Less close, but closer than the whole, until it is there.
    return kept.findLast((part) => covers(part, sight, factor / 2, rows, columns)) ?? null;
  }

  onMessage(scope, model, "tile", (content, [spans, packed, peaks]) => {
    if (!asked || content.id !== asked.id) return;
    asked = null;
    const [rows, columns] = content.shape;
    kept.push({
      data: unpack(uint16(spans), packed, rows, columns),
      rows,
      columns,
      row: content.rows[0],
      column: content.columns[0],
      factor: content.factor,
      peaks: peaks ?? null,
    });
    if (kept.length > KEPT) kept.shift();
    arrived();
  });
  return { tile, reset };
}

/**
 * Exact numbers: of the cell under the pointer, or of the pinned query's row. One question at a
 * time; the next is about what is wanted then.
 * @template {{seq: number}} Question
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {string} me @param {"value"|"row"} kind
 * @param {(question: Question, answer: {value: number|null, values: Float32Array|null}) => void} told
 */
export function makeQuestion(scope, model, me, kind, told) {
  /** @type {{id: string, since: number, question: Question}|null} */ let asked = null;
  let questions = 0;
  scope.model(model, "msg:custom", (content, buffers) => {
    if (content?.kind !== kind || !asked || content.id !== asked.id) return;
    const { question } = asked;
    asked = null;
    const [buffer] = buffers ?? [];
    told(question, { value: content.value ?? null, values: buffer ? float32(bytes(buffer)) : null });
  });
  /** @param {Question} question */
  return (question) => {
    const waiting =
      asked && asked.question.seq === question.seq && performance.now() - asked.since < PATIENCE;
    if (model.static || waiting) return;
    asked = { id: `${me}-${kind}-${questions++}`, since: performance.now(), question };
    tell(model, { kind, id: asked.id, ...question });
  };
}
