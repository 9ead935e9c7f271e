// @ts-check
/** Hosts the views and links them inside the page: a drag reaches the mask without Python. */
import { mount, node, save, setText, tell } from "./common.js";
import { button, fold } from "./controls.js";
import { makeToolbar } from "./explorer_controls.js";
import { makeExport } from "./explorer_export.js";
import { linkEvents, linkSegments, linkStored } from "./explorer_links.js";

/** @typedef {import("./common.js").Model} Model */
/**
 * @typedef {{getModel(reference: string): Promise<Model>,
 *   getWidget(reference: string): Promise<{render(target: {el: HTMLElement, signal?: AbortSignal}): Promise<void>}>}} Host
 */

const PARTS = /** @type {const} */ ([
  "prompt",
  "strip",
  "answer",
  "mask",
  "attention",
  "receipt",
  "grid",
  "compare",
]);

/** The parts that can be folded away, by the name of their panel. */
const FOLDS = /** @type {const} */ ([
  ["prompt", "prompt", "Prompt", "edit the messages"],
  ["heads", "grid", "All heads", "sorted and coloured by what they do"],
  ["compare", "compare", "Causal | segment | difference", "what moved, and where the answers part"],
]);
/** Milliseconds after which Python counts as not answering, and between two questions to it. */
const PATIENCE = 1500;
const BEAT = 3000;

/** @param {{model: Model, el: HTMLElement, host: Host, signal?: AbortSignal}} context */
async function renderExplorer({ model, el, host, signal }) {
  const { scope, root, body } = mount(model, el, "sv-explorer");
  const aborted = new AbortController();
  scope.undo.push(() => aborted.abort());
  signal?.addEventListener("abort", () => scope.close());
  const title = node("div", "sv-title");
  const status = node("div", "sv-status", { role: "status" });
  const stop = button(scope, "■ Stop", "stop the run under way", () => tell(model, { kind: "stop" }));
  const toolbar = makeToolbar(scope, model, choose);
  const header = node("div", "sv-header");
  const saving = makeExport(scope, model);
  header.append(title, toolbar.element, saving.opener, stop, status, saving.element);
  /** @type {Record<string, HTMLElement>} */
  const places = Object.fromEntries(
    PARTS.map((part) => [part, node("div", `sv-place sv-place-${part}`)]),
  );
  const pair = node("div", "sv-pair");
  pair.append(places.mask, places.attention);
  const folds = FOLDS.map(([panel, part, heading, hint]) => {
    const one = fold(scope, heading, (open) => unfold(panel, open));
    one.setHint(hint);
    one.content.append(places[part]);
    return { panel, part, ...one };
  });
  const [prompt, heads, compare] = folds.map((one) => one.element);
  body.append(header, prompt, places.strip, places.answer, pair, places.receipt, heads, compare);
  const parts = PARTS.filter((part) => model.get(part));
  let unanswered = "";

  function update() {
    setText(title, model.get("title") || "segviz");
    toolbar.update();
    const open = model.get("panels") ?? [];
    for (const one of folds) {
      one.show(open.includes(one.panel));
      one.element.hidden = !model.get(one.part);
    }
    const busy = Boolean(model.get("busy"));
    root.classList.toggle("sv-busy", busy);
    root.classList.toggle("sv-unanswered", Boolean(unanswered));
    stop.hidden = !busy || Boolean(model.static);
    const failed = model.get("error");
    root.classList.toggle("sv-failed", Boolean(failed));
    setText(status, unanswered || failed || model.get("status") || "");
    status.title = status.textContent ?? "";
  }

  /** @param {Record<string, any>} changes */
  function choose(changes) {
    const news = Object.entries(changes).filter(([name, value]) => model.get(name) !== value);
    if (!news.length) return;
    for (const [name, value] of news) model.set(name, value);
    save(model);
    ping();
  }

  /** @param {string} panel @param {boolean} open */
  function unfold(panel, open) {
    const others = (model.get("panels") ?? []).filter((/** @type {string} */ one) => one !== panel);
    choose({ panels: open ? [...others, panel] : others });
  }

  /** Tells when Python does not answer: a cell is running, or the kernel is gone. */
  let pinged = 0;
  let timer = 0;
  function ping() {
    if (model.static || timer) return;
    if (!tell(model, { kind: "ping", id: ++pinged })) {
      unanswered = "The kernel is gone: run the cell again";
      return update();
    }
    timer = window.setTimeout(() => {
      unanswered = "Python is not answering: edits arrive when the running cell ends";
      update();
    }, PATIENCE);
  }
  // A restarted kernel does not tell: it is asked.
  const beat = window.setInterval(() => document.hidden || ping(), BEAT);
  scope.undo.push(() => {
    clearTimeout(timer);
    clearInterval(beat);
  });
  scope.model(model, "msg:custom", (content) => {
    if (content?.kind !== "pong") return;
    clearTimeout(timer);
    timer = 0;
    if (unanswered) {
      unanswered = "";
      update();
    }
  });

  const watched = ["layer", "head", "reduce", "layers", "heads", "kv_heads", "view", "panels"];
  for (const name of [...watched, "status", "busy", "title", "error"]) {
    scope.model(model, `change:${name}`, update);
  }
  update();
  places.attention.tabIndex = 0;
  places.attention.dataset.keys = "← → head · ↑ ↓ layer · Tab: on to the cells";
  places.attention.setAttribute("role", "group");
  places.attention.setAttribute(
    "aria-label",
    "Attention; left and right arrow change the head, up and down the layer",
  );
  scope.dom(places.attention, "keydown", (event) => {
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => toolbar.stepHead(-1),
      ArrowRight: () => toolbar.stepHead(1),
      ArrowUp: () => toolbar.stepLayer(-1),
      ArrowDown: () => toolbar.stepLayer(1),
    };
    const action = actions[event.key];
    if (!action || event.target !== places.attention) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  });
  linkEvents(scope, root, places);
  scope.dom(root, "segviz-choose", (event) => choose({ ...event.detail, reduce: "head" }));
  scope.dom(root, "segviz-pick", (event) => tell(model, { kind: "pick", ...event.detail }));

  if (!host?.getModel) {
    setText(status, "the explorer needs anywidget 0.11 or later in this front end");
    return () => scope.close();
  }
  /** @type {Record<string, Model>} */
  const models = Object.fromEntries(
    await Promise.all(
      parts.map(async (part) => [part, await host.getModel(model.get(part))]),
    ),
  );
  if (scope.closed) return;
  linkSegments(scope, models.strip, [models.mask, models.attention], () => {
    // Without a kernel nothing newer comes.
    places.attention.classList.toggle("sv-outdated", !model.static);
    ping();
  });
  scope.model(models.attention, "msg:custom", (content) => {
    if (content?.kind === "attention") places.attention.classList.remove("sv-outdated");
  });
  // Not saved, either: Python sets the same.
  scope.model(model, "change:view", () => {
    models.mask.set("mask", model.get("view") === "causal" ? "causal" : "segment");
  });
  for (const name of ["layer", "head"]) {
    const mark = () => models.grid?.set(name, model.get(name));
    scope.model(model, `change:${name}`, mark);
    mark();
  }
  if (model.static) linkStored(scope, root, model, models, places.receipt);
  await Promise.all(
    parts.map(async (part) => {
      const widget = await host.getWidget(model.get(part));
      if (!scope.closed) await widget.render({ el: places[part], signal: aborted.signal });
    }),
  );
  tell(model, { kind: "ready" });
  return () => scope.close();
}

export default { render: renderExplorer };
