"""`jupyter nbconvert --to html notebooks/04_gaussian_mixtures.ipynb`, called from here: a lesson as one HTML file.

A demonstration's output holds a widget, which asks the network for its scripts, and HTML that needs none: take that.
"""

c = get_config()  # noqa: F821

c.NbConvertBase.display_data_priority = [
    "text/html",
    "application/vnd.jupyter.widget-view+json",
    "text/markdown",
    "image/svg+xml",
    "text/latex",
    "image/png",
    "image/jpeg",
    "text/plain",
]
