// @ts-check
/** The prompt as running text, coloured by segment, with a handle at every boundary. */
import { isolated, mount, node, quoted, setText, tell, tellHover } from "./common.js";
import { placeLabels, tokenBeside } from "./geometry.js";
import { canSplit, segmentAt, splitAt, totalLength } from "./segments.js";
import { StripEditor } from "./strip_editor.js";
import { makeHandles } from "./strip_handles.js";
import { makeHead } from "./strip_head.js";
import { makeLabels } from "./strip_labels.js";
import { shownValue } from "./strip_shade.js";
import { StripTokens } from "./strip_tokens.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./strip_shade.js").Shade} Shade */

/** Pixels of text from which on the strip scrolls; the same as in the style sheet. */
const LONG = 300;
/** Lines that a page key goes. */
const PAGE = 7;

/** @param {{model: Model, el: HTMLElement}} context */
function renderStrip({ model, el }) {
  const { scope, root, body } = mount(model, el, "sv-strip", () => {
    tokens.forgetShades();
    shadeTokens();
  });
  const paintSoon = scope.frame(() => paint());
  const editor = new StripEditor(scope, model, paintSoon);
  const head = makeHead(scope, editor, { unpin, reveal: () => reveal(shade?.query ?? 0) });
  const text = node("div", "sv-text", {
    tabindex: "0",
    role: "group",
    "aria-label":
      "Tokens of the prompt. Arrow keys choose a token, Enter splits before it, " +
      "Delete merges with the segment before it, F2 renames its segment.",
  });
  // Apart from the tokens, so that moving a handle lays out no text.
  const layer = node("div", "sv-marks");
  const spoken = node("div", "sv-spoken", { "aria-live": "polite" });
  text.append(layer);
  body.append(head.element, head.help.element, text, spoken);

  const tokens = new StripTokens(text);
  const say = (/** @type {string} */ message) => setText(spoken, message);
  const labels = makeLabels(scope, editor, layer, say);
  const handles = makeHandles(scope, editor, {
    root,
    text,
    layer,
    boxes: () => tokens.boxes,
    say,
  });
  /** @type {Shade|null} */ let shade = null;
  let caret = -1;
  let [width, height] = [0, 0];

  const count = () => tokens.elements.length;

  function build() {
    handles.endDrag();
    head.read("");
    caret = -1;
    shade = null;
    tokens.build(model.get("tokens") ?? { labels: [], special: [] }, editor.segments);
    shadeTokens();
    measure();
    paint();
  }

  function measure() {
    tokens.measure();
    width = text.clientWidth;
    height = text.scrollHeight;
  }

  function paint() {
    const { segments } = editor;
    head.update();
    if (totalLength(segments) !== count()) return;
    const last = tokens.boxes[count() - 1];
    text.classList.toggle("sv-long", last && last.top + last.height > LONG);
    tokens.paint(segments);
    const places = placeLabels(
      tokens.boxes,
      segments.map((segment) => segment.start),
      segments.map((segment) => 20 + 6.6 * segment.name.length),
      width - 4,
    );
    const held = text.querySelector(".sv-label:focus, .sv-handle:focus");
    labels.paint(places, tokens.boxes);
    handles.paint();
    // What had the focus may be gone: the keys go on with the tokens.
    if (held instanceof HTMLElement && held.hidden) text.focus({ preventScroll: true });
  }

  /** @param {number} index */
  const name = (index) => `token ${index}${quoted(model.get("tokens"), index)}`;

  /** Says what the pointer or the caret is on. @param {number} index */
  function read(index) {
    const segment = editor.segments[segmentAt(editor.segments, index)];
    const token = `${shade ? `${shownValue(shade, index)} on ` : ""}${name(index)}`;
    const split = canSplit(editor.segments, index) ? " · click to split before it" : "";
    head.read(`${token}${segment ? ` · ${isolated(segment.name)}` : ""}${split}`);
    tokens.elements[index].title = `${token}${split}`;
    return token;
  }

  /** @param {number} position */
  function split(position) {
    const current = editor.segments;
    if (!canSplit(current, position)) return;
    handles.splitMade();
    editor.edit(splitAt(current, position));
    const whole = current[segmentAt(current, position)];
    say(`${isolated(whole.name)} is split before token ${position}`);
  }

  /** @param {number} next */
  function moveCaret(next) {
    caret = Math.max(0, Math.min(count() - 1, next));
    tokens.mark("data-caret", caret);
    tokens.elements[caret]?.scrollIntoView({ block: "nearest" });
    if (tokens.elements[caret]) say(read(caret));
    tellHover(el, { query: caret, key: null });
  }

  /** @param {number} index */
  function reveal(index) {
    tokens.elements[Math.min(index, count() - 1)]?.scrollIntoView({ block: "nearest" });
  }

  function shadeTokens() {
    const theme = root.dataset.theme === "dark" ? "dark" : "light";
    root.classList.toggle("sv-shaded", shade !== null);
    tokens.shade(shade, theme);
    tokens.mark("data-pinned", shade?.query, shade?.queryStop);
    const maximum = shade ? shownValue({ ...shade, values: [shade.maximum] }, 0) : "";
    const of = shade ? `attention of query ${shade.query}` : "";
    head.showPin(
      shade && { text: `${of}${quoted(model.get("tokens"), shade.query)}`, maximum, theme },
    );
  }

  function unpin() {
    shade = null;
    shadeTokens();
    if (!text.matches(":focus-within")) text.focus({ preventScroll: true });
    el.dispatchEvent(new CustomEvent("segviz-unpin", { bubbles: true }));
  }

  /** @param {Event} event */
  const tokenOf = (event) => {
    const target = /** @type {HTMLElement} */ (event.target).closest?.("[data-token]");
    return target ? Number(target.getAttribute("data-token")) : -1;
  };

  /** Keys of the tokens; those of names and handles never get here. @type {Record<string, () => void>} */
  const keys = {
    ArrowLeft: () => moveCaret(caret - 1),
    ArrowRight: () => moveCaret(caret + 1),
    ArrowUp: () => moveCaret(tokenBeside(tokens.boxes, caret, -1)),
    ArrowDown: () => moveCaret(caret < 0 ? 0 : tokenBeside(tokens.boxes, caret, 1)),
    PageUp: () => moveCaret(tokenBeside(tokens.boxes, caret, -PAGE)),
    PageDown: () => moveCaret(tokenBeside(tokens.boxes, caret, PAGE)),
    Home: () => moveCaret(0),
    End: () => moveCaret(count() - 1),
    Enter: () => split(caret),
    " ": () => split(caret),
    Delete: () => mergeBefore(caret),
    Backspace: () => mergeBefore(caret),
    F2: () => labels.rename(Math.max(0, segmentAt(editor.segments, caret)), text),
  };

  /** Merges where a segment starts. @param {number} position */
  function mergeBefore(position) {
    const index = editor.segments.findIndex((segment) => segment.start === position);
    if (index < 1) return;
    handles.merge(index - 1);
    text.focus({ preventScroll: true });
  }

  /** Whether the key was for the strip as a whole. @param {KeyboardEvent} event */
  function commonKey(event) {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && !event.altKey) {
      if (key === "z" && event.shiftKey) editor.redo();
      else if (key === "z") editor.undo();
      else if (key === "y") editor.redo();
      else return false;
      return true;
    }
    if (key !== "escape") return false;
    if (!head.help.element.hidden) head.help.show(false);
    else if (shade) unpin();
    else return false;
    return true;
  }

  scope.dom(root, "keydown", (event) => {
    const action = event.target === text && !event.ctrlKey && !event.metaKey && keys[event.key];
    if (action) action();
    else if (!commonKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  scope.dom(text, "click", (event) => {
    if (tokenOf(event) < 0) return;
    caret = tokenOf(event);
    tokens.mark("data-caret", caret);
    split(caret);
  });
  function leave() {
    head.read("");
    tellHover(el, null);
  }
  scope.dom(text, "pointerover", (event) => {
    const index = tokenOf(event);
    if (handles.dragging()) return;
    if (index < 0) return leave();
    read(index);
    tellHover(el, { query: index, key: null });
  });
  for (const [target, gone] of [[text, "pointerleave"], [text, "blur"]]) {
    scope.dom(/** @type {HTMLElement} */ (target), /** @type {string} */ (gone), leave);
  }
  scope.dom(el, "segviz-highlight", ({ detail }) => {
    tokens.mark("data-query", detail?.query, detail?.queryStop);
    tokens.mark("data-key", detail?.key, detail?.keyStop);
  });
  scope.dom(el, "segviz-shade", ({ detail }) => {
    shade = detail;
    shadeTokens();
  });

  scope.model(model, "change:tokens", build);
  scope.model(model, "change:presets", () => head.update());
  // Measured at once: in the next frame a host may have the view out of the page for a moment.
  scope.resize(text, () => {
    if (text.clientWidth === width && text.scrollHeight === height) return;
    measure();
    paintSoon();
  });
  build();
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderStrip };
