// @ts-check
/** What every view needs: DOM, clean-up, frames, theme, messages. */

/**
 * @typedef {{
 *   get(name: string): any, set(name: string, value: any): void, save_changes(): void,
 *   on(name: string, callback: (...args: any[]) => void): void,
 *   off(name: string, callback: (...args: any[]) => void): void,
 *   send(content: any, callbacks?: any, buffers?: any[]): void,
 *   static?: boolean, recall?(key: string): boolean, clear?(kind: string): void
 * }} Model
 * The last three are there on pages without a kernel: `recall` shows what is stored of a key,
 * `clear` that there is nothing.
 */
/** @typedef {{labels: string[], special: number[]}} Tokens */

/** Number of colours before they repeat. */
export const COLORS = 6;

/** @param {number} index */
export function colorClass(index) {
  return `sv-c${index % COLORS}`;
}

/**
 * @param {string} tag @param {string} [className] @param {Record<string, string>} [attributes]
 * @param {string} [text]
 * @returns {HTMLElement}
 */
export function node(tag, className = "", attributes = {}, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

/** @param {HTMLElement} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * At least `count` children, made once and hidden where they are not needed, never taken out: an
 * element that leaves the page loses focus and pointer capture.
 * @template {HTMLElement} T
 * @param {T[]} pool @param {HTMLElement} parent @param {number} count @param {(index: number) => T} make
 */
export function grow(pool, parent, count, make) {
  while (pool.length < count) {
    const element = make(pool.length);
    pool.push(element);
    parent.append(element);
  }
  pool.forEach((element, index) => {
    if (element.hidden !== index >= count) element.hidden = index >= count;
  });
}

/** Collects what has to be undone when a view goes. */
export class Scope {
  constructor() {
    /** @type {(() => void)[]} */
    this.undo = [];
    this.closed = false;
  }
  /** @param {Model} model @param {string} name @param {(...args: any[]) => void} callback */
  model(model, name, callback) {
    model.on(name, callback);
    this.undo.push(() => model.off(name, callback));
  }
  /** @param {EventTarget} target @param {string} name @param {(event: any) => void} callback
   * @param {AddEventListenerOptions} [options] */
  dom(target, name, callback, options) {
    target.addEventListener(name, callback, options);
    this.undo.push(() => target.removeEventListener(name, callback, options));
  }
  /** @param {HTMLElement} element @param {() => void} callback */
  resize(element, callback) {
    const observer = new ResizeObserver(callback);
    observer.observe(element);
    this.undo.push(() => observer.disconnect());
  }
  /**
   * A function that asks for one call of `callback` in the next frame, however often it is called.
   * @param {() => void} callback
   */
  frame(callback) {
    let pending = 0;
    this.undo.push(() => cancelAnimationFrame(pending));
    return () => {
      if (pending || this.closed) return;
      pending = requestAnimationFrame(() => {
        pending = 0;
        callback();
      });
    };
  }
  close() {
    this.closed = true;
    for (const undo of this.undo.splice(0).reverse()) undo();
  }
}

/**
 * The view's root inside `el`, with the error line below it.
 * @param {Model} model @param {HTMLElement} el @param {string} name
 * @param {() => void} [onTheme] called when the theme changed
 */
export function mount(model, el, name, onTheme = () => {}) {
  const scope = new Scope();
  // Without the attribute JupyterLab's own shortcuts take the arrow keys.
  const root = node("div", `sv-root ${name}`, { "data-lm-suppress-shortcuts": "true" });
  const body = node("div", "sv-body");
  const error = node("div", "sv-error", { role: "alert" });
  root.append(body, error);
  el.append(root);
  const showError = () => {
    setText(error, model.get("error") ?? "");
    error.hidden = !error.textContent;
  };
  scope.model(model, "change:error", showError);
  showError();
  watchTheme(scope, root, onTheme);
  scope.undo.push(() => root.remove());
  return { scope, root, body };
}

/**
 * Binary messages of one kind; `arrays` holds typed views of their buffers.
 * @param {Scope} scope @param {Model} model @param {string} kind
 * @param {(content: any, arrays: Uint8Array[]) => void} callback
 */
export function onMessage(scope, model, kind, callback) {
  let latest = -1;
  scope.model(model, "msg:custom", (content, buffers) => {
    if (content?.kind !== kind || content.seq < latest) return;
    latest = content.seq ?? latest;
    callback(content, (buffers ?? []).map(bytes));
  });
}

/**
 * Sends a message; false if there is no kernel to take it any more.
 * @param {Model} model @param {any} content
 */
export function tell(model, content) {
  try {
    model.send(content);
    return true;
  } catch {
    return false;
  }
}

/**
 * Sends what was set; without a kernel the page keeps it.
 * @param {Model} model
 */
export function save(model) {
  try {
    model.save_changes();
  } catch {
    // The explorer's status line says so; the view itself goes on working in the page.
  }
}

/** @param {DataView|ArrayBuffer|Uint8Array} buffer */
export function bytes(buffer) {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/**
 * @param {Scope} scope @param {HTMLElement} root @param {() => void} onTheme
 */
function watchTheme(scope, root, onTheme) {
  const update = () => {
    const theme = isDark(root) ? "dark" : "light";
    if (root.dataset.theme === theme) return;
    root.dataset.theme = theme;
    onTheme();
  };
  root.dataset.theme = isDark(root) ? "dark" : "light";
  // A theme's style sheet may arrive after the attribute that announces it.
  const soon = () =>
    [0, 150, 600].forEach((delay) => setTimeout(() => scope.closed || update(), delay));
  const observer = new MutationObserver(soon);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, { attributes: true });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  scope.dom(media, "change", soon);
  scope.undo.push(() => observer.disconnect());
  soon();
}

/**
 * Whether the page behind an element is dark: what is painted there counts, not what it is called.
 * @param {HTMLElement} element
 */
export function isDark(element) {
  /** @type {Node|null} */
  let at = element;
  while (at) {
    if (at instanceof Element) {
      // Without a colour there, `at` is outside of the page; it is asked again when it is inside.
      const { backgroundColor } = getComputedStyle(at);
      const luminance = backgroundColor ? lightness(rgba(backgroundColor)) : null;
      if (luminance !== null) return luminance < 0.5;
    }
    at = at.parentNode ?? (at instanceof ShadowRoot ? at.host : null);
  }
  // Nothing is painted: a frame lets through what is around it, and only names tell (VS Code's and
  // Colab's); any other page is white, unless it goes with the system's scheme.
  const { classList } = document.body;
  const theme = document.documentElement.getAttribute("theme");
  if (classList.contains("vscode-dark") || theme === "dark") return true;
  if (classList.contains("vscode-light") || theme === "light") return false;
  const { colorScheme } = getComputedStyle(document.documentElement);
  const schemes = window.parent === window ? colorScheme : "light dark";
  if (!schemes.includes("dark")) return false;
  return !schemes.includes("light") || matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * 0 (black) to 1 (white); null for a colour that lets most of what is behind it through.
 * @param {number[]} color red, green, blue and opacity, 0 to 255
 */
export function lightness([red, green, blue, opacity]) {
  if (opacity < 128) return null;
  return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
}

/**
 * A custom property of the theme, resolved to a colour that a canvas understands.
 * @param {HTMLElement} root @param {string} name
 */
export function themeColor(root, name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

/**
 * @param {string} color any CSS colour
 * @returns {[number, number, number, number]}
 */
export function rgba(color) {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  if (!context) return [0, 0, 0, 255];
  context.fillStyle = color;
  context.fillRect(0, 0, 1, 1);
  const data = context.getImageData(0, 0, 1, 1).data;
  return [data[0], data[1], data[2], data[3]];
}

/** @param {number} r @param {number} g @param {number} b @param {number} [a] one little-endian pixel */
export function pixel(r, g, b, a = 255) {
  return ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Letters that run from right to left, and characters that turn the reading direction. */
const TURNING =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * A text that stands within another: one that runs from right to left turns nothing around it.
 * @param {string} text
 */
export function isolated(text) {
  return TURNING.test(text) ? `\u2068${text}\u2069` : text;
}

/** @param {Tokens|null} tokens @param {number} position */
export function quoted(tokens, position) {
  const label = tokens?.labels[position];
  return label === undefined ? "" : ` “${isolated(label)}”`;
}

/**
 * Tells the explorer around a view (if there is one) what the pointer is on; null when it left.
 * @param {HTMLElement} el @param {{query: number|null, key: number|null}|null} cell
 */
export function tellHover(el, cell) {
  el.dispatchEvent(new CustomEvent("segviz-hover", { bubbles: true, detail: cell }));
}
