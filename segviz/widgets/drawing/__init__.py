"""Drawing: the views as pictures, for places where no page runs (a saved notebook on GitHub).

Matplotlib figures without pyplot, so that nobody's figures are touched. Light theme only: a saved
picture does not know who will look at it. One module per view, ``canvas`` for what they share.
"""
