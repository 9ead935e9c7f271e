"""Every kind of figure looks as it did when somebody last looked at it.

After a change that is meant to be seen: ``python -m baselines`` in this folder, look at the
pictures, commit them.
"""

from __future__ import annotations

import matplotlib as mpl
import pytest
from baselines import DPI, FOLDER, VERSION, figures
from matplotlib.testing.compare import compare_images

TOLERANCE = 2.0
"""Root mean square of the pixels' differences; a label that moves by its height gives more."""


@pytest.fixture(scope="module")
def makers():
    return figures()


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.png")))
def test_it_looks_as_it_did(makers, name, tmp_path) -> None:
    version = VERSION.read_text().strip()
    if not mpl.__version__.startswith(f"{version}."):
        pytest.skip(f"text looks different in matplotlib {mpl.__version__} than in {version}")
    path = tmp_path / f"{name}.png"
    makers[name]().savefig(path, dpi=DPI)
    difference = compare_images(str(FOLDER / path.name), str(path), TOLERANCE)
    assert difference is None, difference


def test_every_figure_has_its_picture(makers) -> None:
    assert {path.stem for path in FOLDER.glob("*.png")} == set(makers)
