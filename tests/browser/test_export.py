"""The explorer's Export: a file of what is shown arrives in the browser."""

from __future__ import annotations

import pytest
from pypdf import PdfReader

import segviz as sv
from segviz.explorer.links import explorer_view


@pytest.fixture
def session():
    session = sv.Session(sv.load(), sv.examples["chain"], max_new_tokens=2)
    session.wait()
    yield session
    session.close()


@pytest.fixture
def page(session, live_page):
    return live_page(explorer_view(session)).page


def save(page, **choices):
    """Open the choices, take these, save; the download."""
    bar = page.locator(".sv-export")
    if bar.is_hidden():
        page.get_by_role("button", name="Export", exact=True).click()
    for name, value in choices.items():
        bar.get_by_role("combobox", name=name).select_option(value)
    with page.expect_download() as download:
        bar.get_by_role("button", name="Save").click()
    return download.value


def test_the_file_shows_what_the_explorer_shows(session, page):
    session.layer, session.head, session.view, session.scale = 1, 3, "causal", "log"
    session.hide_first, session.pinned = True, 7
    download = save(page, figure="attention", format="pdf", width="text")
    assert download.suggested_filename == "tiny-llama-causal-attention-L1-H3.pdf"
    recipe = sv.figures.recipe(_kept(download))
    assert recipe["kind"] == "attention"
    assert recipe["traces"][0]["mask"] == "causal"
    wanted = {"layer": 1, "head": 3, "scale": "log", "hide_first": True, "highlight": [7]}
    assert wanted.items() <= recipe["arguments"].items()
    assert float(PdfReader(_kept(download)).pages[0].mediabox.width) == pytest.approx(6.75 * 72)


def test_the_difference_is_exported_as_one(session, page):
    session.view = "difference"
    recipe = sv.figures.recipe(_kept(save(page, figure="attention", format="svg")))
    assert [trace["mask"] for trace in recipe["traces"]] == ["causal", "segment"]


def test_what_shows_one_run_is_named_after_it(session, page):
    session.view = "difference"
    assert save(page, figure="heads").suggested_filename == "tiny-llama-difference-heads.pdf"
    download = save(page, figure="arcs", format="svg")
    assert download.suggested_filename == "tiny-llama-segment-arcs-L0-H0.svg"
    assert [trace["mask"] for trace in sv.figures.recipe(_kept(download))["traces"]] == ["segment"]


def test_a_figure_of_three_panels_is_wide_unless_somebody_chose(page):
    page.get_by_role("button", name="Export", exact=True).click()
    figure, width = (page.get_by_role("combobox", name=name) for name in ("figure", "width"))
    seen = {}
    for kind in ["attention", "comparison", "flow", "tokens", "arcs"]:
        figure.select_option(kind)
        seen[kind] = width.input_value()
    assert seen == {
        "attention": "column", "comparison": "text", "flow": "column", "tokens": "text",
        "arcs": "column",
    }  # fmt: skip

    # The flow of the difference has three panels, too.
    figure.select_option("flow")
    page.get_by_role("radio", name="difference").click()
    assert width.input_value() == "text"
    figure.select_option("mask")
    width.select_option("slide")
    figure.select_option("comparison")
    assert width.input_value() == "slide"


@pytest.mark.parametrize("kind", ["comparison", "mask", "heads", "flow", "tokens", "arcs"])
def test_every_kind(page, kind):
    recipe = sv.figures.recipe(_kept(save(page, figure=kind, format="png")))
    assert recipe["kind"] == kind
    assert "saved" in page.locator(".sv-export [role=status]").inner_text()


def test_a_failed_one_says_why_and_the_next_works(page, monkeypatch):
    page.get_by_role("button", name="Export", exact=True).click()

    def fails(*_arguments, **_options):
        raise OSError("no room left")

    with monkeypatch.context() as patched:
        patched.setattr("segviz.session.session.figure_of", fails)
        page.locator(".sv-export").get_by_role("button", name="Save").click()
        page.get_by_text("not saved").wait_for()
    assert "no room left" in page.locator(".sv-explorer > .sv-error").inner_text()
    assert save(page).suggested_filename.endswith(".pdf")
    assert page.locator(".sv-explorer > .sv-error").is_hidden()


def test_after_a_failed_run_it_says_so(session, page, monkeypatch):
    def fails(*_arguments, **_options):
        raise MemoryError("out of room")

    monkeypatch.setattr(session.model, "trace", fails)
    session.run()
    with pytest.raises(RuntimeError):
        session.wait()
    page.get_by_role("button", name="Export", exact=True).click()
    page.locator(".sv-export").get_by_role("button", name="Save").click()
    page.get_by_text("not saved").wait_for()
    shown = page.locator(".sv-explorer > .sv-error").inner_text()
    assert "the last run failed: MemoryError: out of room" in shown


def test_pages_without_a_kernel_have_no_export(session, static_page):
    page = static_page(explorer_view(session))
    assert page.get_by_role("button", name="Export", exact=True).is_hidden()


def _kept(download):
    """The downloaded file, with its ending."""
    path = download.path().with_name(download.suggested_filename)
    if not path.exists():
        download.save_as(path)
    return path
