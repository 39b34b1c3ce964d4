"""Every lesson is a file that a reader can trust: run top to bottom, no error, alt text, no traces of a machine.

That a lesson repeats its stored outputs is tested by nbval (`make test-notebooks`), our part of that is tested here.
"""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import dclib.data

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import minutes  # noqa: E402
import store_outputs  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELLS = range(20, 41)
MOST_LINES = 20
# The form that lessons have.
MOST_SECTIONS, MOST_WORDS, MOST_WORDS_A_CELL, MOST_LINES_A_CELL = 8, 1900, 120, 15
PICTURES = ("image/png", "image/jpeg")
FOLDERS = "home|root|tmp|var|opt|mnt|usr|srv|private|Users|work|workspace|content|kaggle"
MACHINE_PATH = re.compile(rf"(?<![\w.:/~$-])/(?:{FOLDERS})/[\w.-]+|\b[A-Z]:\\\\?Users|ipykernel_\d+")
NOT_IN_CODE = {
    "installs a package": re.compile(r"^\s*[%!]\s*(?:pip|conda|uv|apt)\b|-m[\s\"',]+pip\b", re.M),
    "names a URL": re.compile(r"https?://|\bftp://|\burllib\.request|\brequests\.(?:get|post)\b"),
    "silences all warnings": re.compile(r"(?:filterwarnings|simplefilter)\(\s*[\"']ignore[\"']\s*\)"),
}


def text_of(value) -> str:
    return value if isinstance(value, str) else "".join(value)


def pictures_without_text(cell: dict):
    """What in a cell shows a picture that a blind reader hears nothing about."""
    if cell["cell_type"] == "markdown":
        source = text_of(cell["source"])
        yield from re.findall(r"!\[\s*\]\([^)]*\)", source)
        htmls = [source]
    else:
        htmls = []
        for output in cell.get("outputs", []):
            data, metadata = output.get("data", {}), output.get("metadata", {})
            for kind in PICTURES:
                alt = metadata.get("alt") or metadata.get(kind, {}).get("alt", "")
                if kind in data and len(alt.split()) < 3:
                    yield f"{kind} (show figures with dclib.classroom.plots.show(figure, alt=...))"
            if "image/svg+xml" in data:
                yield "image/svg+xml (use PNG)"
            htmls.append(text_of(data.get("text/html", "")))
    for html in htmls:
        for tag in re.findall(r"<img\b[^>]*>", html):
            if not re.search(r"\balt=\"[^\"]*\w+\s+\w+\s+\w+", tag):
                yield tag[:60]


