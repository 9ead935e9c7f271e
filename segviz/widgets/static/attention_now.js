// @ts-check
/** What an attention view shows now: its picture, and what the reader has chosen. */
import { positionsOf } from "./zoom.js";

/** @typedef {import("./attention_picture.js").Picture} Picture */

export class Now {
  /** @param {import("./common.js").Model} model @param {import("./matrix.js").Matrix} matrix */
  constructor(model, matrix) {
    this.model = model;
    this.matrix = matrix;
    /** As it is drawn. @type {Picture|null} */
    this.picture = null;
    /** What of it is painted: all of it, or a tile in closer detail.
     * @type {import("./heatmap.js").Part|null} */
    this.part = null;
    /** Where the pointer is. @type {import("./matrix.js").Cell|null} */
    this.hovered = null;
  }

  /** @returns {import("./segments.js").Segment[]} */
  get segments() {
    return this.model.get("segments") ?? [];
  }

  /** @returns {import("./common.js").Tokens|null} */
  get tokens() {
    const tokens = this.model.get("tokens");
    return tokens?.labels.length ? tokens : null;
  }

  get hideFirst() {
    return Boolean(this.model.get("hide_first"));
  }

  /** @returns {import("./heatmap.js").Look} */
  get look() {
    return { scale: this.model.get("scale"), normalize: Boolean(this.model.get("normalize")) };
  }

  /** Token positions before the first query: where there are fewer of them, they are the last. */
  get before() {
    return this.picture ? this.picture.size[1] - this.picture.size[0] : 0;
  }

  /**
   * The positions of some cells of the matrix, `[first, stop]` of queries and of keys.
   * @param {{rows: number[], columns: number[]}} cells
   */
  positions({ rows, columns }) {
    const { down, across } = this.matrix;
    return {
      query: positionsOf(down, rows[0])[0],
      queryStop: positionsOf(down, rows[1] - 1)[1],
      key: positionsOf(across, columns[0])[0],
      keyStop: positionsOf(across, columns[1] - 1)[1],
    };
  }
}
