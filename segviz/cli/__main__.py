"""Entry: ``python -m segviz.cli``."""

from __future__ import annotations

import sys

from segviz.cli import main

if __name__ == "__main__":
    sys.exit(main())
