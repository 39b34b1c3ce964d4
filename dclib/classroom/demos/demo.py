"""What the demonstrations share: a widget whose algorithm runs in the page, with or without a kernel behind it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets
from matplotlib.figure import Figure

from dclib.classroom import plots

_HERE = Path(__file__).parent
CSS = (_HERE / "demo.css").read_text(encoding="utf-8")


def joined_script(name: str) -> str:
    """`demo.js` and `<name>.js` as one module: a widget's script cannot import a file beside it."""
    joined = "".join((_HERE / f"{file}.js").read_text(encoding="utf-8") for file in ("demo", name))
    joined = re.sub(r'^import \{[^}]*\} from "\./demo\.js";\n', "", joined, flags=re.M)
    return re.sub(r"^export (?=const|function|class)", "", joined, flags=re.M)


class Demo(anywidget.AnyWidget):
    """A live demonstration. A subclass names its `script`, passes its `settings`, and draws its `still` picture.

    In JupyterLab and in Voilà it is a widget. Its output also holds a page of its own (`to_html`): the same script, for
    where no kernel runs, such as a lesson exported as HTML, and a picture, for where not even a script runs.
    """

    script: ClassVar[str]  # <script>.js exports render({model, el}); its default export holds it
    title: ClassVar[str]  # what a screen reader calls it
    _css = CSS

    settings = traitlets.Dict().tag(sync=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "script" in cls.__dict__:
            cls._esm = joined_script(cls.script)
        super().__init_subclass__(**kwargs)

    def __init__(self, **settings: Any):
        super().__init__(settings=settings)

    def still(self) -> tuple[Figure, str]:
        """The picture that stands in for the demonstration, and its text for readers who cannot see it."""
        raise NotImplementedError

    def to_html(self) -> str:
        """The demonstration as a piece of HTML that needs no kernel and no network; without scripts, its picture."""
        figure, alt = self.still()
        data = base64.b64encode(plots.to_png(figure)).decode()
        picture = (
            f'<img alt="{html.escape(alt)}" style="max-width:100%;height:auto" src="data:image/png;base64,{data}">'
        )
        state = json.dumps(self.settings, separators=(",", ":")).replace("</", "<\\/")
        return _piece(self.script, picture, state)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        data, metadata = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        return data | {"text/html": self.to_html()}, metadata

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _piece(script: str, picture: str, state: str) -> str:
    mark = f"{script}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"
    source = re.sub(r"^export default .*$", "", joined_script(script), flags=re.M)
    return f"""<div data-demo="{mark}">
{picture}
</div>
<style>{CSS}</style>
<script type="module">
{source}
for (const el of document.querySelectorAll('[data-demo="{mark}"]:not([data-live])')) {{
  el.dataset.live = "";
  el.replaceChildren();
  render({{ model: {{ get: () => ({state}), on() {{}} }}, el }});
}}
</script>"""


def refreshed(piece: str) -> str:
    """What `to_html` wrote some time ago, with today's script: the same picture, the same settings."""
    head = re.match(r'<div data-demo="(\w+)-[0-9a-f]+">\n(<img [^>]*>)\n</div>', piece)
    state = re.search(r"get: \(\) => \((.*)\), on\(\) \{\} \}, el", piece)
    if not head or not state:
        raise ValueError("This is no demonstration's HTML, as its to_html writes it.")
    return _piece(head[1], head[2], state[1])


# Beside the demonstrations, where the screen is wide enough for both, so that the first one's picture is in sight.
_PAGE_CSS = """\
body { margin: 8px 16px; font: 18px/1.4 system-ui, "DejaVu Sans", sans-serif; }
h1, h2 { margin: 4px 0; font-size: 22px; line-height: 1.2; }
section { padding-bottom: 48px; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0; font-size: 16px; }
nav a { padding: 3px 0; color: #00568a; }
:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
@media (min-width: 1200px) {
  body { display: grid; grid-template-columns: 200px minmax(0, 1040px); gap: 0 10px; }
  header { position: sticky; top: 8px; align-self: start; max-height: calc(100vh - 16px); overflow-y: auto;
    padding: 0 4px; }
  h1 { font-size: 20px; }
  nav { flex-flow: column; gap: 4px; line-height: 1.25; }
}
@media (max-width: 480px) { body { margin: 8px; } }
"""


def page(
    demos: Iterable[Demo], title: str = "Deep clustering: live demonstrations", lessons: Sequence[str] = ()
) -> str:
    """One HTML page with these demonstrations, complete in itself; `lessons`: the number of each one's lesson."""
    links, parts = [], []
    for place, demo in enumerate(demos):
        heading = html.escape(f"{lessons[place]} · {demo.title}" if lessons else demo.title)
        links.append(f'<a href="#demo-{place + 1}">{heading}</a>')
        parts.append(f'<section id="demo-{place + 1}">\n<h2>{heading}</h2>\n{demo.to_html()}\n</section>')
    row, body = "\n".join(links), "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>{_PAGE_CSS}</style></head>
<body>
<header>
<h1>{html.escape(title)}</h1>
<nav aria-label="The demonstrations">
{row}
</nav>
</header>
<main>
{body}
</main>
</body></html>
"""
