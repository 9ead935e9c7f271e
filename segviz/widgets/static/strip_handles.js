// @ts-check
/** The handles at the boundaries: dragged, moved by keys, merged. */
import { colorClass, grow, isolated, node } from "./common.js";
import { boundaryAt } from "./geometry.js";
import { mergeAt, moveBoundary, totalLength } from "./segments.js";

/** @typedef {import("./common.js").Scope} Scope */
/** @typedef {import("./geometry.js").Box} Box */
/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {import("./strip_editor.js").StripEditor} StripEditor */

/** A click that split a segment put a handle under the pointer: its second half merges nothing. */
const SETTLED = 500;
/** How far left of the boundary a handle begins, in pixels: where its bar is in the style sheet. */
const BEFORE = 3;

/**
 * @param {Scope} scope @param {StripEditor} editor
 * @param {{root: HTMLElement, text: HTMLElement, layer: HTMLElement, boxes: () => Box[],
 *   say: (message: string) => void}} strip
 */
export function makeHandles(scope, editor, { root, text, layer, boxes, say }) {
  /** @type {HTMLElement[]} */
  const handles = [];
  /** `x`, `y`: where the boundary is wanted. `off`: how far from it the handle was taken.
   * @type {{index: number, pointer: number, base: Segment[], x: number, y: number, off: number}|null} */
  let drag = null;
  let splitTime = 0;
  const scrollOn = scope.frame(scroll);
  // Python waits for the end of a drag: a view that goes ends it.
  scope.undo.push(() => endDrag());

  /** @param {number} index */
  function makeHandle(index) {
    const handle = node("div", "sv-handle", {
      tabindex: "0",
      role: "slider",
      "aria-orientation": "horizontal",
      title: "Drag to move the boundary; arrow keys move it, Delete or a double-click merges",
    });
    scope.dom(handle, "pointerdown", (event) => {
      if (event.button !== 0 || drag) return;
      handle.setPointerCapture(event.pointerId);
      handle.focus({ preventScroll: true });
      event.preventDefault();
      const { clientX, clientY: y, pointerId: pointer } = event;
      const off = clientX - handle.getBoundingClientRect().left - BEFORE;
      drag = { index, pointer, base: editor.segments, x: clientX - off, y, off };
      root.classList.add("sv-dragging");
      handle.classList.add("sv-active");
      editor.hold();
    });
    scope.dom(handle, "pointermove", (event) => {
      if (drag?.index !== index || drag.pointer !== event.pointerId) return;
      drag.x = event.clientX - drag.off;
      drag.y = event.clientY;
      follow();
      scrollOn();
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      scope.dom(handle, name, (event) => {
        if (drag?.index === index && drag.pointer === event.pointerId) endDrag();
      });
    }
    scope.dom(handle, "dblclick", () => {
      if (performance.now() - splitTime > SETTLED) merge(index);
    });
    scope.dom(handle, "keydown", (event) => {
      if (!handleKey(event, index)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    return handle;
  }

  /** The boundary goes where the pointer is. */
  function follow() {
    if (!drag) return;
    const frame = text.getBoundingClientRect();
    const x = drag.x - frame.left - text.clientLeft + text.scrollLeft;
    const y = drag.y - frame.top - text.clientTop + text.scrollTop;
    editor.edit(moveBoundary(drag.base, drag.index, boundaryAt(boxes(), x, y)));
  }

  /** Scrolls while the pointer is held above or below the tokens, faster further away. */
  function scroll() {
    if (!drag) return;
    const frame = text.getBoundingClientRect();
    const beyond = Math.max(0, drag.y - frame.bottom) - Math.max(0, frame.top - drag.y);
    const before = text.scrollTop;
    if (beyond) text.scrollTop += Math.sign(beyond) * Math.min(90, 4 + Math.abs(beyond) / 3);
    if (text.scrollTop === before) return;
    follow();
    scrollOn();
  }

  /** @param {boolean} [cancelled] */
  function endDrag(cancelled = false) {
    if (!drag) return;
    const { index, base } = drag;
    drag = null;
    root.classList.remove("sv-dragging");
    handles[index].classList.remove("sv-active");
    if (cancelled) editor.edit(base);
    editor.release();
    const after = editor.segments[index + 1];
    if (after) say(`${isolated(after.name)} starts at token ${after.start} now`);
  }

  /** @param {number} index */
  function merge(index) {
    const current = editor.segments;
    const next = mergeAt(current, index);
    if (next === current) return;
    editor.edit(next);
    const [first, second] = current.slice(index).map(({ name }) => isolated(name));
    say(`${first} and ${second} are merged`);
    if (next.length > 1) handles[Math.min(index, next.length - 2)].focus({ preventScroll: true });
    else text.focus({ preventScroll: true });
  }

  /** Whether the key was for the handle. @param {KeyboardEvent} event @param {number} index */
  function handleKey(event, index) {
    if (drag) {
      if (event.key === "Escape") endDrag(true);
      return true;
    }
    const after = editor.segments[index + 1];
    if (!after || event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = event.shiftKey ? 10 : 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: after.start - step,
      ArrowRight: after.start + step,
      ArrowUp: after.start - step,
      ArrowDown: after.start + step,
      Home: 0,
      End: totalLength(editor.segments),
    };
    if (event.key in targets) {
      const next = moveBoundary(editor.segments, index, targets[event.key]);
      editor.edit(next, { joined: event.repeat });
    } else if (event.key === "Delete" || event.key === "Backspace") merge(index);
    else return false;
    return true;
  }

  function paint() {
    const current = editor.segments;
    grow(handles, layer, current.length - 1, makeHandle);
    const places = boxes();
    for (let index = 1; index < current.length; index++) {
      const token = editor.labels[current[index].start] ?? "";
      const active = drag?.index === index - 1;
      paintHandle(handles[index - 1], current, index, places[current[index].start], token, active);
    }
  }

  return {
    paint,
    merge,
    endDrag,
    /** Whether a handle is held. */
    dragging: () => drag !== null,
    /** A split was just made by the pointer. */
    splitMade: () => {
      splitTime = performance.now();
    },
  };
}

/** @param {HTMLElement} handle @param {Segment[]} segments @param {number} index of the one behind
 * @param {Box} box @param {string} token @param {boolean} active */
function paintHandle(handle, segments, index, box, token, active) {
  const [before, after] = [segments[index - 1], segments[index]];
  const className = `sv-handle ${colorClass(index)}${active ? " sv-active" : ""}`;
  if (handle.className !== className) handle.className = className;
  handle.style.transform = `translate(${box.left - BEFORE}px, ${box.top - 3}px)`;
  handle.style.height = `${box.height + 6}px`;
  /** @type {Record<string, string>} */
  const attributes = {
    "aria-label": `Boundary between ${isolated(before.name)} and ${isolated(after.name)}`,
    "aria-valuemin": String(before.start + 1),
    "aria-valuemax": String(after.stop - 1),
    "aria-valuenow": String(after.start),
    "aria-valuetext": `before token ${after.start}, ${isolated(token)}`,
  };
  for (const [name, value] of Object.entries(attributes)) {
    if (handle.getAttribute(name) !== value) handle.setAttribute(name, value);
  }
}
