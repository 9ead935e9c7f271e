"""Saved figures: asserted by opening the files."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO, StringIO
from pathlib import Path

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont
from matplotlib.artist import Artist
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.font_manager import fontManager
from nbclient import NotebookClient
from PIL import Image
from pypdf import PdfReader

from segviz.figures.carrying import recipe
from segviz.figures.saved import PaperFigure

RECIPE = {
    "format": 1,
    "kind": "flow",
    "keep": "full",
    "arguments": {"layer": 3},
    "traces": [{"model": "a/b", "mask": "causal", "tokens": [" Anna", "<&>", "(é)"]}],
}
TEXT = "Anna $x_1$ pays 5$ (é) ⏎"


def made(text: str = TEXT, **settings) -> PaperFigure:
    """A figure with a picture, ticks and text, of a size with a fraction."""
    figure = PaperFigure(figsize=(3.25, 1.5), recipe=RECIPE, **settings)
    axes = figure.add_axes((0.2, 0.2, 0.6, 0.6))
    axes.imshow(np.arange(12.0).reshape(3, 4), interpolation="none")
    figure.text(0.1, 0.9, text, parse_math=False)
    return figure


def fonts_of(path) -> list:
    """Of every font of a PDF: its name, subtype and descriptor."""
    found = []
    for font in PdfReader(path).pages[0]["/Resources"]["/Font"].values():
        for one in font.get_object().get("/DescendantFonts", [font]):
            entry = one.get_object()
            found.append((entry["/BaseFont"], entry["/Subtype"], entry.get("/FontDescriptor")))
    return found


def words_of(path) -> str:
    return " ".join(PdfReader(path).pages[0].extract_text().split())


def latex() -> str:
    """A LaTeX that can set PGF; tests without one are skipped, in CI too."""
    program = next(filter(None, map(shutil.which, ("pdflatex", "xelatex"))), None)
    finder = shutil.which("kpsewhich")
    found = finder and subprocess.run([finder, "pgf.sty"], capture_output=True, check=False).stdout
    if program is None or not found:
        pytest.skip("LaTeX with the package pgf is not installed")
    return Path(program).name


def test_a_pdf_has_truetype_fonts_text_and_the_asked_for_size(tmp_path) -> None:
    path = tmp_path / "fig.pdf"
    made().savefig(path)
    assert "Anna $x_1$ pays 5$ (é) ⏎" in words_of(path)
    fonts = fonts_of(path)
    assert fonts
    for _name, subtype, descriptor in fonts:
        assert subtype == "/CIDFontType2"
        assert "/FontFile2" in descriptor
    assert [float(x) for x in PdfReader(path).pages[0].mediabox] == [0, 0, 3.25 * 72, 1.5 * 72]


def test_an_svg_has_real_text(tmp_path) -> None:
    path = tmp_path / "fig.svg"
    made().savefig(path)
    assert f">{TEXT}</text>" in path.read_text(encoding="utf-8")
    assert 'width="234pt" height="108pt"' in path.read_text(encoding="utf-8")


def test_a_png_has_the_asked_for_pixels(tmp_path) -> None:
    path = tmp_path / "fig.png"

    def size(figure, **settings) -> tuple[int, int]:
        figure.savefig(path, **settings)
        return Image.open(path).size

    assert size(made()) == (975, 450)
    assert size(made(), dpi=100) == (325, 150)
    assert size(made(png_dpi=200)) == (650, 300)
    with mpl.rc_context({"savefig.dpi": 400}):
        assert size(made()) == (1300, 600)


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_equal_figures_give_equal_files(ending, tmp_path) -> None:
    figure = made()
    first, again, other = (tmp_path / f"{name}.{ending}" for name in ("a", "b", "c"))
    figure.savefig(first)
    figure.savefig(again)
    made().savefig(other)
    assert first.read_bytes() == again.read_bytes() == other.read_bytes()
    made("another text").savefig(other)
    assert first.read_bytes() != other.read_bytes()


def test_the_size_is_exact_unless_one_asks_for_a_tight_one(tmp_path) -> None:
    path = tmp_path / "fig.png"
    with mpl.rc_context({"savefig.bbox": "tight"}):
        made().savefig(path, dpi=100)
        assert Image.open(path).size == (325, 150)
        made().savefig(path, dpi=100, bbox_inches="tight")
    assert Image.open(path).size != (325, 150)


@pytest.mark.parametrize("name", ["fig.jpg", "fig.tiff", "fig", "fig.eps", "fig.PDF.txt"])
def test_other_endings(name, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"saved as \.pdf, \.svg, \.png or \.pgf"):
        made().savefig(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_format_may_be_told(tmp_path) -> None:
    made().savefig(tmp_path / "fig.dat", format="PDF")
    assert (tmp_path / "fig.dat").read_bytes().startswith(b"%PDF")
    made().savefig(str(tmp_path / "FIG.SVG"))
    assert recipe(tmp_path / "FIG.SVG") == RECIPE
    with pytest.raises(ValueError, match="format='jpg'"):
        made().savefig(tmp_path / "fig.pdf", format="jpg")
    with pytest.raises(ValueError, match="leave backend out"):
        made().savefig(tmp_path / "fig.pdf", backend="pgf")


def test_open_files() -> None:
    buffer = BytesIO()
    made().savefig(buffer)
    assert buffer.getvalue().startswith(b"\x89PNG")
    with mpl.rc_context({"savefig.format": "pdf"}):
        made().savefig(buffer := BytesIO())
    assert buffer.getvalue().startswith(b"%PDF")
    made().savefig(text := StringIO(), format="svg")
    assert TEXT in text.getvalue()
    with mpl.rc_context({"savefig.format": "jpg"}), pytest.raises(ValueError, match="savefig.form"):
        made().savefig(BytesIO())


class Failing(Artist):
    def draw(self, _renderer) -> None:
        raise ArithmeticError("drawn")


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_a_failed_save_destroys_nothing_and_changes_nothing(ending, tmp_path) -> None:
    path = tmp_path / f"fig.{ending}"
    path.write_text("an earlier figure")
    before = dict(mpl.rcParams.copy())
    figure = made(rc={"font.size": 5, "svg.fonttype": "path"})
    figure.savefig(BytesIO(), format=ending)
    assert dict(mpl.rcParams.copy()) == before
    figure.add_artist(Failing())
    with pytest.raises(ArithmeticError):
        figure.savefig(path)
    with pytest.raises(ArithmeticError):
        figure.savefig(buffer := BytesIO(), format=ending)
    assert path.read_text() == "an earlier figure"
    assert list(tmp_path.iterdir()) == [path]
    assert buffer.getvalue() == b""
    assert dict(mpl.rcParams.copy()) == before


def test_no_place(tmp_path, monkeypatch) -> None:
    with pytest.raises(FileNotFoundError, match="no folder.*to save a figure in"):
        made().savefig(tmp_path / "gone" / "fig.pdf")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        made().savefig(tmp_path, format="pdf")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(PermissionError, match="may write to: save the figure 'fig.pdf' somewhere"):
        made().savefig(tmp_path / "fig.pdf")


def test_what_was_in_force_when_it_was_made_holds_when_it_is_saved(tmp_path) -> None:
    path = tmp_path / "fig.pdf"
    with mpl.rc_context({"font.family": "serif", "font.serif": ["DejaVu Serif"]}):
        figure = made("Anna")
    with mpl.rc_context({"font.serif": ["cmr10"], "xtick.labelsize": 40}):
        # Ticks are made when they are drawn, and generic names looked up then.
        figure.savefig(path)
    assert {name.split("+")[1] for name, _, _ in fonts_of(path)} == {"DejaVuSerif"}
    figure.savefig(other := tmp_path / "other.pdf")
    assert path.read_bytes() == other.read_bytes()


def test_it_holds_where_others_draw_the_figure_too() -> None:
    """Notebooks print the canvas, without a word to the figure."""
    with mpl.rc_context({"font.family": "serif", "font.serif": ["DejaVu Sans Mono"]}):
        figure, other = made("Anna"), made("Anna")
    pictures = []
    for save in (figure.canvas.print_figure, other.savefig):
        save(buffer := BytesIO(), format="png", dpi=100)
        pictures.append(np.array(Image.open(buffer)))
    np.testing.assert_array_equal(*pictures)
    made("Anna").savefig(buffer := BytesIO(), format="png", dpi=100)
    assert not np.array_equal(np.array(Image.open(buffer)), pictures[0])


def test_the_style_comes_on_top_of_the_users_settings() -> None:
    with mpl.rc_context({"xtick.major.size": 11, "xtick.labelsize": 3}):
        figure = PaperFigure(rc={"xtick.labelsize": 7.5})
    axes = figure.add_axes((0.2, 0.2, 0.7, 0.7))
    axes.cla()
    figure.savefig(BytesIO())
    # Ticks are made where they are drawn, most of them: all but the first.
    tick = axes.xaxis.get_major_ticks()[-1]
    assert tick.label1.get_fontsize() == 7.5
    assert tick.tick1line.get_markersize() == 11


def test_metadata_is_added_to_and_the_recipe_stays(tmp_path) -> None:
    given = {"Author": "Ada Ω", "Keywords": "masks, attention"}
    made().savefig(pdf := tmp_path / "fig.pdf", metadata=given)
    info = PdfReader(pdf).metadata
    assert info.title == "flow, layer 3: a/b under the causal mask"
    assert info.author == "Ada Ω"
    assert info["/Keywords"].startswith("masks, attention ")
    assert "/CreationDate" not in info
    made().savefig(svg := tmp_path / "fig.svg", metadata={"Keywords": ["masks"], "Rights": "CC0"})
    assert ">masks<" in svg.read_text()
    assert "CC0" in svg.read_text()
    made().savefig(png := tmp_path / "fig.png", metadata={"Author": "Ada Ω", "Software": None})
    assert Image.open(png).text["Author"] == "Ada Ω"
    assert "Software" not in Image.open(png).text
    for path in (pdf, svg, png):
        assert recipe(path) == RECIPE
    for path, dropped in ((pdf, "Keywords"), (svg, "Keywords"), (svg, "Title"), (png, "Title")):
        made().savefig(path, metadata={dropped: None})
        assert recipe(path) == RECIPE
    made(title="A title").savefig(pdf)
    assert PdfReader(pdf).metadata.title == "A title"
    with pytest.raises(ValueError, match="choose another name"):
        made().savefig(png, metadata={"segviz-recipe": "mine"})
    with pytest.raises(TypeError, match="as metadata, not as pnginfo"):
        made().savefig(png, pil_kwargs={"pnginfo": None})
    with pytest.raises(TypeError, match="Author of a PDF is a string"):
        made().savefig(pdf, metadata={"Author": ["Ada", "Bo"]})


def test_without_a_recipe_it_is_a_figure_all_the_same(tmp_path) -> None:
    figure = PaperFigure()
    assert figure.recipe is None
    figure.savefig(tmp_path / "fig.pdf")
    with pytest.raises(ValueError, match="carries no recipe"):
        recipe(tmp_path / "fig.pdf")


def test_in_pdf_pages_the_text_is_right(tmp_path) -> None:
    """Their fonts are written at the end, under the settings in force then."""
    path = tmp_path / "pages.pdf"
    with PdfPages(path) as pages:
        made().savefig(pages)
        pages.savefig(made("Ben"))
    assert "Anna $x_1$ pays" in words_of(path)
    assert "Ben" in PdfReader(path).pages[1].extract_text()


@pytest.fixture
def cff_font(tmp_path):
    """A font with CFF outlines: one letter, U+7530, with a hole and curves."""
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "field"])
    builder.setupCharacterMap({0x7530: "field"})
    pen = T2CharStringPen(800, None)
    pen.moveTo((100, 0))
    pen.lineTo((700, 0))
    pen.curveTo((750, 200), (750, 500), (700, 700))
    pen.lineTo((100, 700))
    pen.closePath()
    pen.moveTo((200, 100))
    pen.lineTo((200, 600))
    pen.lineTo((600, 600))
    pen.lineTo((600, 100))
    pen.closePath()
    empty = T2CharStringPen(500, None).getCharString()
    builder.setupCFF("Cff-Regular", {}, {".notdef": empty, "field": pen.getCharString()}, {})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "field": (800, 100)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200)
    builder.setupNameTable({"familyName": "Cff", "styleName": "Regular", "psName": "Cff-Regular"})
    builder.setupPost()
    builder.save(path := tmp_path / "cff.otf")
    known = list(fontManager.ttflist)
    fontManager.addfont(path)
    yield "Cff"
    fontManager.ttflist[:] = known


def test_fonts_with_other_outlines_become_truetype(cff_font, tmp_path) -> None:
    figure = PaperFigure(recipe=RECIPE)
    figure.text(0.1, 0.5, "田田", family=[cff_font, "DejaVu Sans"])
    figure.savefig(path := tmp_path / "fig.pdf")
    ((_name, subtype, descriptor),) = fonts_of(path)
    assert subtype == "/CIDFontType2"
    embedded = TTFont(BytesIO(descriptor["/FontFile2"].get_data()))
    assert embedded.sfntVersion == "\x00\x01\x00\x00"
    glyph = embedded["glyf"][embedded.getGlyphOrder()[-1]]
    # The curve bulges to x = 700 + 50 * 3/4 at its middle.
    bounds = np.array([glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax])
    np.testing.assert_allclose(bounds, [100, 0, 737.5, 700], atol=2)
    assert glyph.numberOfContours == 2
    # Outer contours run clockwise in TrueType, and the other way in CFF.
    x, y = np.array(glyph.coordinates)[: glyph.endPtsOfContours[0] + 1].T
    assert (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() < 0
    assert words_of(path) == "田田"
    assert recipe(path) == RECIPE
    figure.savefig(again := tmp_path / "again.pdf")
    assert path.read_bytes() == again.read_bytes()


def test_pgf_without_latex(tmp_path, monkeypatch) -> None:
    with mpl.rc_context({"pgf.texsystem": "pdflatex"}):
        monkeypatch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(RuntimeError, match="'pdflatex' is not installed: install TeX Live, or"):
            made().savefig(tmp_path / "fig.pgf")
        monkeypatch.setattr(shutil, "which", lambda name: name if name == "lualatex" else None)
        with pytest.raises(RuntimeError, match="texsystem'] to 'lualatex', which is installed"):
            made().savefig(tmp_path / "fig.pgf")
    assert not list(tmp_path.iterdir())


def test_a_pgf_is_set_by_latex(tmp_path) -> None:
    program = latex()
    label = "a_b 50% $x$ {y} \\n #1 <|end|> 5^2"
    with mpl.rc_context({"pgf.texsystem": program}):
        made(label).savefig(tmp_path / "fig.pgf")
        with pytest.raises(ValueError, match="raster"):
            made(label).savefig(StringIO(), format="pgf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fig-img0.png", "fig.pgf"]
    assert recipe(tmp_path / "fig.pgf") == RECIPE
    document = (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{pgf}"
        r"\def\mathdefault#1{#1}\begin{document}\input{fig.pgf}\end{document}"
    )
    (tmp_path / "paper.tex").write_text(document)
    command = [program, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert label.replace(" ", "") in words_of(tmp_path / "paper.pdf").replace(" ", "")


def test_a_failed_pgf_destroys_nothing(tmp_path) -> None:
    program = latex()
    (tmp_path / "fig.pgf").write_text("an earlier figure")
    (tmp_path / "fig-img0.png").write_text("and its picture")
    figure = made()
    figure.add_artist(Failing())
    with mpl.rc_context({"pgf.texsystem": program}), pytest.raises(ArithmeticError):
        figure.savefig(tmp_path / "fig.pgf")
    assert (tmp_path / "fig.pgf").read_text() == "an earlier figure"
    assert (tmp_path / "fig-img0.png").read_text() == "and its picture"
    assert len(list(tmp_path.iterdir())) == 2


SHOWN = """from segviz.figures.saved import PaperFigure
figure = PaperFigure(figsize=(3.25, 1.5), dpi=100)
figure.text(0.1, 0.5, "Anna")
figure.add_axes((0.1, 0.1, 0.8, 0.8))
figure"""


PYPLOT = "import matplotlib.pyplot as plt\n"


@pytest.mark.parametrize(
    "first", ["", "%matplotlib inline\n", PYPLOT, f"{PYPLOT}plt.close(plt.figure())\n"]
)
def test_a_notebook_shows_it_once(first, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    cells = [nbformat.v4.new_code_cell(first + SHOWN), nbformat.v4.new_code_cell("1 + 1")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = [o for cell in notebook.cells for o in cell.outputs if "image/png" in o.get("data", {})]
    assert len(shown) == 1
    assert shown[0].output_type == "execute_result"
    assert shown[0].metadata["image/png"] == {"width": 325, "height": 150}
    assert len(notebook.cells[0].outputs) == 1


def test_a_notebooks_picture_is_sharp() -> None:
    data, size = made(dpi=100)._repr_png_()
    assert Image.open(BytesIO(data)).size == (650, 300)
    assert size == {"width": 325, "height": 150}
