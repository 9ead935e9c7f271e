// @ts-check
/** The segments of the strip: read, edited with a history, and sent to Python. */
import { save } from "./common.js";
import { historyOf, noted, recorded, redone, sameSegments, undone } from "./history.js";
import { totalLength } from "./segments.js";

/** @typedef {import("./common.js").Model} Model */
/** @typedef {import("./common.js").Scope} Scope */
/** @typedef {import("./segments.js").Segment} Segment */
/** @typedef {{name: string, title: string, segments: Segment[]}} Preset */

/** The name of the preset that holds the chat template's segments. */
const TEMPLATE = "segment";
/** How long a click waits for the second one before it goes to Python, in milliseconds. */
const PATIENCE = 350;

/** What is edited in the page, step by step; a drag is one step. */
export class StripEditor {
  /** @param {Scope} scope @param {Model} model @param {() => void} changed */
  constructor(scope, model, changed) {
    this.model = model;
    this.changed = changed;
    this.history = historyOf(this.segments);
    /** While a handle is held here, its edits are not steps yet. */
    this.held = false;
    /** Whether the last change came from a drag in another view. */
    this.following = false;
    this.own = false;
    /** The name of the preset that was chosen last: two may be the same segments. */
    this.chosen = "";
    this.timer = 0;
    this.saveSoon = scope.frame(() => save(model));
    scope.undo.push(() => clearTimeout(this.timer));
    scope.model(model, "change:segments", () => this.follow());
    scope.model(model, "change:tokens", () => this.forget());
    scope.model(model, "change:dragging", () => (this.following = false));
  }

  /** @returns {Segment[]} */
  get segments() {
    return this.model.get("segments") ?? [];
  }

  /** @returns {string[]} */
  get labels() {
    return this.model.get("tokens")?.labels ?? [];
  }

  /** Presets of this prompt. @returns {Preset[]} */
  get presets() {
    const length = this.labels.length;
    return (this.model.get("presets") ?? []).filter(
      (/** @type {Preset} */ preset) => totalLength(preset.segments) === length,
    );
  }

  /** The preset in force; undefined where the segments were edited. */
  get preset() {
    const same = this.presets.filter((preset) => sameSegments(preset.segments, this.segments));
    return same.find(({ name }) => name === this.chosen) ?? same[0];
  }

  /** The preset that the reset button restores, if there is one. */
  get template() {
    return this.presets.find(({ name }) => name === TEMPLATE);
  }

  /** @param {Preset|undefined} preset */
  choose(preset) {
    if (!preset) return;
    this.chosen = preset.name;
    this.edit(preset.segments);
  }

  /**
   * @param {Segment[]} next
   * @param {{joined?: boolean, patient?: boolean}} [options] `joined`: goes on with the last step;
   * `patient`: Python need not hear of it at once
   */
  edit(next, { joined = false, patient = false } = {}) {
    if (sameSegments(next, this.segments)) return;
    if (!this.held) this.history = recorded(this.history, next, joined);
    this.put(next, patient);
  }

  /** @param {Segment[]} next @param {boolean} [patient] */
  put(next, patient = false) {
    this.own = true;
    this.model.set("segments", next);
    this.own = false;
    clearTimeout(this.timer);
    if (patient) this.timer = window.setTimeout(this.saveSoon, PATIENCE);
    else this.saveSoon();
    this.changed();
  }

  /** A handle is held: what follows is one step. */
  hold() {
    this.held = true;
    this.model.set("dragging", true);
    this.saveSoon();
  }

  /** The handle is let go of. */
  release() {
    this.held = false;
    this.history = recorded(this.history, this.segments);
    this.model.set("dragging", false);
    save(this.model);
    this.changed();
  }

  /** Takes the last edit back as if it had never been, redo included. @param {History} history */
  withdraw(history) {
    this.history = history;
    this.put(history.present);
  }

  get canUndo() {
    return this.history.past.length > 0 && !this.held;
  }

  get canRedo() {
    return this.history.future.length > 0 && !this.held;
  }

  undo() {
    if (this.canUndo) this.step(undone(this.history));
  }

  redo() {
    if (this.canRedo) this.step(redone(this.history));
  }

  /** @param {History} history */
  step(history) {
    this.history = history;
    this.put(history.present);
  }

  follow() {
    if (this.own) return;
    if (!this.held) {
      this.history = noted(this.history, this.segments, this.following);
      this.following = Boolean(this.model.get("dragging"));
    }
    this.changed();
  }

  /** Another prompt: its history starts here. */
  forget() {
    this.history = historyOf(this.segments);
    this.changed();
  }
}

/** @typedef {import("./history.js").History} History */
