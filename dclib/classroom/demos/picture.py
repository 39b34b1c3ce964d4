"""A picture that is drawn anew, with controls above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets as W
import traitlets
from matplotlib.figure import Figure

from dclib.classroom import plots


class Picture(anywidget.AnyWidget):
    """A PNG with alternative text, drawn anew when its `value` changes; ipywidgets' own Image has no `alt`."""

    _esm = """
    function render({ model, el }) {
      const image = document.createElement("img");
      image.className = "dclib-picture";
      function draw() {
        const old = image.src;
        image.alt = model.get("alt");
        image.src = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
        if (old) URL.revokeObjectURL(old);
      }
      model.on("change:value", draw);
      model.on("change:alt", () => { image.alt = model.get("alt"); });
      draw();
      el.append(image);
    }
    export default { render };
    """
    _css = ".dclib-picture { max-width: 100%; height: auto; }"

    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)

    def draw(self, fig: Figure, alt: str | None = None) -> None:
        """Show this figure; `alt` stays as it is if it is not given."""
        with self.hold_sync():
            self.value = plots.to_png(fig)
            if alt is not None:
                self.alt = alt

    def __repr__(self) -> str:
        return f"Picture({self.alt!r})"


def slider_figure(
    draw: Callable[..., Figure],
    /,
    *,
    alt: str | Callable[..., str] = "",
    play: str | None = None,
    interval: int = 700,
    **controls: W.ValueWidget,
) -> W.VBox:
    """Controls above a picture: draw(**values) returns a matplotlib Figure, anew whenever a control changes.

    alt: what the picture shows, or a function of the values that says so. play: the name of an IntSlider that gets a
    play button, `interval` milliseconds a step. Raises ValueError for a `play` that is no slider of whole numbers.
    """
    image = Picture()

    def values() -> dict[str, Any]:
        return {name: control.value for name, control in controls.items()}

    def update(_=None) -> None:
        image.draw(draw(**values()), alt(**values()) if callable(alt) else alt)

    rows: list[W.Widget] = []
    for name, control in controls.items():
        control.observe(update, "value")
        rows.append(_with_play_button(control, interval) if name == play else control)
    if play is not None and play not in controls:
        raise ValueError(f"play={play!r} is none of the controls: {', '.join(controls)}.")
    update()
    return W.VBox([*rows, image])


def _with_play_button(slider: W.Widget, interval: int) -> W.HBox:
    if not isinstance(slider, W.IntSlider):
        raise ValueError("Only an IntSlider can be played: give `play` the name of one.")
    button = W.Play(value=slider.value, min=slider.min, max=slider.max, step=slider.step, interval=interval)
    button._repeat = button.loop = False
    W.jslink((button, "value"), (slider, "value"))
    return W.HBox([button, slider])
