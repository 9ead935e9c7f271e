"""A page with a view that Python answers, without a Jupyter in between."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from segviz.widgets import View

_PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 16px; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #16181d; } }
%s</style><div id="segviz"></div><script type="module">
const { root, views } = %s;
const models = {};
const modules = {};

class LiveModel {
  constructor(id, state) {
    Object.assign(this, { id, state, changed: {}, listeners: {} });
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    if (!this.became(name, value)) return;
    this.changed[name] = value;
    this.emit(`change:${name}`);
  }
  became(name, value) {
    if (JSON.stringify(this.state[name]) === JSON.stringify(value)) return false;
    this.state[name] = value;
    return true;
  }
  save_changes() {
    const changed = JSON.stringify(this.changed);
    this.changed = {};
    return this.ask("state", changed);
  }
  send(content) { return this.ask("message", JSON.stringify(content)); }
  async ask(kind, text) { take(await python(this.id, kind, text)); }
  on(name, callback) { (this.listeners[name] ??= []).push(callback); }
  off(name, callback) {
    this.listeners[name] = (this.listeners[name] ?? []).filter((one) => one !== callback);
  }
  emit(name, ...values) {
    for (const callback of [...(this.listeners[name] ?? [])]) callback(...values);
  }
}

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const unpack = (text) => new DataView(bytes(text).buffer);
function take(messages) {
  for (const { id, state, content, buffers } of messages) {
    const model = models[id];
    if (content) model.emit("msg:custom", content, buffers.map(unpack));
    // All values first: a listener may look at several of them.
    const news = Object.keys(state ?? {}).filter((name) => model.became(name, state[name]));
    for (const name of news) model.emit(`change:${name}`);
  }
}

const idOf = (reference) => reference.replace(/^anywidget:/, "");
const render = (id, el) => modules[id].default.render({ model: models[id], el, host });
const host = {
  getModel: async (reference) => models[idOf(reference)],
  getWidget: async (reference) => ({ render: async ({ el }) => render(idOf(reference), el) }),
};
for (const [id, { state, source }] of Object.entries(views)) {
  models[id] = new LiveModel(id, state);
  modules[id] = await import(
    URL.createObjectURL(new Blob([source], { type: "text/javascript" }))
  );
}
Object.assign(window, { model: models[root], take, el: document.getElementById("segviz") });
window.showIn = (place) => render(root, place);
window.unmount = await showIn(el);
window.ready = true;
</script>"""
_PLUMBING = ("_", "layout", "tabbable", "tooltip", "comm")
_REFERENCE = "anywidget:"


class LivePage:
    """A view's page: an edit in it reaches Python, what Python answers reaches the page.

    Answers to the page arrive by themselves; what Python does on its own needs :meth:`deliver`.
    In tests the fixture ``live_page`` makes one, watches the page for errors and closes it.

    Args:
        browser: of Playwright.
        view: shown in the page, with the views it hosts.
        folder: where the page's file is put.
        watch: called with Playwright's page before it is opened.
        context: options of the browser's context, such as ``viewport`` and ``color_scheme``.
    """

    def __init__(
        self,
        browser: Any,
        view: View,
        folder: Path,
        *,
        watch: Callable[[Any], object] | None = None,
        **context: Any,
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        """The custom messages of the page."""
        self.answered: list[tuple[dict[str, Any], list[bytes]]] = []
        """The custom messages of Python, with their buffers."""
        self._views: dict[str, View] = {}
        self._outbox: list[dict[str, Any]] = []
        self._collect(view)
        self.context = browser.new_context(offline=True, **context)
        self.page = self.context.new_page()
        """The page, of Playwright. Its scripts have the view's ``model`` and ``el``, ``unmount()``,
        and ``showIn(element)``, which shows the view once more."""
        if watch is not None:
            watch(self.page)
        self.page.expose_function("python", self._take)
        self._open(view, folder / f"live-{view.model_id}.html")

    def deliver(self) -> None:
        """Hand the page what Python has sent by itself."""
        self.page.evaluate("(messages) => window.take(messages)", self._emptied())

    def until(self, condition: Callable[[], object], timeout: float = 10) -> None:
        """Wait until something holds in Python, while the page goes on."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, "the page's edit has not reached Python"
            self.page.wait_for_timeout(5)

    def close(self) -> None:
        """Close the page."""
        self.context.close()

    def _collect(self, view: View) -> None:
        self._views[view.model_id] = view
        # Below this, ipywidgets speaks to a comm, which has no other end here.
        view._send = partial(self._send, view.model_id)  # type: ignore[method-assign]
        for name, value in view.get_state().items():
            if isinstance(value, str) and value.startswith(_REFERENCE):
                self._collect(getattr(view, name))

    def _open(self, view: View, path: Path) -> None:
        views = {
            id_: {"state": _state(one.get_state()), "source": str(one._esm)}
            for id_, one in self._views.items()
        }
        styles = "\n".join(
            dict.fromkeys(str(getattr(one, "_css", "")) for one in self._views.values())
        )
        data = json.dumps({"root": view.model_id, "views": views}).replace("<", "\\u003c")
        path.write_text(_PAGE % (styles, data), encoding="utf-8")
        self.page.goto(path.as_uri())
        self.page.wait_for_function("window.ready")

    def _send(self, id_: str, message: dict[str, Any], buffers: list[Any] | None = None) -> None:
        packed = [bytes(buffer) for buffer in buffers or []]
        if message["method"] != "custom":  # "update", or "echo_update"
            self._outbox.append({"id": id_, "state": _state(message["state"])})
            return
        self.answered.append((message["content"], packed))
        encoded = [b64encode(buffer).decode("ascii") for buffer in packed]
        self._outbox.append({"id": id_, "content": message["content"], "buffers": encoded})

    def _take(self, id_: str, kind: str, text: str) -> list[dict[str, Any]]:
        content = json.loads(text)
        if kind == "state":
            self._views[id_].set_state(content)
        else:
            self.asked.append(content)
            self._views[id_]._handle_custom_msg(content, [])
        return self._emptied()

    def _emptied(self) -> list[dict[str, Any]]:
        messages, self._outbox = self._outbox, []
        return messages


def _state(state: dict[str, Any]) -> dict[str, Any]:
    """The traits that concern the page."""
    return {name: value for name, value in state.items() if not name.startswith(_PLUMBING)}
