"""Columns of the history, drawn while `fit` runs."""

from __future__ import annotations

from collections.abc import Sequence

from dclib.classroom import plots
from dclib.classroom.demos.picture import Picture
from dclib.engine.callbacks import Callback, Run


class LivePlot(Callback):
    """Draws columns of the history during `fit`, a panel for each, in the cell that calls `fit`.

    columns: such as ("loss", "acc"); one that is not there (yet) is left out. every: epochs between two pictures.
    """

    def __init__(self, columns: Sequence[str] = ("loss",), every: int = 1):
        if isinstance(columns, str):
            columns = (columns,)
        self.columns, self.every = tuple(columns), every
        self.image = Picture(alt=f"{', '.join(self.columns)} over the epochs")

    def on_fit_start(self, run: Run) -> None:
        from IPython.display import display

        display(self.image)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch % self.every == 0:
            self._draw(run)

    def on_fit_end(self, run: Run) -> None:
        self._draw(run)

    def _draw(self, run: Run) -> None:
        shown = [c for c in self.columns if any(c in row for row in run.history.rows)]
        if shown:
            fig, axes = plots.figure(1, len(shown), width=5.0 * len(shown), height=3.5, squeeze=False)
            for column, ax in zip(shown, axes[0], strict=True):
                plots.loss_curve(run.history[column], ax=ax, ylabel=column)
            self.image.draw(fig)

    def __deepcopy__(self, memo) -> LivePlot:
        return self  # scikit-learn's clone copies parameters; a widget on a page has no copy
