// @ts-check
/** Hosts the views and links them inside the page: a drag reaches the mask without Python. */
import { mount, node, save, setText, tell } from "./common.js";
import { withResponse } from "./segments.js";

/** @typedef {import("./common.js").Model} Model */
/**
 * @typedef {{getModel(reference: string): Promise<Model>,
 *   getWidget(reference: string): Promise<{render(target: {el: HTMLElement, signal?: AbortSignal}): Promise<void>}>}} Host
 */

const PARTS = /** @type {const} */ (["strip", "mask", "attention", "answer"]);
const VIEWS = /** @type {const} */ (["causal", "segment", "difference"]);
const PATIENCE = 1500;

/** @param {{model: Model, el: HTMLElement, host: Host, signal?: AbortSignal}} context */
async function renderExplorer({ model, el, host, signal }) {
  const { scope, root, body } = mount(model, el, "sv-explorer");
  const aborted = new AbortController();
  scope.undo.push(() => aborted.abort());
  signal?.addEventListener("abort", () => scope.close());
  const title = node("div", "sv-title");
  const status = node("div", "sv-status", { role: "status" });
  const toolbar = node("div", "sv-toolbar", { role: "toolbar", "aria-label": "What is shown" });
  const layer = stepper("layer", "layers");
  const head = stepper("head", "heads");
  const views = segmented();
  toolbar.append(layer.element, head.element, views);
  const header = node("div", "sv-header");
  header.append(title, toolbar, status);
  /** @type {Record<string, HTMLElement>} */
  const places = Object.fromEntries(
    PARTS.map((part) => [part, node("div", `sv-place sv-place-${part}`)]),
  );
  const pair = node("div", "sv-pair");
  pair.append(places.mask, places.attention);
  body.append(header, places.strip, places.answer, pair);
  let unanswered = "";

  function update() {
    setText(title, model.get("title") || "segviz");
    layer.update();
    head.update();
    for (const button of views.querySelectorAll("button")) {
      const chosen = button.dataset.view === model.get("view");
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
    }
    const busy = Boolean(model.get("busy"));
    root.classList.toggle("sv-busy", busy);
    root.classList.toggle("sv-unanswered", Boolean(unanswered));
    setText(status, unanswered || model.get("status") || "");
    status.title = status.textContent ?? "";
  }

  /** @param {string} name @param {any} value */
  function choose(name, value) {
    if (model.get(name) === value) return;
    model.set(name, value);
    save(model);
    ping();
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
  scope.undo.push(() => clearTimeout(timer));
  scope.model(model, "msg:custom", (content) => {
    if (content?.kind !== "pong") return;
    clearTimeout(timer);
    timer = 0;
    if (unanswered) {
      unanswered = "";
      update();
    }
  });

  /** @param {"layer"|"head"} name @param {string} count */
  function stepper(name, count) {
    const element = node("div", "sv-stepper", {
      role: "group",
      "aria-label": `Choose the ${name}`,
    });
    const select = /** @type {HTMLSelectElement} */ (node("select", "", { "aria-label": name }));
    const back = node(
      "button",
      "",
      { type: "button", title: `previous ${name}`, "aria-label": `previous ${name}` },
      "‹",
    );
    const next = node(
      "button",
      "",
      { type: "button", title: `next ${name}`, "aria-label": `next ${name}` },
      "›",
    );
    const label = node("span", "sv-stepper-name", {}, name);
    const extra = node("span", "sv-hint");
    element.append(label, back, select, next, extra);
    /** @param {number} by */
    const step = (by) => {
      const value = model.get(name) + by;
      if (value >= 0 && value < model.get(count)) choose(name, value);
    };
    scope.dom(back, "click", () => step(-1));
    scope.dom(next, "click", () => step(1));
    scope.dom(select, "change", () => choose(name, Number(select.value)));
    const show = () => {
      const total = model.get(count);
      while (select.options.length > total) select.remove(select.options.length - 1);
      for (let at = select.options.length; at < total; at++) {
        select.append(node("option", "", { value: String(at) }, String(at)));
      }
      select.value = String(model.get(name));
      back.toggleAttribute("disabled", model.get(name) <= 0);
      next.toggleAttribute("disabled", model.get(name) >= total - 1);
      const groups = model.get("kv_heads");
      const shared = name === "head" && groups && groups < total;
      setText(extra, shared ? `KV ${Math.floor((model.get(name) * groups) / total)}` : "");
      extra.title = shared ? `${total / groups} query heads share one KV head` : "";
    };
    return { element, update: show, step };
  }

  function segmented() {
    const group = node("div", "sv-segmented", {
      role: "radiogroup",
      "aria-label": "Attention under which mask",
    });
    const buttons = VIEWS.map((view) =>
      node("button", "", { type: "button", role: "radio", "data-view": view }, view),
    );
    group.append(...buttons);
    buttons.forEach((button, index) => {
      scope.dom(button, "click", () => choose("view", VIEWS[index]));
      scope.dom(button, "keydown", (event) => {
        const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[
          /** @type {string} */ (event.key)
        ];
        if (!by) return;
        const to = (index + by + VIEWS.length) % VIEWS.length;
        choose("view", VIEWS[to]);
        buttons[to].focus();
        event.preventDefault();
        event.stopPropagation();
      });
    });
    return group;
  }

  for (const name of [
    "layer",
    "head",
    "layers",
    "heads",
    "kv_heads",
    "view",
    "status",
    "busy",
    "title",
  ]) {
    scope.model(model, `change:${name}`, update);
  }
  update();
  places.attention.tabIndex = 0;
  places.attention.setAttribute(
    "aria-label",
    "Attention; left and right arrow change the head, up and down the layer",
  );
  scope.dom(places.attention, "keydown", (event) => {
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: () => head.step(-1),
      ArrowRight: () => head.step(1),
      ArrowUp: () => layer.step(-1),
      ArrowDown: () => layer.step(1),
    };
    const action = actions[event.key];
    if (!action || event.target !== places.attention) return;
    action();
    event.preventDefault();
    event.stopPropagation();
  });
  scope.dom(root, "segviz-hover", (event) => {
    for (const part of /** @type {const} */ (["strip", "mask", "attention"])) {
      if (places[part].contains(event.target)) continue;
      places[part].dispatchEvent(new CustomEvent("segviz-highlight", { detail: event.detail }));
    }
  });

  if (!host?.getModel) {
    setText(status, "the explorer needs anywidget 0.11 or later in this front end");
    return () => scope.close();
  }
  const [strip, mask, attention] = await Promise.all(
    [model.get("strip"), model.get("mask"), model.get("attention")].map((reference) =>
      host.getModel(reference),
    ),
  );
  if (scope.closed) return;
  link(strip, mask, attention);
  await Promise.all(
    PARTS.map(async (part) => {
      const widget = await host.getWidget(model.get(part));
      if (!scope.closed) await widget.render({ el: places[part], signal: aborted.signal });
    }),
  );
  tell(model, { kind: "ready" });
  return () => scope.close();

  /** @param {Model} strip @param {Model} mask @param {Model} attention */
  function link(strip, mask, attention) {
    const follow = () => {
      for (const follower of [mask, attention]) {
        const joined = withResponse(strip.get("segments"), follower.get("segments") ?? []);
        if (JSON.stringify(joined) !== JSON.stringify(follower.get("segments"))) {
          // Not saved: Python links its own side, and a late echo must not undo a drag.
          follower.set("segments", joined);
        }
      }
    };
    /** A run's segments that cover another prompt than the strip's are not touched.
     * @param {Model} follower */
    const covers = (follower) => {
      const labels = follower.get("tokens")?.labels ?? [];
      const prompt = strip.get("tokens")?.labels ?? [];
      return prompt.every(
        (/** @type {string} */ label, /** @type {number} */ at) => labels[at] === label,
      );
    };
    const safely = () => {
      if (covers(mask) && covers(attention)) follow();
    };
    scope.model(strip, "change:segments", () => {
      safely();
      places.attention.classList.add("sv-outdated");
      ping();
    });
    for (const follower of [mask, attention]) scope.model(follower, "change:segments", safely);
    scope.model(attention, "msg:custom", (content) => {
      if (content?.kind === "attention") places.attention.classList.remove("sv-outdated");
    });
    scope.model(model, "change:view", () => {
      mask.set("mask", model.get("view") === "causal" ? "causal" : "segment");
    });
    safely();
  }
}

export default { render: renderExplorer };
