"""The answers on static pages."""

from __future__ import annotations

from segviz.widgets import AnswerView


def test_where_the_answers_part(static_page):
    view = AnswerView()
    view.set("causal", [" The", " king", "."], state="done", note="3 tokens")
    view.set("segment", [" The", " queen"], state="running")
    page = static_page(view)
    assert page.locator("[data-parting='true']").all_inner_texts() == [" king", " queen"]
    assert page.get_by_text("3 tokens").is_visible()
    assert page.locator("[data-mask='segment'] .sv-state").inner_text() == "running"
