// @ts-check
/** The tokens of the strip as elements: their segment's colour, the pinned query's shades, marks. */
import { colorClass, node } from "./common.js";
import { shadeColors, shadesOf, UNSEEN } from "./strip_shade.js";

/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {import("./strip_shade.js").Shade} Shade */
/** @typedef {import("./strip_shade.js").Theme} Theme */

/** Of a token that has no shade, as no query is pinned. */
const PLAIN = -2;

/** There may be thousands: what is painted is remembered, and only what changes is touched. */
export class StripTokens {
  /** @param {HTMLElement} text where they stand, in front of everything else */
  constructor(text) {
    this.text = text;
    /** @type {HTMLElement[]} */
    this.elements = [];
    /** @type {Box[]} */
    this.boxes = [];
    /** @type {string[]} */
    this.classes = [];
    /** @type {number[]} */
    this.shades = [];
    /** What carries an attribute now, by its name. @type {Map<string, HTMLElement[]>} */
    this.marked = new Map();
  }

  /** @param {{labels: string[], special: number[]}} tokens @param {Segment[]} segments */
  build({ labels, special }, segments) {
    for (const element of this.elements) element.remove();
    const specials = new Set(special);
    this.elements = labels.map((label, index) => {
      const element = node("span", "", { "data-token": String(index) }, label);
      if (specials.has(index)) element.setAttribute("data-special", "true");
      return element;
    });
    this.classes = labels.map(() => "");
    this.shades = labels.map(() => PLAIN);
    this.marked.clear();
    this.boxes = [];
    this.paint(segments); // before they are measured: the class makes their shape
    this.text.prepend(...this.elements);
  }

  measure() {
    this.boxes = this.elements.map((element) => ({
      left: element.offsetLeft,
      top: element.offsetTop,
      width: element.offsetWidth,
      height: element.offsetHeight,
    }));
  }

  /** @param {Segment[]} segments */
  paint(segments) {
    segments.forEach((segment, index) => {
      const className = `sv-token ${colorClass(index)} sv-${segment.attention}`;
      const stop = Math.min(segment.stop, this.elements.length);
      for (let at = segment.start; at < stop; at++) {
        if (this.classes[at] === className) continue;
        this.classes[at] = className;
        this.elements[at].className = className;
      }
    });
  }

  /** @param {Shade|null} shade @param {Theme} theme */
  shade(shade, theme) {
    const shades = shade ? shadesOf(shade, this.elements.length) : null;
    /** @type {Map<number, {back: string, ink: string}>} */
    const colors = new Map();
    this.elements.forEach((element, at) => {
      const next = shades ? shades[at] : PLAIN;
      if (this.shades[at] === next) return;
      if (this.shades[at] === UNSEEN) element.removeAttribute("data-unseen");
      this.shades[at] = next;
      if (next === UNSEEN) element.setAttribute("data-unseen", "true");
      if (next >= 0 && !colors.has(next)) colors.set(next, shadeColors(next, theme));
      const { back, ink } = colors.get(next) ?? { back: "", ink: "" };
      element.style.background = back;
      element.style.color = ink;
    });
  }

  /** The theme changed: shades have other colours. */
  forgetShades() {
    this.shades = this.shades.map((shade) => (shade === PLAIN ? PLAIN : NaN));
  }

  /**
   * Tokens `[first, stop)` get an attribute, and no others.
   * @param {string} name @param {number|null} [first] @param {number|null} [stop]
   */
  mark(name, first, stop) {
    for (const element of this.marked.get(name) ?? []) element.removeAttribute(name);
    const from = first ?? 0;
    const next = this.elements.slice(from, first == null ? from : (stop ?? from + 1));
    for (const element of next) element.setAttribute(name, "true");
    this.marked.set(name, next);
  }
}
