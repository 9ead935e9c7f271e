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


def test_pages_without_a_kernel_have_no_export(session, static_page):
    page = static_page(explorer_view(session))
    assert page.get_by_role("button", name="Export", exact=True).is_hidden()


def _kept(download):
    """The downloaded file, with its ending."""
    path = download.path().with_name(download.suggested_filename)
    if not path.exists():
        download.save_as(path)
    return path
