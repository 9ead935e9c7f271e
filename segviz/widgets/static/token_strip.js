// @ts-check
/** The prompt as running text, coloured by segment, with a handle at every boundary. */
import { colorClass, grow, mount, node, save, setText, tell, tellHover } from "./common.js";
import { boundaryAt, placeLabels } from "./geometry.js";
import {
  canSplit,
  mergeAt,
  moveBoundary,
  segmentAt,
  splitAt,
  toggleAttention,
  totalLength,
} from "./segments.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./segments.js").Segment} Segment */

const KINDS = { bidirectional: "⇄", causal: "→" };

/** @param {{model: Model, el: HTMLElement}} context */
function renderStrip({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-strip");
  const heading = node("div", "sv-heading", {}, "Segments");
  const hint = node(
    "span",
    "sv-hint",
    {},
    "drag a handle · click a token: split · double-click a handle: merge · click a name: ⇄ / → causal",
  );
  hint.title = `${hint.textContent}: ⇄ sees both ways, → only backwards`;
  heading.append(hint);
  const text = node("div", "sv-text", {
    tabindex: "0",
    role: "group",
    "aria-label": "Tokens of the prompt. Arrow keys choose a token, Enter splits before it.",
  });
  const spoken = node("div", "sv-spoken", { "aria-live": "polite" });
  body.append(heading, text, spoken);

  /** @type {HTMLElement[]} */ let tokens = [];
  /** @type {HTMLElement[]} */ const labels = [];
  /** @type {HTMLElement[]} */ const handles = [];
  /** @type {import("./geometry.js").Box[]} */ let boxes = [];
  /** @type {{index: number, pointer: number, base: Segment[]}|null} */ let drag = null;
  let caret = -1;
  let splitTime = 0;

  /** @returns {Segment[]} */
  const segments = () => model.get("segments") ?? [];
  /** @returns {string[]} */
  const texts = () => model.get("tokens")?.labels ?? [];

  const saveSoon = scope.frame(() => save(model));
  const repaint = scope.frame(paint);
  const remeasure = scope.frame(() => {
    measure();
    paint();
  });

  /** @param {Segment[]} next @param {string} [message] */
  function edit(next, message) {
    if (next === segments()) return;
    model.set("segments", next);
    saveSoon();
    if (message) setText(spoken, message);
  }

  function build() {
    if (drag) endDrag();
    for (const token of tokens) token.remove();
    const { labels: names = [], special = [] } = model.get("tokens") ?? {};
    const specials = new Set(special);
    tokens = names.map((/** @type {string} */ name, /** @type {number} */ index) =>
      node(
        "span",
        "",
        { "data-token": String(index), "data-special": String(specials.has(index)) },
        name,
      ),
    );
    text.prepend(...tokens);
    caret = -1;
    measure();
    paint();
  }

  function measure() {
    boxes = tokens.map((token) => ({
      left: token.offsetLeft,
      top: token.offsetTop,
      width: token.offsetWidth,
      height: token.offsetHeight,
    }));
  }

  function paint() {
    const current = segments();
    if (totalLength(current) !== tokens.length) return;
    current.forEach((segment, index) => {
      const name = `sv-token ${colorClass(index)} sv-${segment.attention}`;
      for (let at = segment.start; at < segment.stop; at++) {
        if (tokens[at].className !== name) tokens[at].className = name;
      }
    });
    const places = placeLabels(
      boxes,
      current.map((segment) => segment.start),
      current.map((segment) => 20 + 6.6 * segment.name.length),
      text.clientWidth - 4,
    );
    grow(labels, text, current.length, makeLabel);
    grow(handles, text, current.length - 1, makeHandle);
    current.forEach((segment, index) => {
      const box = boxes[segment.start];
      paintLabel(labels[index], segment, index, box.top, places[index]);
      if (index > 0) paintHandle(handles[index - 1], current, index - 1, box);
    });
  }

  /** @param {HTMLElement} label @param {Segment} segment @param {number} index
   * @param {number} top @param {{left: number, width: number}} place */
  function paintLabel(label, segment, index, top, { left, width }) {
    const other = segment.attention === "causal" ? "bidirectional" : "causal";
    label.className = `sv-label ${colorClass(index)} sv-${segment.attention}`;
    label.style.transform = `translate(${left}px, ${top - 15}px)`;
    label.style.maxWidth = `${width}px`;
    label.classList.toggle("sv-narrow", width < 34);
    setText(/** @type {HTMLElement} */ (label.firstChild), KINDS[segment.attention]);
    setText(/** @type {HTMLElement} */ (label.lastChild), segment.name);
    label.title = `${segment.name}: tokens ${segment.start} to ${segment.stop - 1}, ${segment.attention}. Click to make it ${other}.`;
    label.setAttribute("aria-label", label.title);
  }

  /** @param {HTMLElement} handle @param {Segment[]} current @param {number} index
   * @param {import("./geometry.js").Box} box */
  function paintHandle(handle, current, index, box) {
    const [before, after] = [current[index], current[index + 1]];
    handle.className = `sv-handle ${colorClass(index + 1)}${drag?.index === index ? " sv-active" : ""}`;
    handle.style.transform = `translate(${box.left - 7}px, ${box.top - 3}px)`;
    handle.style.height = `${box.height + 6}px`;
    handle.setAttribute("aria-label", `Boundary between ${before.name} and ${after.name}`);
    handle.setAttribute("aria-valuemin", String(before.start + 1));
    handle.setAttribute("aria-valuemax", String(after.stop - 1));
    handle.setAttribute("aria-valuenow", String(after.start));
    handle.setAttribute(
      "aria-valuetext",
      `before token ${after.start}, ${texts()[after.start] ?? ""}`,
    );
  }

  /** @param {number} index */
  function makeLabel(index) {
    const label = node("button", "sv-label", { type: "button" });
    label.append(node("span", "sv-kind", { "aria-hidden": "true" }), node("span", "sv-name"));
    scope.dom(label, "click", () => {
      const next = toggleAttention(segments(), index);
      edit(next, `${next[index]?.name} is ${next[index]?.attention} now`);
    });
    return label;
  }

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
      drag = { index, pointer: event.pointerId, base: segments() };
      root.classList.add("sv-dragging");
      model.set("dragging", true);
      saveSoon();
      repaint();
    });
    scope.dom(handle, "pointermove", (event) => {
      if (drag?.index !== index || drag.pointer !== event.pointerId) return;
      follow(event.clientX, event.clientY);
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      scope.dom(handle, name, (event) => {
        if (drag?.index === index && drag.pointer === event.pointerId) endDrag();
      });
    }
    scope.dom(handle, "dblclick", () => {
      if (performance.now() - splitTime > 500) merge(index);
    });
    scope.dom(handle, "keydown", (event) => handleKey(event, index));
    return handle;
  }

  /** @param {number} clientX @param {number} clientY */
  function follow(clientX, clientY) {
    if (!drag) return;
    const frame = text.getBoundingClientRect();
    if (clientY > frame.bottom) text.scrollTop += 8;
    if (clientY < frame.top) text.scrollTop -= 8;
    const x = clientX - frame.left - text.clientLeft + text.scrollLeft;
    const y = clientY - frame.top - text.clientTop + text.scrollTop;
    const next = moveBoundary(drag.base, drag.index, boundaryAt(boxes, x, y));
    const old = segments()[drag.index];
    if (old?.stop !== next[drag.index].stop) edit(next);
  }

  function endDrag() {
    if (!drag) return;
    const { index } = drag;
    drag = null;
    root.classList.remove("sv-dragging");
    model.set("dragging", false);
    save(model);
    const after = segments()[index + 1];
    if (after) setText(spoken, `${after.name} starts at token ${after.start} now`);
    repaint();
  }

  /** @param {number} index */
  function merge(index) {
    const current = segments();
    const next = mergeAt(current, index);
    if (next === current) return;
    edit(next, `${current[index].name} and ${current[index + 1].name} are merged`);
    if (next.length - 1 > 0) handles[Math.min(index, next.length - 2)].focus();
    else text.focus();
  }

  /** @param {KeyboardEvent} event @param {number} index */
  function handleKey(event, index) {
    const after = segments()[index + 1];
    if (!after || drag) return;
    const step = event.shiftKey ? 10 : 1;
    /** @type {Record<string, number>} */
    const targets = {
      ArrowLeft: after.start - step,
      ArrowRight: after.start + step,
      ArrowUp: after.start - step,
      ArrowDown: after.start + step,
      Home: 0,
      End: totalLength(segments()),
    };
    if (event.key in targets) edit(moveBoundary(segments(), index, targets[event.key]));
    else if (event.key === "Delete" || event.key === "Backspace") merge(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {number} position */
  function split(position) {
    const current = segments();
    if (!canSplit(current, position)) return;
    splitTime = performance.now();
    edit(
      splitAt(current, position),
      `${current[segmentAt(current, position)].name} is split before token ${position}`,
    );
  }

  /** @param {number} next */
  function moveCaret(next) {
    tokens[caret]?.removeAttribute("data-caret");
    caret = Math.max(0, Math.min(tokens.length - 1, next));
    tokens[caret]?.setAttribute("data-caret", "true");
    tokens[caret]?.scrollIntoView({ block: "nearest" });
    setText(spoken, `token ${caret}, ${texts()[caret] ?? ""}`);
  }

  /** @param {Event} event */
  const tokenOf = (event) => {
    const target = /** @type {HTMLElement} */ (event.target).closest?.("[data-token]");
    return target ? Number(target.getAttribute("data-token")) : -1;
  };
  scope.dom(text, "click", (event) => {
    if (tokenOf(event) >= 0) split(tokenOf(event));
  });
  scope.dom(text, "keydown", (event) => {
    if (event.target !== text) return;
    if (event.key === "ArrowLeft" || event.key === "ArrowUp") moveCaret(caret - 1);
    else if (event.key === "ArrowRight" || event.key === "ArrowDown") moveCaret(caret + 1);
    else if (event.key === "Enter" || event.key === " ") split(caret);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  scope.dom(text, "pointerover", (event) => {
    const index = tokenOf(event);
    if (index < 0 || drag) return;
    tokens[index].title = canSplit(segments(), index)
      ? `token ${index} “${texts()[index]}”: click to split before it`
      : `token ${index} “${texts()[index]}”`;
    tellHover(el, { query: index, key: null });
  });
  scope.dom(text, "pointerleave", () => tellHover(el, null));
  scope.dom(el, "segviz-highlight", (event) => {
    for (const name of ["data-query", "data-key"]) {
      for (const token of text.querySelectorAll(`[${name}]`)) token.removeAttribute(name);
    }
    if (!event.detail) return;
    tokens[event.detail.query]?.setAttribute("data-query", "true");
    tokens[event.detail.key]?.setAttribute("data-key", "true");
  });

  scope.model(model, "change:tokens", build);
  scope.model(model, "change:segments", repaint);
  scope.resize(text, remeasure);
  build();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderStrip };
