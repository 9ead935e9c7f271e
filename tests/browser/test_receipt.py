"""The receipt: one line that is always there, and unfolds into what was checked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segviz.receipt import HeadCheck
from segviz.widgets.receipt_view import ReceiptView

GOOD = HeadCheck(
    masked=1234,
    masked_nonzero=0,
    added=567,
    added_nonzero=567,
    output_error=2e-7,
    tolerance=1e-4,
)
HOSTILE = "<b>x</b><script>alert(1)</script>"


def shown(**changes) -> ReceiptView:
    view = ReceiptView()
    view.show(replace(GOOD, **changes), rows=[0, 3, 17])
    return view


def sign(page) -> str:
    return page.locator(".sv-receipt-said .sv-receipt-sign").inner_text()


def lines(page) -> list[str]:
    """What is unfolded, each line with its sign."""
    items = page.locator(".sv-receipt-details li:visible")
    return [" ".join(item.inner_text().split()) for item in items.all()]


def contrast(locator) -> float:
    """Of a text on the page behind it, as WCAG counts it."""
    return locator.evaluate("""(element) => {
      const channels = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
      const light = (color) => {
        const [r, g, b] = channels(color).map((c) =>
          c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = getComputedStyle(document.body).backgroundColor;
      const [a, b] = [getComputedStyle(element).color, behind].map(light).sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    }""")


def test_from_unknown_to_a_result(live_page):
    view = ReceiptView()
    live = live_page(view)
    page = live.page
    status, more = page.get_by_role("status"), page.get_by_role("button")
    assert (sign(page), status.inner_text()) == ("–", "–\nmask not checked yet")
    assert not more.is_visible(), "nothing to unfold"
    view.state = "checking"
    live.deliver()
    assert sign(page) == "…"
    assert page.get_by_text("checking the mask").is_visible()
    view.show(GOOD, rows=[0, 3, 17])
    live.deliver()
    assert sign(page) == "✓"
    assert page.get_by_text("mask checked: captured attention gives").is_visible()
    assert lines(page) == [], "folded at first"
    assert more.get_attribute("aria-expanded") == "false"
    view.show(replace(GOOD, output_error=0.5))
    live.deliver()
    assert sign(page) == "✗"
    assert page.get_by_text("mask check failed").is_visible()
    view.state = "unknown"
    live.deliver()
    assert (sign(page), more.is_visible()) == ("–", False)


@pytest.mark.parametrize("how", ["button", "key", "line"])
def test_unfold_and_fold(live_page, how):
    view = shown(output_error=3e-2)
    live = live_page(view)
    page = live.page
    more = page.get_by_role("button", name="details")

    def press() -> None:
        if how == "button":
            more.click()
        elif how == "key":
            more.focus()
            page.keyboard.press("Enter")
        else:
            page.get_by_text("mask check failed").click()

    press()
    live.until(lambda: view.unfolded)
    output, masked, added = lines(page)
    assert output.startswith("✗ failed: captured attention gives the layer's output: largest")
    assert output.endswith("measured during the run at rows 0, 3, 17")
    assert masked.startswith("✓ passed: masked cells that are not exactly 0: 0 of 1,234, as it has")
    assert added == "✓ passed: newly visible cells above 0: 567 of 567"
    assert more.get_attribute("aria-expanded") == "true"
    assert more.inner_text() == "hide details"
    listed = page.locator(f"#{more.get_attribute('aria-controls')}")
    assert listed.get_attribute("aria-label") == "what was checked"
    press()
    live.until(lambda: not view.unfolded)
    assert lines(page) == []


def test_what_could_not_be_checked_is_not_passed(live_page):
    page = live_page(shown(output_error=None, added=0, added_nonzero=0)).page
    assert sign(page) == "–"
    page.get_by_role("button", name="details").click()
    signs = page.locator(".sv-receipt-details .sv-receipt-sign").all_inner_texts()
    assert signs == ["–", "✓", "–"]


def test_it_stays_unfolded_from_head_to_head(live_page):
    view = shown()
    live = live_page(view)
    live.page.get_by_role("button", name="details").click()
    assert len(lines(live.page)) == 3
    view.state = "checking"
    live.deliver()
    assert lines(live.page) == []
    view.show(replace(GOOD, masked=4321))
    live.deliver()
    assert "0 of 4,321" in lines(live.page)[1]


@pytest.mark.parametrize("dark", [False, True])
def test_a_failure_is_read_in_a_narrow_column(static_page, dark):
    page = static_page(shown(output_error=1.0), width=400, dark=dark)
    summary = page.locator(".sv-receipt-summary")
    assert summary.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    assert summary.inner_text().endswith("does not give the layer's output")
    assert contrast(summary) >= 4.5
    page.get_by_role("button", name="details").click()
    assert len(lines(page)) == 3
    for line in page.locator(".sv-receipt-text").all():
        assert contrast(line.locator(".sv-receipt-label")) >= 4.5
        assert contrast(line.locator(".sv-receipt-value")) >= 4.5
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_text_is_text(live_page):
    view = ReceiptView(
        state="failed",
        summary=HOSTILE,
        details=[{"label": HOSTILE, "value": HOSTILE, "ok": None}],
        unfolded=True,
    )
    page = live_page(view).page
    assert page.locator(".sv-receipt-summary").inner_text() == HOSTILE
    assert lines(page) == [f"– nothing to check: {HOSTILE}: {HOSTILE}"]
    assert page.locator("b, #segviz script").count() == 0
