"""A picture that is drawn anew."""

from __future__ import annotations

import anywidget
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
