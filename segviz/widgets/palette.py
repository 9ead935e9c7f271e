"""Palette: the light theme's colours, the same as in ``static/base.css`` (a test compares them).

Neighbouring colours differ in hue and lightness for readers with any kind of colour vision.
"""

SEGMENTS = ("#4477aa", "#e08214", "#1b9e77", "#aa3377", "#4db3d9", "#b5a522")
CAUSAL = "#c9ced8"
DECODE = "#c2185b"
INK = "#1f2430"
MUTED = "#5b6472"
