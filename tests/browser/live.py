"""A page with a view that Python answers, without a Jupyter in between."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from segviz.widgets import View

_PAGE = """<!doctype html><meta charset="utf-8"><style>body { margin: 16px; background: #fff; }
%s</style><div id="segviz"></div><script type="module">
const listeners = {};
const emit = (name, ...values) => (listeners[name] ?? []).slice().forEach((one) => one(...values));
const unpack = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const take = (messages) => {
  for (const { content, buffers } of messages) emit("msg:custom", content, buffers.map(unpack));
};
const state = %s;
const model = {
  get: (name) => state[name],
  set(name, value) {
    if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
    state[name] = value;
    changed[name] = value;
    emit(`change:${name}`);
  },
  async save_changes() {
    take(await python("state", JSON.stringify(changed)));
    for (const name of Object.keys(changed)) delete changed[name];
  },
  async send(content) { take(await python("message", JSON.stringify(content))); },
  on: (name, callback) => (listeners[name] ??= []).push(callback),
  off(name, callback) { listeners[name] = (listeners[name] ?? []).filter((one) => one !== callback); },
};
const changed = {};
window.model = model;
window.take = take;
const source = %s;
const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const module = await import(url);
module.default.render({ model, el: document.getElementById("segviz") });
</script>"""
_PLUMBING = ("_", "layout", "tabbable", "tooltip", "comm")


class LivePage:
    """A view's page; ``asked`` holds what the page has asked, ``page`` is that of Playwright."""

    def __init__(self, browser: Any, view: View, folder: Any, **context: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answered: list[tuple[dict[str, Any], list[bytes]]] = []
        self._view = view
        self._outbox: list[dict[str, Any]] = []
        view.send = self._send  # type: ignore[method-assign]
        self.context = browser.new_context(offline=True, **context)
        self.page = self.context.new_page()
        self.page.expose_function("python", self._take)
        state = {
            name: value
            for name, value in view.get_state().items()
            if not name.startswith(_PLUMBING)
        }
        texts = [json.dumps(one).replace("<", "\\u003c") for one in (state, str(view._esm))]
        path = folder / "live.html"
        path.write_text(_PAGE % (view._css, *texts), encoding="utf-8")
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(".sv-root")

    def deliver(self) -> None:
        """Hand the page what Python has sent by itself."""
        self.page.evaluate("(messages) => window.take(messages)", self._emptied())

    def _send(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        packed = [bytes(buffer) for buffer in buffers or []]
        self.answered.append((content, packed))
        encoded = [b64encode(buffer).decode("ascii") for buffer in packed]
        self._outbox.append({"content": content, "buffers": encoded})

    def _take(self, kind: str, text: str) -> list[dict[str, Any]]:
        content = json.loads(text)
        if kind == "state":
            self._view.set_state(content)
        else:
            self.asked.append(content)
            self._view._handle_custom_msg(content, [])
        return self._emptied()

    def _emptied(self) -> list[dict[str, Any]]:
        messages, self._outbox = self._outbox, []
        return messages
