// @ts-check
/** Above the lines of the head grid: the heads' numbers, bracketed by KV head. */
import { grow, node, setText } from "./common.js";

/** @param {HTMLElement} scroller */
export function makeHeadings(scroller) {
  // Every cell says its head and KV head itself: spoken, this would be said twice.
  const element = node("div", "sv-heads-headings", { "aria-hidden": "true" });
  const corner = node("div", "sv-heads-layer sv-heads-corner");
  const strip = node("div", "sv-heads-strip");
  element.append(corner, strip);
  scroller.append(element);
  /** @type {HTMLElement[]} */ const groups = [];
  /** @type {HTMLElement[]} */ const numbers = [];

  /** @param {{natural: boolean, cell: number, lefts: number[], width: number}} plan
   * @param {number} perGroup query heads of a KV head */
  const show = ({ natural, cell, lefts, width }, perGroup) => {
    element.hidden = !natural;
    if (!natural) return;
    const grouped = perGroup > 1;
    element.classList.toggle("sv-heads-grouped", grouped);
    setText(corner, "head");
    strip.style.width = `${width}px`;
    grow(groups, strip, grouped ? lefts.length / perGroup : 0, () => node("div", "sv-heads-group"));
    grow(numbers, strip, lefts.length, () => node("div", "sv-heads-number"));
    groups.slice(0, grouped ? lefts.length / perGroup : 0).forEach((group, index) => {
      const left = lefts[index * perGroup];
      group.style.left = `${left}px`;
      group.style.width = `${lefts[(index + 1) * perGroup - 1] + cell - left}px`;
      setText(group, `KV ${index}`);
    });
    lefts.forEach((left, head) => {
      numbers[head].style.left = `${left}px`;
      numbers[head].style.width = `${cell}px`;
      setText(numbers[head], String(head));
    });
  };
  return { element, show };
}
