// @ts-check
/** One of the three pictures of a comparison: its cells, and what of them is under the pointer. */
import { hatch, paintable } from "./attention_picture.js";
import { makeTiles } from "./attention_tiles.js";
import { node, themeColor } from "./common.js";
import { fineValue } from "./heatmap.js";
import { Matrix } from "./matrix.js";
import { makeZoom } from "./matrix_zoom.js";
import { MASKED } from "./plot.js";
import { cellOf } from "./zoom.js";

/** @typedef {import("./heatmap.js").Part} Part */
/** @typedef {import("./heatmap.js").Shading} Shading */
/** @typedef {{query: number, key: number}} Place a token position on each side */

/**
 * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
 * @param {HTMLElement} parent @param {HTMLElement} el
 * @param {{name: string, index: number, me: string}} own what it is called, which of the three it
 * is, and what tells its questions from those of another page
 */
export function makePicture(scope, model, parent, el, { name, index, me }) {
  const element = node("div", `sv-compare-panel sv-compare-panel-${index}`);
  element.append(node("div", "sv-compare-name", {}, name));
  parent.append(element);
  const label = `Attention, ${name}, query down, key across`;
  const matrix = new Matrix(scope, element, el, label, paint, { zoomable: true });
  const zoom = makeZoom(scope, matrix, el);
  const arrived = () => matrix.imageSoon();
  const tiles = makeTiles(scope, model, `${me}-${index}`, arrived, { picture: index });
  /** @type {{all: Part, table: Uint8Array, maximum: number}|null} */ let given = null;
  /** @type {Shading} */ let shading;
  /** @type {WeakMap<Part, ReturnType<typeof paintable>>} */ let painters = new WeakMap();
  /** The part that is painted now. @type {Part|null} */ let shown = null;

  /** Other cells, from the message with this number.
   * @param {Part|null} all @param {Uint8Array} table @param {number} maximum @param {number} seq */
  function take(all, table, maximum, seq) {
    given = all && { all, table, maximum };
    shown = all;
    tiles.reset(seq);
  }

  /** Other colours for the same cells. @param {Shading} next */
  function shade(next) {
    shading = next;
    painters = new WeakMap();
    matrix.imageSoon();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height
   * @param {import("./zoom.js").Sight} sight */
  function paint(context, width, height, sight) {
    if (!given) return;
    const { all, table } = given;
    const { rows, columns } = matrix.axes;
    shown = tiles.tile(sight, Math.max(width, height), { rows, columns, factor: all.factor }) ?? all;
    hatch(context, width, height, width / matrix.box.width, themeColor(element, "--sv-hatch"));
    if (shading.hides && sight.column < shown.factor) {
      context.fillStyle = themeColor(element, "--sv-bg");
      const first = Math.round(((shown.factor - sight.column) * width) / sight.columns);
      context.fillRect(0, 0, first, height);
    }
    let painter = painters.get(shown);
    if (!painter) {
      painter = paintable(shown, shading, table);
      painters.set(shown, painter);
    }
    painter(context, width, height, sight);
  }

  /** Rows and columns of the painted cell at a place. @param {Place} place */
  function cellWith(place) {
    const { row, column } = inPart(place);
    const { rows, columns } = matrix.axes;
    const factor = shown?.factor ?? 1;
    return {
      rows: [row, Math.min(rows, row + factor)],
      columns: [column, Math.min(columns, column + factor)],
    };
  }

  /** What the cell at a place holds, about; null where it is masked. @param {Place} place */
  function valueAt(place) {
    if (!given || !shown) return null;
    const { row, column } = inPart(place);
    const [y, x] = [(row - shown.row) / shown.factor, (column - shown.column) / shown.factor];
    const byte = shown.data[y * shown.columns + x] ?? MASKED;
    return byte === MASKED ? null : fineValue(byte, shading.diverging, given.maximum);
  }

  /** @param {Place} place */
  function inPart({ query, key }) {
    const factor = shown?.factor ?? 1;
    return {
      row: Math.floor((query - matrix.down.first) / factor) * factor,
      column: Math.floor(Math.floor(cellOf(matrix.across, key)) / factor) * factor,
    };
  }

  return { element, matrix, zoom, take, shade, cellWith, valueAt };
}
