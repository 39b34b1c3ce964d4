"""A teacher's and a student's JupyterLab: nbgrader's menu, a graded course in the formgrader, a check by *Validate*."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from lab_page import LabPage

ROOT = Path(__file__).resolve().parents[2]

# What a student could write so that the teacher's browser runs it.
SCRIPTS = """
<img src="x" onerror="window.owned = 1"><script>window.owned = 1</script>
<svg onload="window.owned = 1"></svg> [read this](javascript:window.owned=1)
"""
OUTPUT = """
from IPython.display import HTML, display
display(HTML("<script>window.owned = 1</script>"))
display({"image/png": 'x"><script>window.owned = 1</script>'}, raw=True)
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded course: one student, whose update is wrong, with scripts in an answer and in an output."""
    course = tmp_path_factory.mktemp("course")
    for name in ("nbgrader_config.py", "tools", "solutions", "exercises"):
        source = ROOT / name
        ignore = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        shutil.copytree(source, course / name, ignore=ignore) if source.is_dir() else shutil.copy(source, course / name)
    notebook = nbformat.read(course / "solutions" / "kmeans" / "kmeans.ipynb", 4)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id == "update":
            cell.source = "def update(X, labels, centers):\n    return centers"
        if grade_id == "answer":
            cell.source = SCRIPTS + "It depends on the start."
    notebook.cells.insert(2, nbformat.v4.new_code_cell(OUTPUT))
    notebook.cells.insert(3, nbformat.v4.new_raw_cell(SCRIPTS))
    place = course / "grading" / "submitted" / "ada" / "kmeans"
    place.mkdir(parents=True)
    nbformat.write(notebook, place / "kmeans.ipynb")
    command = [sys.executable, "tools/grade.py", "--jobs=1"]
    run = subprocess.run(command, cwd=course, env={**os.environ, "DCLIB_SANDBOX": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^ada +2 +2 +0 +3 +4 +to grade +4 +to grade +3 +to grade +18$", run.stdout, re.M), run.stdout
    return course


@pytest.fixture(scope="module")
def address(course, serve):
    with serve(course) as address:
        yield address


@pytest.fixture
def lab(chromium, address):
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    lab = LabPage(context.new_page(), address)
    yield lab
    lab.shut_down_kernels()
    context.close()


@pytest.mark.sandbox
def test_a_teacher_reads_grades_in_the_formgrader(lab, address):
    page = lab.page
    page.goto(f"{address}/formgrader/gradebook/kmeans/kmeans")
    row = page.locator("tr").filter(has_text=re.compile(r"18 / 30"))
    row.wait_for()
    row.locator("a").first.click()
    page.locator("#answer").wait_for()
    assert page.locator("#check_update").input_value() in ("", "0")
    assert page.locator("#check_update").get_attribute("placeholder") in ("0", "0.0")
    assert page.locator("#check_lloyd").get_attribute("placeholder") in ("4", "4.0")
    assert "Your centres did not move at all." in page.locator("body").inner_text()
    lab.screenshot("formgrader")


@pytest.mark.sandbox
def test_scripts_of_a_student_do_not_run_in_the_formgrader(lab, address):
    page = lab.page
    page.goto(f"{address}/formgrader/gradebook/kmeans/kmeans")
    page.locator("tr").filter(has_text="18 / 30").locator("a").first.click()
    page.locator("#answer").wait_for()
    page.wait_for_timeout(1000)
    assert "It depends on the start." in page.locator("body").inner_text()
    assert page.evaluate("window.owned") is None
    assert page.locator("[onerror], [onload], a[href^='javascript']").count() == 0


@pytest.mark.sandbox
def test_the_menu_is_there_and_a_student_validates_an_exercise(lab):
    lab.open("exercises/kmeans/kmeans.ipynb")
    page = lab.page
    page.get_by_role("menuitem", name="Nbgrader", exact=True).click()
    entries = page.locator(".lm-Menu-itemLabel").all_inner_texts()
    assert any("Formgrader" in entry for entry in entries) and any("Assignment" in entry for entry in entries), entries
    page.keyboard.press("Escape")
    page.get_by_text("Validate", exact=True).click()
    dialog = page.locator(".jp-Dialog")
    dialog.get_by_text(re.compile("failed|not solved", re.I)).first.wait_for()
    assert "not solved yet" in dialog.inner_text() or "failed" in dialog.inner_text().lower()
    lab.screenshot("validate")
