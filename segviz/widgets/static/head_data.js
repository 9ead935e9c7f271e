// @ts-check
/** What the head grid knows of the heads: their pictures and numbers, as Python sends them. */
import { bytes, onMessage } from "./common.js";
import { largest, pixelsOf } from "./heads.js";

/**
 * @typedef {{thumbnails: Uint8Array, size: number, scale: string, revision: number,
 *   values: Map<string, Float32Array>}} Layer
 */
/**
 * @typedef {{thumbnail: Uint8Array|null, size: number, diverging: boolean, colors: Uint32Array}}
 *   Picture
 */

/** How much is left of the colours of an earlier state. */
const DIMMED = 0.4;
const NO_COLORS = new Uint32Array(256);

export class HeadData {
  /**
   * @param {import("./common.js").Scope} scope @param {import("./common.js").Model} model
   * @param {(layer?: number) => void} changed which layer; none: all of them
   */
  constructor(scope, model, changed) {
    this.model = model;
    /** @type {Map<number, Layer>} */
    this.layers = new Map();
    /** @type {Record<string, {fresh: Uint32Array, old: Uint32Array}>} */
    this.tables = {};
    this.begun = -1;
    onMessage(scope, model, "grid", (content, arrays) => {
      this.begin(content, arrays);
      changed();
    });
    scope.model(model, "msg:custom", (content, buffers) => {
      const number = /^layer (\d+)$/.exec(content?.kind ?? "");
      if (!number) return;
      this.take(Number(number[1]), content, buffers.map(bytes));
      changed(Number(number[1]));
    });
  }

  get heads() {
    return Math.max(1, this.model.get("heads") ?? 1);
  }

  get kvHeads() {
    return this.model.get("kv_heads") ?? this.heads;
  }

  /** Number of heads in all layers. */
  get count() {
    return (this.model.get("layers") ?? 0) * this.heads;
  }

  /** @param {number} index a head, counted through all layers */
  at(index) {
    return { layer: Math.floor(index / this.heads), head: index % this.heads };
  }

  /** @param {any} content @param {Uint8Array[]} arrays */
  begin(content, arrays) {
    // The same again is a replay for another page.
    if (content.clear || content.seq !== this.begun) this.layers.clear();
    this.begun = content.seq ?? -1;
    if (!arrays.length) return;
    const [sequential, diverging] = arrays.map((table) => ({
      fresh: pixelsOf(table),
      old: pixelsOf(table, DIMMED),
    }));
    this.tables = { sequential, diverging };
  }

  /** @param {number} layer @param {any} content @param {Uint8Array[]} arrays */
  take(layer, content, [thumbnails, numbers]) {
    const [heads, size] = content.arrays[0].shape;
    const floats = new Float32Array(numbers.slice().buffer);
    const values = new Map(
      content.names.map((/** @type {string} */ name, /** @type {number} */ row) => [
        name,
        floats.subarray(row * heads, (row + 1) * heads),
      ]),
    );
    const { scale, revision } = content;
    this.layers.set(layer, { thumbnails, size, scale, revision, values });
  }

  /** Number of layers whose present state is known. */
  get known() {
    return [...this.layers.values()].filter((layer) => !this.outdated(layer)).length;
  }

  /** @param {Layer} layer */
  outdated(layer) {
    return Boolean(this.model.get("stale")) && layer.revision < this.model.get("revision");
  }

  /** NaN where it is not known. @param {number} index @param {string} name */
  valueOf(index, name) {
    const { layer, head } = this.at(index);
    return this.layers.get(layer)?.values.get(name)?.[head] ?? NaN;
  }

  /** The largest value of a summary among all heads. @param {string} name */
  most(name) {
    return largest(
      [...this.layers.values()].map((layer) => largest(layer.values.get(name) ?? [])),
    );
  }

  /** The one scale of all pictures, and its colours; null while there is none or a mixture. */
  get scale() {
    const scales = new Set([...this.layers.values()].map((layer) => layer.scale));
    const [only] = scales;
    if (scales.size !== 1 || !this.tables[only]) return null;
    return { diverging: only === "diverging", colors: this.tables[only].fresh };
  }

  /** @param {number} index @returns {Picture} */
  picture(index) {
    const { layer, head } = this.at(index);
    const held = this.layers.get(layer);
    if (!held) return { thumbnail: null, size: 0, diverging: false, colors: NO_COLORS };
    const { thumbnails, size, scale } = held;
    const colors = this.tables[scale]?.[this.outdated(held) ? "old" : "fresh"] ?? NO_COLORS;
    const cells = size * size;
    const thumbnail = thumbnails.subarray(head * cells, (head + 1) * cells);
    return { thumbnail, size, diverging: scale === "diverging", colors };
  }
}
