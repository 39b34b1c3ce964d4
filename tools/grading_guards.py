"""Preprocessors that close holes of nbgrader's autograder (0.9.6). nbgrader_config.py puts them in their places."""

import secrets

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute, NbGraderPreprocessor


class DropDuplicateIds(NbGraderPreprocessor):
    """Of cells with the same grade id, the last one stays a graded cell, the copies become ordinary cells.

    JupyterLab copies the id when a student copies a cell. nbgrader's own DeduplicateIds leaves `nbgrader: {}` in the
    copies, on which the whole run aborts (jupyter/nbgrader#1083).
    """

    def preprocess(self, nb, resources):
        seen = set()
        for cell in reversed(nb.cells):
            meta = cell.metadata.get("nbgrader")
            if meta is None:
                continue
            grade_id = meta.get("grade_id")
            if not grade_id or grade_id in seen:
                self.log.warning("a copy of the graded cell %r becomes an ordinary cell", grade_id)
                del cell.metadata["nbgrader"]
            else:
                seen.add(grade_id)
        return nb, resources


# Appended to each test cell while it runs (the line numbers of the tests stay): shows that the tools of the tests still
# fail when they should, then writes a number that only this run knows.
TAIL = """
def _guard():
    import sys
    import numpy.testing
    import torch
    shell = get_ipython()
    changed = shell.ast_transformers or shell.input_transformers_post or shell.events.callbacks["pre_run_cell"]
    def fails(check):
        try:
            check()
        except AssertionError:
            return True
        return False
    def plain():
        assert not 1
    def close():
        torch.testing.assert_close(torch.zeros(2), torch.ones(2))
    changed = changed or not all([
        fails(plain), fails(close), not torch.equal(torch.zeros(2), torch.ones(2)),
        not torch.allclose(torch.zeros(2), torch.ones(2)),
        fails(lambda: numpy.testing.assert_array_equal([0], [1])),
        fails(lambda: numpy.testing.assert_allclose(0.0, 1.0))])
    if changed:
        raise RuntimeError("the test tools were changed by the notebook")
    sys.stdout.write("%s\\n")
_guard()"""


def tests(nb):
    """The automatic test cells of a notebook."""
    return [c for c in nb.cells if c.cell_type == "code" and utils.is_grade(c) and not utils.is_solution(c)]


def join_streams(outputs):
    """Neighbouring pieces of the same stream as one: the kernel may cut a text anywhere."""
    joined: list = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


class GuardedExecute(Execute):
    """Execute, and: a test cell that did not run to its end has failed.

    A kernel that is dead (os._exit, out of memory) or cannot be interrupted fails the tests that have not run yet, not
    the whole submission. The feedback shows the tests without the guard.
    """

    def preprocess(self, nb, resources, km=None):
        # Ordinary cells import PyTorch, which takes long where many kernels start at once.
        self.timeout_func = lambda cell: self.timeout if utils.is_grade(cell) else max(self.timeout, 120)
        number = f"ran to its end: {secrets.token_hex(8)}"
        sources = {cell.metadata.nbgrader.grade_id: cell.source for cell in tests(nb)}
        for cell in tests(nb):
            cell.source += TAIL % number
        missing = "this test did not run to its end"
        try:
            nb, resources = super().preprocess(nb, resources, km)
        except DeadKernelError:
            missing = "the kernel died here or earlier: os._exit, or out of memory or processor time"
            self.log.warning("the kernel died")
        except CellTimeoutError:
            missing = "this cell or an earlier one took too long, and ignored that it was interrupted"
            self.log.warning("the kernel could not be interrupted")
        for cell in tests(nb):
            cell.source = sources[cell.metadata.nbgrader.grade_id]
            cell.outputs = join_streams(cell.outputs)
            ended = False
            for output in cell.outputs:
                if output.output_type == "stream" and number in output.text:
                    ended, output.text = True, output.text.replace(number + "\n", "")
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.text]
            if not ended and not any(o.output_type == "error" for o in cell.outputs):
                lines = [f"TestNotRun: {missing}"]
                cell.outputs.append(new_output("error", ename="TestNotRun", evalue=missing, traceback=lines))
        return nb, resources


class HideTestSource(NbGraderPreprocessor):
    """For the feedback: of an error in a test cell only its message.

    nbgrader's ClearHiddenTests removes the hidden tests from the cells, but tracebacks quote them.
    """

    def preprocess(self, nb, resources):
        for cell in tests(nb):
            for output in cell.outputs:
                if output.output_type == "error":
                    output.traceback = [f"{output.ename}: {output.evalue}"]
        return nb, resources
