// @ts-check
/** The number under the pointer: from the byte that is painted at once, then exactly. */
import { makeQuestion } from "./attention_tiles.js";
import { cellText } from "./cell_text.js";
import { fineValue } from "./heatmap.js";
import { format, MASKED } from "./plot.js";
import { cellOf } from "./zoom.js";

/** @typedef {import("./attention_now.js").Now} Now */
/** @typedef {import("./attention_picture.js").Picture} Picture */
/** @typedef {import("./matrix.js").Cell} Cell */
/** @typedef {{seq: number, rows: number[], columns: number[], merged: boolean}} CellQuestion */
/** @typedef {{rows: number[], columns: number[], byte: number}} Painted */

/**
 * @param {import("./common.js").Scope} scope @param {Now} now @param {string} me
 * @param {() => void} arrived an exact number is there
 */
export function makeReading(scope, now, me, arrived) {
  /** @type {{question: CellQuestion, value: number|null}|null} */ let exact = null;
  /** @type {(question: CellQuestion) => void} */
  const ask = makeQuestion(scope, now.model, me, "value", (question, { value }) => {
    if (question.seq === now.picture?.seq) exact = { question, value };
    arrived();
  });

  /** The painted cell under the pointer: its rows and columns in the matrix.
   * @returns {Painted|null} */
  function painted() {
    const { matrix, part, hovered } = now;
    if (!hovered || !part || !now.picture) return null;
    const { rows, columns } = matrix.axes;
    /** @param {number} cell */
    const first = (cell) => Math.floor(Math.floor(cell) / part.factor) * part.factor;
    const row = first(cellOf(matrix.down, hovered.query));
    const column = first(cellOf(matrix.across, hovered.key));
    // The pointer may still be where a larger picture was.
    if (row >= rows || column >= columns) return null;
    const at = ((row - part.row) / part.factor) * part.columns + (column - part.column) / part.factor;
    return {
      rows: [row, Math.min(rows, row + part.factor)],
      columns: [column, Math.min(columns, column + part.factor)],
      byte: part.data[at],
    };
  }

  /** The painted cell under the pointer, with all that it stands for. @returns {Cell|null} */
  function cell() {
    const place = painted();
    if (!place) return now.hovered;
    const single = !now.matrix.axes.columnStarts && now.part?.factor === 1;
    return single ? now.hovered : now.positions(place);
  }

  /** @param {Picture} picture @param {Painted} place @returns {CellQuestion} */
  function questionFor(picture, place) {
    const { rows, columns } = place;
    // What the page has merged Python is asked about in positions, as of what came.
    if (picture.merged || !picture.columnStarts) {
      return { seq: picture.seq, rows, columns, merged: false };
    }
    const { query, queryStop, key, keyStop } = now.positions(place);
    return {
      seq: picture.seq,
      rows: [query - now.before, queryStop - now.before],
      columns: [now.hideFirst && key === 0 && keyStop > 1 ? 1 : key, keyStop],
      merged: true,
    };
  }

  /** What is under the pointer, in words and as a number; null where it is on nothing.
   * @returns {[string, string]|null} */
  function read() {
    const { picture } = now;
    const place = painted();
    if (!place || !picture) return null;
    const text = cellText(now.positions(place), now.tokens, now.segments);
    if (place.byte === MASKED) return [text, "masked"];
    const question = questionFor(picture, place);
    if (exact?.value != null && JSON.stringify(exact.question) === JSON.stringify(question)) {
      return [text, format(exact.value)];
    }
    ask(question);
    const value = fineValue(place.byte, picture.kind === "diverging", picture.maximum);
    return [text, `≈ ${format(value)}`];
  }

  return { cell, read };
}
