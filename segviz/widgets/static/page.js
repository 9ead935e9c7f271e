// @ts-check
/** A page without a kernel: stands in for the widget models, keeps edits, replays the messages. */

/** @typedef {{content: any, buffers: string[]}} Message */
/** @typedef {{script: number, state: Record<string, any>, messages: Message[]}} Stored */

/** Get, set and listen like a widget model; nobody answers. */
export class StaticModel {
  /** @param {Record<string, any>} state @param {Message[]} messages */
  constructor(state, messages) {
    this.static = true;
    this.state = state;
    this.messages = messages;
    /** @type {Map<string, Set<Function>>} */
    this.listeners = new Map();
  }
  /** @param {string} name */
  get(name) {
    return this.state[name];
  }
  /** @param {string} name @param {any} value */
  set(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return;
    this.state[name] = value;
    this.emit(`change:${name}`);
  }
  save_changes() {}
  /** @param {string} name @param {Function} callback */
  on(name, callback) {
    if (!this.listeners.has(name)) this.listeners.set(name, new Set());
    this.listeners.get(name)?.add(callback);
  }
  /** @param {string} name @param {Function} callback */
  off(name, callback) {
    this.listeners.get(name)?.delete(callback);
  }
  /** @param {string} name @param {...any} values */
  emit(name, ...values) {
    for (const callback of [...(this.listeners.get(name) ?? [])]) callback(...values);
  }
  /** @param {any} content */
  send(content) {
    if (content?.kind !== "ready") return;
    setTimeout(() => {
      for (const { content: message, buffers } of this.messages) {
        this.emit("msg:custom", message, buffers.map(decode));
      }
    });
  }
}

/** @param {string} text base64 */
export function decode(text) {
  return new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

/** @param {{root: string, models: Record<string, Stored>, scripts: string[]}} data */
async function start(data) {
  const modules = await Promise.all(
    data.scripts.map(async (source) => {
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const module = await import(url);
      URL.revokeObjectURL(url);
      return module;
    }),
  );
  /** @type {Record<string, StaticModel>} */
  const models = {};
  for (const [id, { state, messages }] of Object.entries(data.models)) {
    models[id] = new StaticModel(state, messages);
  }
  /** @param {string} reference */
  const idOf = (reference) => reference.replace(/^anywidget:/, "");
  const host = {
    /** @param {string} reference */
    getModel: async (reference) => models[idOf(reference)],
    /** @param {string} reference */
    getWidget: async (reference) => ({
      /** @param {{el: HTMLElement}} target */
      render: async ({ el }) => render(idOf(reference), el),
    }),
  };
  /** @param {string} id @param {HTMLElement} el */
  const render = (id, el) =>
    modules[data.models[id].script].default.render({ model: models[id], el, host });
  await render(data.root, /** @type {HTMLElement} */ (document.getElementById("segviz")));
}

const stored = typeof document === "undefined" ? null : document.getElementById("segviz-data");
if (stored) start(JSON.parse(stored.textContent ?? ""));
