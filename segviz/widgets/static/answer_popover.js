// @ts-check
/** The likeliest tokens in place of one, beside it, above everything else on the page. */
import { besides, chance } from "./answer_tokens.js";
import { grow, node, setText } from "./common.js";

/** @typedef {import("./answer_tokens.js").Place} Place */

let popovers = 0;

/**
 * @param {import("./common.js").Scope} scope @param {HTMLElement} root
 */
export function makePopover(scope, root) {
  const element = node("div", "sv-popover", {
    id: `sv-popover-${popovers++}`,
    role: "tooltip",
    // In the top layer no output area of a notebook cuts it off.
    popover: "manual",
  });
  element.hidden = true;
  const heading = node("div", "sv-popover-heading");
  const table = node("table", "sv-popover-table");
  const hint = node("div", "sv-hint", {}, "click or Enter picks it: an explorer shows what it attends to");
  element.append(heading, table, hint);
  root.append(element);
  /** @type {HTMLElement[]} */ const rows = [];
  /** @type {HTMLElement|null} */ let anchor = null;

  function place() {
    // A token that wraps has a box on each line, one of them maybe only its space.
    const lines = [...(anchor?.getClientRects() ?? [])];
    if (!lines.length) return hide();
    const line = lines.reduce((a, b) => (b.width > a.width ? b : a));
    const page = { width: document.documentElement.clientWidth, height: window.innerHeight };
    const { left, top } = besides(line, element.getBoundingClientRect(), page);
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
  }

  /** @param {HTMLElement} token @param {string} text @param {Place[]} places */
  function show(token, text, places) {
    if (anchor !== token) anchor?.removeAttribute("aria-describedby");
    anchor = token;
    setText(heading, text);
    const largest = Math.max(...places.map((one) => one.probability || 0), 1e-9);
    grow(rows, table, places.length, popoverRow);
    places.forEach((one, index) => fillPlace(rows[index], one, largest));
    if (element.hidden) {
      element.hidden = false;
      element.showPopover?.();
    }
    token.setAttribute("aria-describedby", element.id);
    place();
  }

  function hide() {
    anchor?.removeAttribute("aria-describedby");
    anchor = null;
    if (element.hidden) return;
    element.hidePopover?.();
    element.hidden = true;
  }

  const follow = scope.frame(() => anchor && place());
  scope.dom(window, "scroll", follow, { capture: true, passive: true });
  scope.dom(window, "resize", follow);
  return { show, hide, of: () => anchor };
}

function popoverRow() {
  const row = node("tr");
  const bar = node("td");
  bar.append(node("span", "sv-popover-bar"));
  row.append(node("th", "", { scope: "row" }), bar, node("td", "sv-popover-number"));
  return row;
}

/** @param {HTMLElement} row @param {Place} one @param {number} largest */
function fillPlace(row, one, largest) {
  const [label, bar, number] = /** @type {HTMLElement[]} */ ([...row.children]);
  row.dataset.chosen = String(one.chosen);
  label.dataset.special = String(one.special);
  setText(label, one.label);
  const share = Number.isNaN(one.probability) ? 0 : one.probability / largest;
  /** @type {HTMLElement} */ (bar.firstChild).style.width = `${(100 * share).toFixed(1)}%`;
  setText(number, chance(one.probability) + (one.chosen ? " ◂ chosen" : ""));
}
