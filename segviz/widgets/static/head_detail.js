// @ts-check
/** Beside the head grid: one head enlarged, with its numbers; and what the colours mean. */
import { node, setText } from "./common.js";
import { amount, shareGradient, SUMMARIES } from "./heads.js";

/**
 * @typedef {{title: string, hint: string, note: string, thumbnail: Uint8Array|null, size: number,
 *   colors: Uint32Array, valueOf: (name: string) => number}} Detail
 */

/** One head, enlarged, and all that is known of it. @param {HTMLElement} parent */
export function makeDetail(parent) {
  const element = node("div", "sv-heads-detail", { role: "group", "aria-label": "one head" });
  const frame = node("div", "sv-heads-enlarged");
  const canvas = /** @type {HTMLCanvasElement} */ (node("canvas", "", { "aria-hidden": "true" }));
  const waiting = node("span", "sv-hint", {}, "not computed yet");
  frame.append(canvas, waiting);
  const text = node("div", "sv-heads-about");
  const title = node("span", "sv-heads-title");
  const hint = node("span", "sv-hint");
  const heading = node("div", "sv-heads-heading");
  heading.append(title, hint);
  const list = node("dl", "sv-heads-numbers");
  const rows = SUMMARIES.map((summary) => {
    const row = node("div", "", { title: summary.about });
    const value = node("dd");
    row.append(node("dt", "", {}, summary.name), value);
    list.append(row);
    return { ...summary, row, value };
  });
  const note = node("div", "sv-hint");
  text.append(heading, list, note);
  element.append(frame, text);
  parent.append(element);

  /** @param {Detail} detail */
  const show = (detail) => {
    setText(title, detail.title);
    setText(hint, detail.hint);
    setText(note, detail.note);
    for (const { name, unit, row, value } of rows) {
      const number = detail.valueOf(name);
      row.hidden = Number.isNaN(number);
      setText(value, unitless(unit) ? amount(number) : `${amount(number)} ${unit}`);
    }
    waiting.hidden = detail.thumbnail !== null;
    canvas.hidden = detail.thumbnail === null;
    if (detail.thumbnail) enlarge(canvas, detail.thumbnail, detail.size, detail.colors);
  };
  return { element, show };
}

/** Shares and probabilities go from 0 to 1; that needs no word behind each of them.
 * @param {string} unit */
function unitless(unit) {
  return unit !== "nats" && unit !== "tokens";
}

/** @param {HTMLCanvasElement} canvas @param {Uint8Array} thumbnail @param {number} size
 * @param {Uint32Array} colors */
function enlarge(canvas, thumbnail, size, colors) {
  canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.forEach((_, index) => (pixels[index] = colors[thumbnail[index]]));
  canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/** What the pictures show: one square-root scale for all heads. */
export function makeScaleLegend() {
  const element = node("span", "sv-heads-legend");
  const low = node("span");
  const high = node("span");
  const name = node("span");
  const canvas = /** @type {HTMLCanvasElement} */ (node("canvas", "", { "aria-hidden": "true" }));
  canvas.width = 256;
  canvas.height = 1;
  element.append(name, low, canvas, high);
  /** @param {{diverging: boolean, colors: Uint32Array}|null} scale */
  const show = (scale) => {
    element.hidden = scale === null;
    if (!scale) return;
    const { diverging, colors } = scale;
    setText(name, diverging ? "segment − causal" : "attention");
    setText(low, diverging ? "−1" : "0");
    setText(high, "1");
    element.title = `square-root scale, the same for all heads; each pixel is the ${
      diverging ? "cell furthest from 0" : "largest cell"
    } of those it stands for`;
    const image = new ImageData(256, 1);
    new Uint32Array(image.data.buffer).set(colors);
    canvas.getContext("2d")?.putImageData(image, 0, 0);
  };
  return { element, show };
}

/** What the bars mean: a range, and its unit. */
export function makeShareLegend() {
  const element = node("span", "sv-heads-legend sv-heads-legend-bar");
  const low = node("span", "", {}, "0");
  const bar = node("span", "sv-heads-shares");
  const high = node("span");
  element.append(low, bar, high);
  /** @param {import("./heads.js").Summary|undefined} summary @param {number} most
   * @param {string} theme */
  const show = (summary, most, theme) => {
    element.hidden = !summary || Number.isNaN(most);
    if (!summary) return;
    element.title = `${summary.name}: ${summary.about}`;
    bar.style.background = shareGradient(theme);
    setText(high, `${amount(most)} (${summary.unit})`);
  };
  return { element, show };
}
