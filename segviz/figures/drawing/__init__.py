"""Drawing: charts as matplotlib artists, on a page of their own or in the user's axes.

One module per kind: ``heatmaps``, ``mask``, ``mosaic``, ``flow``, ``text``, ``arcs``. Heat maps and
masks share ``panels`` (where panels lie: ``layout``; what is around them: ``around``, ``dressing``,
``brackets``, ``labels``; below them: ``foot``), the others draw in ``points`` on one set of axes.
"""
