"""nbgrader on this repository: solutions/<unit>/ is the source, exercises/<unit>/ the release, grading/ the rest.

Settings from the environment: DCLIB_SANDBOX=0 grades without the sandbox (macOS, Windows), DCLIB_GRADE_TIMEOUT is the
number of seconds a cell may take. solutions/README.md says how grading works.
"""

import atexit
import os
import shutil
import sys
import tempfile

c = get_config()  # noqa: F821 (nbgrader defines it when it runs this file)

ROOT = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(ROOT, "tools"))  # grading_guards
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
c.CourseDirectory.db_url = f"sqlite:///{ROOT}/grading/gradebook.db"
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
    "grading_guards.GuardedExecute",
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.GenerateFeedback.preprocessors = [
    "nbgrader.preprocessors.GetGrades",
    "nbgrader.preprocessors.ClearHiddenTests",
    "grading_guards.HideTestSource",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.Execute.timeout = int(os.environ.get("DCLIB_GRADE_TIMEOUT", "60"))
c.Execute.startup_timeout = 120
c.Execute.iopub_timeout = 10  # seconds that an interrupted cell has to stop
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = r"(?s:.)"  # text on stderr (a warning, a progress bar) must not count as a failure

if os.environ.get("DCLIB_SANDBOX", "1") == "1":
    run = os.environ.get("DCLIB_RUN_DIR")
    if not run:  # nbgrader reads this file several times in one process
        run = tempfile.mkdtemp(prefix="dcl-")  # short: the name of a Unix socket has at most 107 characters
        os.environ["DCLIB_RUN_DIR"] = run
        atexit.register(shutil.rmtree, run, ignore_errors=True)
    os.environ["DCLIB_COURSE_ROOT"] = ROOT
    os.environ["JUPYTER_PATH"] = os.path.join(ROOT, "tools", "jupyter")  # kernels/dclib-sandbox/kernel.json
    os.environ["JUPYTER_RUNTIME_DIR"] = run
    c.Execute.kernel_name = "dclib-sandbox"
    for manager in (c.KernelManager, c.AsyncKernelManager):
        manager.transport = "ipc"  # sockets in a folder: the kernel has no network, not even the host's loopback
        manager.connection_file = os.path.join(run, f"kernel-{os.getpid()}.json")
