// @ts-check
/** What stands above the tokens: the hint or read-out, the pinned query, the controls, the help. */
import { node, setText } from "./common.js";
import { allow, button, select } from "./controls.js";
import { sameSegments } from "./history.js";
import { rampGradient } from "./strip_shade.js";

/** @typedef {import("./common.js").Scope} Scope */
/** @typedef {import("./strip_editor.js").StripEditor} StripEditor */
/** @typedef {{unpin: () => void, reveal: () => void}} PinActions */

const HINT = "drag a handle · click a token to split · click a name for ⇄ or → · ? lists more";
const HELP = [
  ["Drag a handle", "moves the boundary; Escape takes it back"],
  ["Click a token", "splits its segment before it"],
  ["Double-click a handle", "merges the two segments"],
  ["Click a name", "⇄ bidirectional or → causal"],
  ["Double-click a name", "renames the segment"],
  ["Tab", "goes to the tokens, then to names and handles"],
  ["Arrows, Home, End", "choose a token, or move the handle (with Shift by 10)"],
  ["Enter on a token", "splits before it; F2 renames its segment"],
  ["Delete", "on a handle or a segment's first token: merges"],
  ["Space on a name", "⇄ or →; Enter or F2 renames, Escape cancels"],
  ["Ctrl-Z", "undo; Ctrl-Shift-Z or Ctrl-Y: redo"],
  ["Escape", "unpins the query"],
  ["␣ ⏎ ⇥ ∅", "space, line break, tab, nothing"],
  ["⟨202E⟩ [1/2]", "an invisible character by its code; half a character"],
];

/**
 * @param {Scope} scope @param {StripEditor} editor @param {PinActions} actions
 */
export function makeHead(scope, editor, actions) {
  const element = node("div", "sv-strip-head");
  const note = node("div", "sv-strip-note");
  const hint = node("span", "sv-hint", {}, HINT);
  const chip = makeChip(scope, actions);
  note.append(chip.element, hint);
  const help = makeHelp(scope);
  const bar = makeBar(scope, editor);
  bar.element.append(help.button);
  element.append(node("div", "sv-heading", {}, "Segments"), note, bar.element);
  let pinned = false;

  return {
    element,
    help,
    update: bar.update,
    /** What the pointer or the caret is on; "" for the hint. @param {string} text */
    read: (text) => setText(hint, text || (pinned ? "" : HINT)),
    /** @param {{text: string, maximum: string, theme: import("./strip_shade.js").Theme}|null} pin */
    showPin: (pin) => {
      pinned = pin !== null;
      chip.show(pin);
      setText(hint, pinned ? "" : HINT);
    },
  };
}

/** @param {Scope} scope @param {StripEditor} editor */
function makeBar(scope, editor) {
  const element = node("div", "sv-controls", { role: "toolbar", "aria-label": "Edit the segments" });
  const presets = select(scope, "preset", "", [], (name) => {
    editor.choose(editor.presets.find((one) => one.name === name));
  });
  const reset = button(scope, "Reset", "", () => editor.choose(editor.template));
  const undo = button(scope, "↶", "Undo (Ctrl-Z)", () => editor.undo());
  const redo = button(scope, "↷", "Redo (Ctrl-Shift-Z)", () => editor.redo());
  element.append(presets.element, reset, undo, redo);
  let filled = "";

  function update() {
    const all = editor.presets;
    const options = all.map(({ name, title }) => ({ value: name, text: name, title }));
    const key = JSON.stringify(options);
    if (key !== filled) {
      filled = key;
      presets.fill([{ value: "", text: "edited" }, ...options]);
      // Nothing to choose, only what the box says of segments that are no preset.
      const edited = /** @type {HTMLSelectElement} */ (presets.box).options[0];
      edited.hidden = edited.disabled = true;
    }
    presets.element.hidden = all.length < 2;
    const { preset, template } = editor;
    presets.show(preset?.name ?? "");
    presets.element.title = preset?.title ?? "Segments ready-made for this prompt";
    reset.hidden = !template;
    reset.title = `Back to: ${template?.title || "the chat template's segments"}`;
    allow(reset, !template || !sameSegments(template.segments, editor.segments));
    allow(undo, editor.canUndo);
    allow(redo, editor.canRedo);
  }
  return { element, update };
}

/** @param {Scope} scope @param {PinActions} actions */
function makeChip(scope, actions) {
  const element = node("span", "sv-chip", { role: "group", "aria-label": "Pinned query" });
  const name = button(scope, "", "Show this token", actions.reveal, { className: "sv-chip-name" });
  const ramp = node("span", "sv-ramp");
  const most = node("span", "sv-ramp-end");
  const close = button(scope, "×", "Unpin (Escape)", actions.unpin, { className: "sv-chip-close" });
  element.append(name, node("span", "sv-ramp-end", {}, "0"), ramp, most, close);
  element.hidden = true;
  return {
    element,
    /** @param {{text: string, maximum: string, theme: import("./strip_shade.js").Theme}|null} pin */
    show: (pin) => {
      element.hidden = !pin;
      if (!pin) return;
      setText(name, pin.text);
      name.setAttribute("aria-label", `${pin.text}: show this token`);
      setText(most, pin.maximum);
      ramp.style.background = rampGradient(pin.theme);
    },
  };
}

/** @param {Scope} scope */
function makeHelp(scope) {
  const element = node("dl", "sv-help", { "aria-label": "Gestures and keys" });
  for (const [gesture, meaning] of HELP) {
    const row = node("div", "");
    row.append(node("dt", "", {}, gesture), node("dd", "", {}, meaning));
    element.append(row);
  }
  element.hidden = true;
  const open = button(scope, "?", "Gestures and keys", () => show(element.hidden));
  /** @param {boolean} shown */
  const show = (shown) => {
    element.hidden = !shown;
    open.setAttribute("aria-expanded", String(shown));
  };
  show(false);
  return { element, button: open, show };
}
