"""nbgrader on this repository: solutions/<unit>/ is the source, exercises/<unit>/ the release, grading/ the rest.

Settings from the environment: DCLIB_SANDBOX=0 grades without the sandbox (macOS), DCLIB_GRADE_TIMEOUT is the measure of
all limits by the clock, in seconds, DCLIB_GRADEBOOK the address of the database. solutions/README.md says how grading
works.
"""

import os
import sys

c = get_config()  # noqa: F821 (nbgrader defines it when it runs this file)

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, "tools"))  # grading_guards
os.environ["DCLIB_COURSE_ROOT"] = ROOT
# nbgrader calls `alembic` by its name, the sandbox calls `python`: both must be those of this environment.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", "")
# The tests are small: more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

c.CourseDirectory.root = ROOT
c.CourseDirectory.course_id = "dclib"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.CourseDirectory.solution_directory = "grading/solution"
c.CourseDirectory.source_with_tests_directory = "grading/source_with_tests"
c.CourseDirectory.db_url = os.environ.get("DCLIB_GRADEBOOK") or f"sqlite:///{ROOT}/grading/gradebook.db?timeout=60"
c.CourseDirectory.ignore = [".ipynb_checkpoints", "__pycache__", "*.pyc", ".DS_Store"]

c.ClearSolutions.code_stub = {"python": "# YOUR CODE HERE\nraise NotImplementedError()"}

c.OverwriteCells.add_missing_cells = True
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.ClearOutput",
    "grading_guards.DropDuplicateIds",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grading_guards.JudgedExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "grading_guards.Disarm",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "grading_guards.HideDetails",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.Execute.timeout = int(os.environ.get("DCLIB_GRADE_TIMEOUT", "60"))
c.Execute.startup_timeout = 120
c.Execute.iopub_timeout = 10  # seconds that an interrupted cell has to stop
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s:.)"  # text on stderr (a warning, a progress bar) must not count as a failure

if os.environ.get("DCLIB_SANDBOX", "1") == "1":
    os.environ["JUPYTER_PATH"] = os.path.join(ROOT, "tools", "jupyter")  # kernels/dclib-sandbox/kernel.json
    c.Execute.kernel_name = "dclib-sandbox"
