// @ts-check
/** A page without a kernel: stands in for the widget models, keeps edits, replays the messages. */

/** @typedef {{content: any, buffers: string[]}} Message */
/**
 * @typedef {{script: number, state: Record<string, any>, messages: Message[],
 *   kept: Record<string, Message[]>}} Stored
 */

/** Get, set and listen like a widget model; nobody answers. */
export class StaticModel {
  /** @param {Stored} stored */
  constructor({ state, messages, kept }) {
    this.static = true;
    this.state = state;
    this.messages = messages;
    this.kept = kept;
    this.replays = 0;
    /** Done when what was asked for is shown. */
    this.shown = Promise.resolve();
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
    if (content?.kind === "ready") this.shown = this.replay(this.messages);
  }
  /**
   * Shows what was kept under a key; false if nothing was.
   * @param {string} key
   */
  recall(key) {
    const messages = this.kept[key];
    if (messages) this.shown = this.replay(messages);
    return Boolean(messages);
  }
  /** Tells the view that nothing of a kind is there. @param {string} kind */
  clear(kind) {
    this.emit("msg:custom", { kind, clear: true, seq: ++this.replays }, []);
  }
  /** A later replay wins, whatever takes how long to unpack. @param {Message[]} messages */
  async replay(messages) {
    const number = ++this.replays;
    const all = await Promise.all(messages.map(unpacked));
    if (number !== this.replays) return;
    for (const { content, buffers } of all) {
      this.emit("msg:custom", { ...content, seq: number }, buffers);
    }
  }
}

/** @param {Message} message */
async function unpacked({ content, buffers }) {
  return { content, buffers: await Promise.all(buffers.map(decode)) };
}

/** @param {string} text gzipped bytes in base64 */
export async function decode(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new DataView(await new Response(stream).arrayBuffer());
}

/**
 * Messages name their buffers, which several of them may share.
 * @typedef {{content: any, buffers: number[]}} Named
 * @typedef {Omit<Stored, "messages"|"kept"> & {messages: Named[], kept: Record<string, Named[]>}} Packed
 */

/** @param {Packed} stored @param {string[]} buffers @returns {Stored} */
function resolved({ messages, kept, ...rest }, buffers) {
  const all = (/** @type {Named[]} */ named) =>
    named.map((one) => ({ ...one, buffers: one.buffers.map((number) => buffers[number]) }));
  const entries = Object.entries(kept).map(([key, named]) => [key, all(named)]);
  return { ...rest, messages: all(messages), kept: Object.fromEntries(entries) };
}

/**
 * @param {{root: string, models: Record<string, Packed>, scripts: string[], buffers: string[]}} data
 */
async function start(data) {
  const modules = await Promise.all(
    data.scripts.map(async (text) => {
      const source = await decode(text);
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      const module = await import(url);
      URL.revokeObjectURL(url);
      return module;
    }),
  );
  /** @type {Record<string, StaticModel>} */
  const models = {};
  for (const [id, stored] of Object.entries(data.models)) {
    models[id] = new StaticModel(resolved(stored, data.buffers));
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
  const root = /** @type {HTMLElement} */ (document.getElementById("segviz"));
  await render(data.root, root);
  await Promise.all(Object.values(models).map((model) => model.shown));
  root.dataset.state = "shown";
}

const stored = typeof document === "undefined" ? null : document.getElementById("segviz-data");
if (stored) start(JSON.parse(stored.textContent ?? ""));