def readable_text(notebook: dict) -> str:
    """The file without the bytes of pictures, in which anything may occur."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        cell.pop("attachments", None)
        for output in cell.get("outputs", []):
            for kind in PICTURES:
                output.get("data", {}).pop(kind, None)
    notebook["metadata"].pop("widgets", None)
    text = json.dumps(notebook, ensure_ascii=False)
    return re.sub(r"base64,[A-Za-z0-9+/=\\n]+", "", text)


def problems(notebook: dict) -> list[str]:
    """What is wrong with a lesson (its parsed JSON), in words; nothing if all is well."""
    found = []
    cells, metadata = notebook["cells"], notebook["metadata"]
    code = [(number, cell) for number, cell in enumerate(cells) if cell["cell_type"] == "code"]

    def complain(number, what):
        found.append(f"cell {number}: {what}")

    # The file
    if (notebook["nbformat"], notebook["nbformat_minor"]) != (4, 5):
        found.append("not nbformat 4.5")
    if metadata.get("kernelspec") != store_outputs.KERNEL or metadata.get("language_info") != {"name": "python"}:
        found.append("metadata not normalised: run tools/store_outputs.py")
    if set(metadata) - {"kernelspec", "language_info", "widgets"}:
        found.append(f"metadata {sorted(metadata)}: only kernelspec, language_info and widgets are wanted")
    ids = [cell.get("id") for cell in cells]
    if None in ids or len(set(ids)) < len(ids):
        found.append("cell ids are missing or double")
    for number, cell in enumerate(cells):
        folded = {"jupyter"} if cell["metadata"].get("jupyter") == store_outputs.FOLDED else set()
        if noise := set(cell["metadata"]) & set(store_outputs.SESSION_KEYS) - folded:
            complain(number, f"metadata of a session: {sorted(noise)}")
    for match in MACHINE_PATH.findall(readable_text(notebook)):
        found.append(f"a path of a machine: {match}")

    # The shape
    if len(cells) not in CELLS:
        found.append(f"{len(cells)} cells, but a lesson has {CELLS.start} to {CELLS.stop - 1}")
    first = text_of(cells[0]["source"]) if cells else ""
    if not first.startswith("# ") or not re.search(
        r"\bminutes\b.*\bdifficulty\b|\bdifficulty\b.*\bminutes\b", first, re.S | re.I
    ):
        complain(0, "the first cell holds the title, and says minutes and difficulty")
    end = "\n".join(text_of(cell["source"]) for cell in cells[-6:])
    for what, pattern in (
        ("a quiz with <details>", "<details>"),
        ("what to remember", "(?i)remember"),
        ("references", "(?i)references"),
    ):
        if not re.search(pattern, end):
            found.append(f"the last cells lack {what}")
    if not any("assert" in text_of(cell["source"]) for _, cell in code):
        found.append("no cell asserts what the text claims")

    # The code and its stored outputs
    counts = [cell["execution_count"] for _, cell in code]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"not run top to bottom from a fresh kernel: execution counts {counts}")
    state = metadata.get("widgets", {}).get(store_outputs.STATE, {}).get("state", {})
    for number, cell in code:
        source, tags = text_of(cell["source"]), cell["metadata"].get("tags", [])
        lines = len(source.splitlines())
        if lines > MOST_LINES and not minutes.is_folded(cell):
            complain(number, f"{lines} lines of code, more than {MOST_LINES}")
        for what, pattern in NOT_IN_CODE.items():
            if pattern.search(source):
                complain(number, what)
        for tag in tags:
            if tag == "nbval-skip" or (
                tag.startswith(("rtol", "atol")) and not re.fullmatch(r"[ra]tol=\d*\.?\d+", tag)
            ):
                complain(number, f"tag {tag!r}")
        for output in cell["outputs"]:
            if output["output_type"] == "error" and "raises-exception" not in tags:
                complain(number, f"a stored error: {output['ename']}")
            view = output.get("data", {}).get(store_outputs.VIEW)
            if view and view["model_id"] not in state:
                complain(number, "a widget without stored state: run tools/store_outputs.py")
    for number, cell in enumerate(cells):
        for picture in pictures_without_text(cell):
            complain(number, f"no alt text: {picture}")
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson(path):
    raw = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(raw)
    found = problems(raw)
    assert not found, "\n".join(found)


def too_long(notebook: dict) -> list[str]:
    """Where a lesson is longer than one sitting allows: sections, words, words of a cell, lines of an open cell."""
    found = []
    text = "\n".join(text_of(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    if (sections := len(re.findall(r"^## \d", text, re.M))) > MOST_SECTIONS:
        found.append(f"{sections} sections, more than {MOST_SECTIONS}")
    if (words := minutes.count(notebook).words) > MOST_WORDS:
        found.append(f"{words} words, more than {MOST_WORDS}")
    for number, cell in enumerate(notebook["cells"]):
        source = text_of(cell["source"])
        lines = sum(bool(line.strip()) for line in source.splitlines())
        if cell["cell_type"] == "code" and not minutes.is_folded(cell) and lines > MOST_LINES_A_CELL:
            found.append(f"cell {number}: {lines} lines, more than {MOST_LINES_A_CELL}, and not folded")
        if number and cell["cell_type"] == "markdown":
            text = source.partition("## Quiz")[0]  # the answers of a quiz are folded
            if (words := minutes.words_of(text)) > MOST_WORDS_A_CELL:
                found.append(f"cell {number}: {words} words, more than {MOST_WORDS_A_CELL}")
    return found


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_one_sitting(path):
    assert not too_long(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_header_says_the_computed_minutes_and_a_difficulty(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    first = text_of(notebook["cells"][0]["source"])
    remedy = f"run tools/minutes.py --write {path.relative_to(ROOT)}"
    assert minutes.stated(notebook) == minutes.count(notebook).minutes, remedy
    assert re.search(r"\*\*Difficulty:?\*\*:? [123] of 3\b", first), "Difficulty: 1, 2 or 3 of 3"
    assert path == LESSONS[-1] or "Next" in text_of(notebook["cells"][-1]["source"])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_predictions_are_answered_by_their_numbers(path):
    text = "\n".join(text_of(c["source"]) for c in json.loads(path.read_text(encoding="utf-8"))["cells"])
    asked = re.findall(r"^(\d+)\. ", re.search(r"\*\*Predict.*?(?=^#)", text, re.S | re.M)[0], re.M)
    answered = {n for found in re.findall(r"\(predictions? ([\d, and]+)[);]", text) for n in re.findall(r"\d+", found)}
    assert asked and set(asked) == answered


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_stored_demonstrations_have_todays_scripts(path, tmp_path):
    copy_ = tmp_path / path.name
    copy_.write_bytes(path.read_bytes())
    assert store_outputs.refresh_demos(copy_) == 0, f"run tools/store_outputs.py --demos {path.relative_to(ROOT)}"


def test_minutes_are_counted_by_hand(tmp_path):
    quiz = "## Quiz\n**1.** Why?\n<details><summary>Answer</summary>So it is.</details>"
    cells = [
        new_markdown_cell("# A b c\n\n**Time:** 5 minutes. **Difficulty:** 1 of 3"),  # 10 words
        new_markdown_cell("**Predict.**\n\n1. One?\n2. Two?\n\n$$x = y$$ and $$z$$ one [two](three.ipynb)"),  # 8 words
        new_code_cell("from dclib.classroom.demos import EMStepper\n\nEMStepper()"),  # 2 lines, 1 demonstration
        new_code_cell("\n".join(["x"] * 98)),
        new_code_cell("\n".join(["y"] * 500), metadata={"jupyter": {"source_hidden": True}}),  # nobody reads it
        new_markdown_cell(quiz),  # 7 words, 1 question
    ]
    path = write(tmp_path / "lesson.ipynb", *cells)
    counts = minutes.count(json.loads(path.read_text()))
    assert counts == (25, 2, 100, 3, 1) and counts.minutes == 20  # 25/120 + 2 + 5 + 6 + 8 = 21.2
    minutes.main([str(path), "--write"])
    assert minutes.stated(json.loads(path.read_text())) == 20
    once = path.read_bytes()
    minutes.main([str(path), "--write"])
    assert path.read_bytes() == once


def test_lessons_are_numbered_and_start_at_00():
    names = [path.name for path in LESSONS]
    assert names, "no lessons"
    assert names[0] == "00_start_here.ipynb"
    assert all(re.fullmatch(r"\d\d_[a-z_]+\.ipynb", name) for name in names), names
    assert len({name[:2] for name in names}) == len(names), "a number twice"


def live_widgets(notebook: dict) -> set[str]:
    """The kinds of widgets that a lesson shows, without those of which progress bars are made."""
    states = notebook["metadata"].get("widgets", {}).get(store_outputs.STATE, {}).get("state", {})
    bars = {"HBoxModel", "HTMLModel", "FloatProgressModel", "LayoutModel", "HTMLStyleModel", "ProgressStyleModel"}
    return {state["model_name"] for state in states.values()} - bars


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_with_widgets_is_clicked_in_a_browser(path):
    widgets = live_widgets(json.loads(path.read_text(encoding="utf-8")))
    test = ROOT / "tests" / "browser" / f"test_lesson_{path.name[:2]}.py"
    assert not widgets or test.exists(), f"{path.name} shows {sorted(widgets)}: click them in {test.name}"


# --- the checks themselves: a good lesson passes, each mistake is found -----------------------------------------------


def good_lesson() -> dict:
    cells = [new_markdown_cell("# A lesson\n\nNeeds 40 minutes. Difficulty: easy.")]
    cells += [new_code_cell(f"assert {n} > 0", execution_count=n) for n in range(1, 20)]
    cells.append(new_markdown_cell("## What to remember\n<details>why</details>\n## References"))
    notebook = new_notebook(
        cells=cells, metadata={"kernelspec": store_outputs.KERNEL, "language_info": {"name": "python"}}
    )
    notebook.nbformat_minor = 5
    return json.loads(nbformat.writes(notebook))


def picture(alt=None):
    return {
        "output_type": "display_data",
        "data": {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"},
        "metadata": {"image/png": {"alt": alt}} if alt else {},
    }


def test_a_good_lesson_has_no_problems():
    lesson = good_lesson()
    lesson["cells"][2]["outputs"] = [picture("Two lines cross at zero")]
    assert problems(lesson) == []


def change_code(source, **fields):
    def change(lesson):
        lesson["cells"][3].update({"source": source, **fields})

    return change


def change_output(output):
    return change_code("1", outputs=[output])


html = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<img src='x.png' alt=\"\">"}}
error = {"output_type": "error", "ename": "KeyError", "evalue": "", "traceback": []}
stream = {"output_type": "stream", "name": "stdout", "text": "saved in /home/me/model.safetensors"}
widget = {"output_type": "display_data", "metadata": {}, "data": {store_outputs.VIEW: {"model_id": "ab"}}}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda n: n["metadata"].update(language_info={"name": "python", "version": "3.11"}), "not normalised"),
        (lambda n: n["cells"][1].update(id=n["cells"][2]["id"]), "ids"),
        (lambda n: n["cells"][1]["metadata"].update(execution={}), "session"),
        (lambda n: n["cells"].pop(5), "execution counts"),
        (lambda n: n.update(cells=n["cells"][:2] + n["cells"][4:]), "19 cells"),
        (lambda n: n["cells"][0].update(source="# Title"), "first cell"),
        (lambda n: n["cells"][-1].update(source="The end"), "a quiz"),
        (lambda n: n["cells"][-1]["source"].append("![](picture.png)"), "alt text"),
        (change_code("1", execution_count=7), "execution counts"),
        (change_code("1", execution_count=None), "execution counts"),
        (change_code("x = 1\n" * 21), "21 lines"),
        (change_code("!pip install torch"), "installs"),
        (change_code("x = load('https://example.org/x.npz')"), "URL"),
        (change_code("import warnings\nwarnings.filterwarnings('ignore')"), "silences"),
        (change_code("1", metadata={"tags": ["nbval-skip"]}), "nbval-skip"),
        (change_code("1", metadata={"tags": ["rtol:0.1"]}), "rtol:0.1"),
        (change_output(error), "KeyError"),
        (change_output(stream), "/home/me"),
        (change_output(picture()), "alt text"),
        (change_output(picture("plot")), "alt text"),
        (change_output(html), "alt text"),
        (change_output(widget), "stored state"),
    ],
)
def test_each_mistake_is_found(change, complaint):
    lesson = good_lesson()
    change(lesson)
    assert complaint in "\n".join(problems(lesson))


# --- tools/store_outputs.py and notebooks/conftest.py -----------------------------------------------------------------

WIDGET = """\
import warnings
import ipywidgets
from tqdm.auto import tqdm
warnings.warn("careful")
for _ in tqdm(range(3)): pass
slider = ipywidgets.IntSlider(value=3)
ipywidgets.VBox([slider, ipywidgets.Image(value=b"png")])"""


def write(path: Path, *cells) -> Path:
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def test_a_second_run_stores_the_same_bytes(tmp_path):
    path = write(tmp_path / "widget.ipynb", new_code_cell(WIDGET, metadata={"scrolled": True}))
    assert store_outputs.main([str(path)]) == 0
    once = path.read_bytes()
    assert store_outputs.main([str(path)]) == 0
    assert path.read_bytes() == once
    notebook = json.loads(once)
    (cell,) = notebook["cells"]
    assert cell["execution_count"] == 1
    assert cell["metadata"] == {}
    views = [
        o["data"][store_outputs.VIEW]["model_id"] for o in cell["outputs"] if store_outputs.VIEW in o.get("data", {})
    ]
    assert len(views) == 2  # the bar and the box
    assert set(views) <= set(notebook["metadata"]["widgets"][store_outputs.STATE]["state"])
    assert {"IntSliderModel", "ImageModel"} <= live_widgets(notebook)
    assert "FloatProgressModel" not in live_widgets(notebook)


def test_a_failing_notebook_is_named_and_left_alone(tmp_path, capsys):
    bad = write(tmp_path / "bad.ipynb", new_code_cell("x = 1"), new_code_cell("x / 0"))
    good = write(tmp_path / "good.ipynb", new_code_cell("print(2)"))
    before = bad.read_bytes()
    assert store_outputs.main([str(bad), str(good), str(tmp_path / "none.ipynb")]) == 1
    assert bad.read_bytes() == before
    assert json.loads(good.read_text())["cells"][0]["outputs"][0]["text"] == ["2\n"]
    message = capsys.readouterr().err
    assert "bad.ipynb: code cell 2 failed" in message
    assert "ZeroDivisionError" in message
    assert "none.ipynb" in message


def test_full_size_goes_to_its_own_folder(tmp_path, monkeypatch, capsys):
    """One lesson of one size, one that fails half-way, and one whose data set cannot be had; none is changed."""

    def no_data(name):
        raise dclib.data.DatasetUnavailable(f"{name}: ways out")

    size = "from dclib import by_profile\nprint(by_profile(fast='small', full='large'))"
    one = write(tmp_path / "one.ipynb", new_code_cell("1"))
    bad = write(tmp_path / "bad.ipynb", new_code_cell(size), new_code_cell("assert False"), new_code_cell("3"))
    far = write(tmp_path / "far.ipynb", new_code_cell('x = load(by_profile(fast="mnist5k", full="mnist"))'))
    for cell in (raw := json.loads(bad.read_text()))["cells"]:
        cell.update(execution_count=1, outputs=[{"output_type": "stream", "name": "stdout", "text": "stored"}])
    bad.write_text(json.dumps(raw))
    before = {path: path.read_bytes() for path in (one, bad, far)}
    monkeypatch.setattr(store_outputs, "ROOT", tmp_path)
    monkeypatch.setattr(dclib.data, "load", no_data)
    monkeypatch.setenv("DCLIB_PROFILE", "fast")
    assert store_outputs.main(["--profile", "full", *map(str, before)]) == 1
    assert {path: path.read_bytes() for path in before} == before
    (run,) = (tmp_path / "build" / "full").iterdir()  # as far as it went, without the outputs of the other size
    cells = json.loads(run.read_text())["cells"]
    assert (run.name, cells[0]["outputs"][0]["text"], cells[2]["outputs"]) == ("bad.ipynb", ["large\n"], [])
    printed = capsys.readouterr()
    assert "skipped" in printed.out and "one.ipynb" in printed.out
    assert "bad.ipynb: code cell 2 failed" in printed.err and "AssertionError" in printed.err
    assert "far.ipynb: its full size needs the data set mnist" in printed.err and "ways out" in printed.err


def test_full_size_says_its_minutes(tmp_path, monkeypatch, capsys):
    path = write(tmp_path / "good.ipynb", new_code_cell("from dclib import by_profile\nby_profile(fast=1, full=2)"))
    monkeypatch.setattr(store_outputs, "ROOT", tmp_path)
    monkeypatch.setenv("DCLIB_PROFILE", "fast")
    assert store_outputs.main(["--profile", "full", str(path)]) == 0
    assert re.search(r"good\.ipynb  \(\d+\.\d minutes, \d+\.\d of them on a processor", capsys.readouterr().out)
    assert (
        "text/plain"
        in json.loads((tmp_path / "build" / "full" / "good.ipynb").read_text())["cells"][0]["outputs"][0]["data"]
    )


def test_cells_without_ids_get_the_same_ids_each_time(tmp_path):
    path = write(tmp_path / "old.ipynb", new_code_cell("1"), new_code_cell("1"))
    raw = json.loads(path.read_text())
    for cell in raw["cells"]:
        del cell["id"]
    path.write_text(json.dumps({**raw, "nbformat_minor": 4}))
    ids = [[cell.id for cell in store_outputs.read(path).cells] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


# What a cell prints when its output is stored, what it prints later, its tags, and whether that is the same.
COMPARED = [
    ("acc 0.934, n 500", "acc 0.934, n 500", [], True),
    ("acc 0.934, n 500", "acc 0.935, n 500", [], False),
    ("acc 0.934, n 500", "acc 0.95, n 500", ["rtol=0.05"], True),
    ("acc 0.934, n 500", "acc 0.80, n 500", ["rtol=0.05"], False),
    ("acc 0.934, n 500", "acc 0.934, n 501", ["rtol=0.05"], False),
    ("acc 0.934, n 500", "nmi 0.934, n 500", ["rtol=0.05"], False),
    ("acc 0.934, n 500", "acc 0.934", ["rtol=0.05"], False),
    ("loss -0.01", "loss 0.01", ["atol=0.03"], True),
    ("loss -0.01", "loss 0.05", ["atol=0.03"], False),
    ("took 3.1 s, 0x7f3a5b2c", "took 12 s, 0x55aa12345678", [], True),
    ("loss  1e-03", "loss 1.01e-03", ["rtol=0.05"], True),
]


def test_nbval_compares_numbers_by_the_tags_of_a_cell(tmp_path):
    (tmp_path / "conftest.py").write_text((ROOT / "notebooks" / "conftest.py").read_text())
    cells, wanted = [], [same for *_, same in COMPARED]
    for stored, later, tags, _ in COMPARED:
        output = nbformat.v4.new_output("stream", name="stdout", text=stored + "\n")
        cells.append(new_code_cell(f"print({later!r})", metadata={"tags": tags}, outputs=[output], execution_count=1))
    # Of a widget only the class counts, and it does count.
    for stored, same in (("IntSlider(value=3, max=7)", True), ("FloatSlider(value=3.0)", False)):
        data = {store_outputs.VIEW: {"model_id": "0" * 32}, "text/plain": stored}
        output = nbformat.v4.new_output("execute_result", data=data, execution_count=1)
        cells.append(
            new_code_cell("import ipywidgets; ipywidgets.IntSlider(value=5)", outputs=[output], execution_count=1)
        )
        wanted.append(same)
    write(tmp_path / "numbers.ipynb", *cells)
    sanitizer = ROOT / "tests" / "nbval_sanitize.cfg"
    options = ["--nbval", f"--nbval-sanitize-with={sanitizer}", "-c", str(ROOT / "pyproject.toml"), "-rA", "--color=no"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(tmp_path)]
    run = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
    passed = {int(n) for n in re.findall(r"^PASSED .*::Cell (\d+)", run.stdout, re.M)}
    failed = {int(n) for n in re.findall(r"^FAILED .*::Cell (\d+)", run.stdout, re.M)}
    assert passed | failed == set(range(len(wanted))), run.stdout + run.stderr
    assert passed == {n for n, same in enumerate(wanted) if same}, run.stdout
