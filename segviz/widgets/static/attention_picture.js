// @ts-check
/** What the attention view shows: cells from Python, merged here where the page has all of them. */
import { pixel } from "./common.js";
import { mergedPart, pooledSight, shades, unpack } from "./heatmap.js";

/** @typedef {import("./heatmap.js").Part} Part */
/** @typedef {import("./zoom.js").Sight} Sight */
/**
 * @typedef {{all: Part, base: Part, merged: string|null, rowStarts: ArrayLike<number>|null,
 *   columnStarts: ArrayLike<number>|null, size: [number, number], table: Uint8Array,
 *   words: number[]|null, kind: string, maximum: number, end: number, title: string, seq: number}} Picture
 * `base`: as it came; `all`: as it is drawn, from `base` or merged from it. `merged` is what came
 * merged from Python. `maximum` belongs to the bytes of `all`, `end` to those of `base`.
 */

/**
 * @param {any} content @param {Uint8Array[]} arrays spans, bytes, colours, and of what Python has
 * merged the first positions of rows and columns
 * @returns {Picture}
 */
export function pictureOf(content, [spans, packed, table, ...starts]) {
  const [rows, columns] = content.shape;
  const data = unpack(uint16(spans), packed, rows, columns);
  const base = { data, rows, columns, row: 0, column: 0, factor: content.factor, peaks: null };
  const [rowStarts, columnStarts] = starts.map(int32);
  return {
    ...content,
    kind: content.scale,
    base,
    all: base,
    table,
    end: content.maximum,
    rowStarts: rowStarts ?? null,
    columnStarts: columnStarts ?? null,
  };
}

/** Whether the page has every cell and merges by itself. @param {Picture} picture */
export function hasAll(picture) {
  return picture.base.factor === 1 && !picture.merged;
}

/**
 * The picture with words or segments in place of tokens, or back to tokens.
 * @param {Picture} picture @param {string} merge
 * @param {import("./segments.js").Segment[]} segments @param {boolean} hideFirst
 * @returns {Picture}
 */
export function mergedPicture(picture, merge, segments, hideFirst) {
  if (!hasAll(picture)) return picture;
  const starts = startsOf(picture, merge, segments);
  if (!starts) {
    return {
      ...picture,
      all: picture.base,
      maximum: picture.end,
      rowStarts: null,
      columnStarts: null,
    };
  }
  const first = Math.max(0, picture.size[1] - picture.size[0]);
  const rowStarts = [first, ...starts.filter((start) => start > first)];
  const { part, maximum } = mergedPart(
    picture.base,
    picture.kind === "diverging",
    picture.end,
    rowStarts.map((start) => start - first),
    starts,
    hideFirst,
  );
  return { ...picture, all: part, maximum, rowStarts, columnStarts: starts };
}

/**
 * First positions of the groups; null where there is nothing to merge. Words end at borders, too.
 * @param {Picture} picture @param {string} merge
 * @param {import("./segments.js").Segment[]} segments
 */
function startsOf(picture, merge, segments) {
  const borders = segments.map((segment) => segment.start).filter((at) => at < picture.size[1]);
  if (merge === "segments" && borders.length) return borders;
  if (merge !== "words" || !picture.words) return null;
  return [...new Set([...picture.words, ...borders])].sort((a, b) => a - b);
}

/**
 * A part in colours, ready to be painted wherever it is in sight.
 * @param {Part} part @param {import("./heatmap.js").Shading} shading @param {Uint8Array} table
 */
export function paintable(part, shading, table) {
  const shaded = shades(part, shading);
  const colors = new Uint32Array(256);
  for (let byte = 1; byte < 256; byte++) {
    const [r, g, b] = table.subarray(3 * byte, 3 * byte + 3);
    colors[byte] = pixel(r, g, b);
  }
  /** @type {OffscreenCanvas|null} */ let whole = null;
  /** @param {Uint8Array} data @param {number} rows @param {number} columns */
  const canvasOf = (data, rows, columns) => {
    const pixels = new Uint32Array(data.length);
    for (let index = 0; index < data.length; index++) pixels[index] = colors[data[index]];
    const canvas = new OffscreenCanvas(columns, rows);
    canvas
      .getContext("2d")
      ?.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), columns, rows), 0, 0);
    return canvas;
  };

  /**
   * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height
   * @param {Sight} sight in cells of the matrix
   */
  return function paint(context, width, height, sight) {
    const { factor, rows, columns } = part;
    const own = {
      row: (sight.row - part.row) / factor,
      column: (sight.column - part.column) / factor,
      rows: sight.rows / factor,
      columns: sight.columns / factor,
    };
    if (own.rows > height || own.columns > width) {
      const { diverging } = shading;
      const [high, wide] = [
        Math.min(height, Math.ceil(own.rows)),
        Math.min(width, Math.ceil(own.columns)),
      ];
      const data = pooledSight(shaded, rows, columns, own, high, wide, diverging);
      context.drawImage(canvasOf(data, high, wide), 0, 0, width, height);
      return;
    }
    whole ??= canvasOf(shaded, rows, columns);
    const { row, column, rows: high, columns: wide } = own;
    context.drawImage(whole, column, row, wide, high, 0, 0, width, height);
  };
}

/**
 * The ground of the plot: lines that slant.
 * @param {CanvasRenderingContext2D} context @param {number} width @param {number} height
 * @param {number} ratio device pixels to a pixel of the page @param {string} color
 */
export function hatch(context, width, height, ratio, color) {
  context.strokeStyle = color;
  context.lineWidth = ratio;
  context.beginPath();
  for (let at = -height; at < width; at += 6 * ratio) {
    context.moveTo(at, height);
    context.lineTo(at + height, 0);
  }
  context.stroke();
}

/** A copy: a view of the buffer may not be aligned. @param {Uint8Array} bytes */
export function uint16(bytes) {
  return new Uint16Array(bytes.slice().buffer);
}

/** @param {Uint8Array} bytes */
export function int32(bytes) {
  return new Int32Array(bytes.slice().buffer);
}

/** @param {Uint8Array} bytes */
export function float32(bytes) {
  return new Float32Array(bytes.slice().buffer);
}
