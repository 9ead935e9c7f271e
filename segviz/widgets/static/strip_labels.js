// @ts-check
/** The names of the segments above their first tokens: a click toggles, a double-click renames. */
import { colorClass, grow, isolated, node, setText } from "./common.js";
import { renameSegment, toggleAttention } from "./segments.js";

/** @typedef {import("./common.js").Scope} Scope */
/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {{left: number, top: number, width: number}} Place in pixels */
/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {import("./strip_editor.js").StripEditor} StripEditor */

/** How far above its token a label stands, in pixels. */
const ABOVE = 15;
/** Of the field in which a name is typed, in pixels; the same as in the style sheet. */
const WIDTH = 150;
const KINDS = { bidirectional: "⇄", causal: "→" };

/**
 * @param {Scope} scope @param {StripEditor} editor @param {HTMLElement} layer where they stand
 * @param {(message: string) => void} say
 */
export function makeLabels(scope, editor, layer, say) {
  /** @type {HTMLElement[]} */
  const labels = [];
  const input = makeInput(scope, {
    commit: (index, name) => {
      if (!editor.segments[index]) return;
      editor.edit(renameSegment(editor.segments, index, name));
      say(`the segment is called ${isolated(editor.segments[index].name)} now`);
    },
    left: () => opener?.focus({ preventScroll: true }),
  });
  layer.append(input.element);
  /** What had the focus before a name was typed. @type {HTMLElement|null} */
  let opener = null;

  /** @param {number} index @param {HTMLElement} from where the focus goes back to */
  function rename(index, from) {
    const segment = editor.segments[index];
    if (!segment) return;
    opener = from;
    input.open(index, segment.name);
  }

  /** @param {number} index */
  function makeLabel(index) {
    const label = node("button", "sv-label", { type: "button" });
    label.append(
      node("span", "sv-kind", { "aria-hidden": "true" }),
      node("span", "sv-name", { dir: "auto" }),
    );
    let before = editor.history;
    scope.dom(label, "click", (event) => {
      if (event.detail > 1) return; // the second click of a double-click toggles nothing
      before = editor.history;
      const next = toggleAttention(editor.segments, index);
      editor.edit(next, { patient: event.detail > 0 });
      say(`${isolated(next[index]?.name ?? "")} is ${next[index]?.attention} now`);
    });
    scope.dom(label, "dblclick", () => {
      editor.withdraw(before);
      rename(index, label);
    });
    scope.dom(label, "keydown", (event) => {
      if (event.key !== "F2" && event.key !== "Enter") return;
      rename(index, label);
      event.preventDefault();
      event.stopPropagation();
    });
    return label;
  }

  /** @param {{left: number, width: number}[]} room one for each segment @param {Box[]} boxes */
  function paint(room, boxes) {
    const { segments } = editor;
    const places = segments.map(({ start }, index) => ({
      ...room[index],
      top: boxes[start].top - ABOVE,
    }));
    grow(labels, layer, segments.length, makeLabel);
    segments.forEach((segment, index) => paintLabel(labels[index], segment, index, places[index]));
    input.place(places);
  }

  return { paint, rename };
}

/** @param {HTMLElement} label @param {Segment} segment @param {number} index
 * @param {Place} place */
function paintLabel(label, segment, index, { left, top, width }) {
  const other = segment.attention === "causal" ? "bidirectional" : "causal";
  const narrow = width < 34 ? " sv-narrow" : "";
  const className = `sv-label ${colorClass(index)} sv-${segment.attention}${narrow}`;
  if (label.className !== className) label.className = className;
  label.style.transform = `translate(${left}px, ${top}px)`;
  label.style.maxWidth = `${width}px`;
  setText(/** @type {HTMLElement} */ (label.firstChild), KINDS[segment.attention]);
  setText(/** @type {HTMLElement} */ (label.lastChild), segment.name);
  const title =
    `${isolated(segment.name)}: tokens ${segment.start} to ${segment.stop - 1}, ${segment.attention}. ` +
    `Click to make it ${other}; double-click, Enter or F2 to rename it.`;
  if (label.title === title) return;
  label.title = title;
  label.setAttribute("aria-label", title);
}

/**
 * The field a segment is renamed in: one for all.
 * @param {Scope} scope
 * @param {{commit: (index: number, name: string) => void, left: () => void}} actions
 */
function makeInput(scope, actions) {
  const element = /** @type {HTMLInputElement} */ (
    node("input", "sv-rename", { type: "text", dir: "auto", "aria-label": "Name of the segment" })
  );
  element.hidden = true;
  let index = -1;

  /** @param {boolean} commit @param {boolean} [back] whether the focus goes back to the label */
  function close(commit, back = false) {
    if (index < 0) return;
    const [at, name] = [index, element.value.trim()];
    index = -1;
    if (commit && name) actions.commit(at, name);
    if (back) actions.left();
    element.hidden = true;
  }
  scope.dom(element, "blur", () => close(true));
  scope.dom(element, "keydown", (event) => {
    event.stopPropagation();
    if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
    event.preventDefault();
    close(event.key === "Enter", true);
  });
  /** @type {Place[]} */ let standing = [];
  /** @param {Place[]} places where the labels are; the segment may be gone */
  function place(places) {
    standing = places;
    if (index >= places.length) close(false);
    if (index < 0) return;
    const { left, top } = places[index];
    const room = (element.parentElement?.clientWidth ?? WIDTH) - WIDTH;
    element.style.transform = `translate(${Math.max(0, Math.min(left, room))}px, ${Math.max(0, top - 2)}px)`;
  }
  return {
    element,
    place,
    /** @param {number} at @param {string} name */
    open: (at, name) => {
      index = at;
      element.value = name;
      element.hidden = false;
      place(standing);
      element.focus({ preventScroll: true });
      element.select();
    },
  };
}
