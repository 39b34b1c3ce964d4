"""JupyterLab as a reader has it on the screen: what the browser tests do with a lesson.

    def test_my_widget(lab):
        lab.run("01_kmeans.ipynb")                      # a new kernel runs all cells: no error, no warning
        widget = lab.widget("Step")                     # the widget that has this text somewhere
        lab.changes(widget.locator("img"), lambda: widget.get_by_role("button", name="Step").click())
        lab.screenshot("kmeans")                        # to look at: tests/browser/shots/, not in git

Playwright's default way to poll (an animation frame) never ends in JupyterLab in headless Chromium: poll by time.
"""

import json
import urllib.request
from pathlib import Path

from playwright.sync_api import TimeoutError

SHOTS = Path(__file__).parent / "shots"
POLL = 200  # milliseconds
RUN_ALL = 600_000  # milliseconds for a whole lesson, on a slow machine that does other things, too

OUTPUT = ".jp-OutputArea-output"
PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')].map(e => e.textContent.trim())"
STARTED = f"() => {PROMPTS}.some(t => /^\\[(\\*|\\d+)\\]:$/.test(t))"
# A folded cell has no prompt in the page, so that the numbers may have gaps.
FINISHED = """() => {
  const failed = document.querySelector("[data-mime-type='application/vnd.jupyter.error']");
  const prompts = PROMPTS;
  const status = document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status;
  return failed || (status === 'idle' && prompts.length > 0 && prompts.every(t => /^\\[\\d+\\]:$/.test(t)));
}""".replace("PROMPTS", PROMPTS)
# What an element shows: a picture's data, else all that is drawn and written inside it.
LOOKS = "e => e.tagName === 'IMG' ? e.src : e.tagName === 'CANVAS' ? e.toDataURL() : e.outerHTML"


class LabPage:
    def __init__(self, page, address):
        self.page, self.address = page, address
        page.set_default_timeout(120_000)
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, name):
        """Open a notebook, wait for its new kernel, and clear the stored outputs, which look like those of a run.

        No restart: the kernel is a new one. (One second after its start a restart can break JupyterLab's connection.)
        """
        self.page.goto(f"{self.address}/lab/tree/{name}?reset")
        self.page.locator(".jp-Notebook").wait_for()
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
        self.menu("Edit", "Clear Outputs of All Cells")
        self.page.wait_for_function(f"() => !document.querySelector('{OUTPUT}')", polling=POLL)

    def menu(self, menu, entry):
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()

    def run(self, name):
        """Open a notebook and run all cells, as from the menu; an error or a warning fails."""
        self.open(name)
        for last in (False, False, True):
            self.menu("Run", "Run All Cells")
            try:  # JupyterLab can lose a click that comes while it is still loading, as one's own at that moment
                self.page.wait_for_function(STARTED, polling=POLL, timeout=20_000)
                break
            except TimeoutError:
                if last:
                    raise
        try:
            self.page.wait_for_function(FINISHED, polling=POLL, timeout=RUN_ALL)
        except TimeoutError as error:
            self.screenshot("not_finished")
            prompts = self.page.locator(".jp-CodeCell .jp-InputArea-prompt").all_inner_texts()
            raise AssertionError(f"{name} did not end: {prompts}, kernels {self.sessions()}") from error
        self.check(name)

    def check(self, name="the notebook"):
        """No error and no warning is on the page."""
        for kind in ("error", "stderr"):
            texts = self.page.locator(f"[data-mime-type='application/vnd.jupyter.{kind}']").all_inner_texts()
            assert not texts, f"{name} shows {kind}:\n" + "\n".join(texts)
        broken = self.page.locator(".jupyter-widgets-error-widget").count()
        assert not broken, f"{name}: {broken} widgets could not be drawn (see the browser's console)"
        assert not self.errors, self.errors

    def widgets(self):
        """All widgets that cells of the notebook show, in order."""
        return self.page.locator(".jp-OutputArea-output > .jupyter-widgets")

    def widget(self, text):
        """The first widget in whose buttons, labels or texts `text` occurs."""
        widget = self.widgets().filter(has_text=text).first
        widget.scroll_into_view_if_needed()
        return widget

    def changes(self, element, action, timeout=120_000):
        """Do `action`; wait until `element` (a locator) looks different; return when its picture is there."""
        element = element.first
        element.wait_for()
        element.scroll_into_view_if_needed()
        before = element.evaluate(LOOKS)
        action()
        handle = element.element_handle()
        condition = f"([e, before]) => ({LOOKS})(e) !== before"
        self.page.wait_for_function(condition, arg=[handle, before], polling=POLL, timeout=timeout)
        if element.evaluate("e => e.tagName") == "IMG":
            width = element.evaluate("async e => { await e.decode(); return e.naturalWidth }")
            assert width > 100, f"the picture is {width} pixels wide"

    def press(self, slider, key="ArrowRight"):
        """One step of a slider by the keyboard; `slider` is a locator around it."""
        slider.locator(".noUi-handle").first.focus()
        self.page.keyboard.press(key)

    def screenshot(self, name):
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def sessions(self):
        """What the server says of each kernel: busy or idle, when it last spoke."""
        with urllib.request.urlopen(f"{self.address}/api/sessions", timeout=60) as answer:
            return json.load(answer)

    def shut_down_kernels(self):
        """Kernels hold memory until the server ends."""
        for session in self.sessions():
            request = urllib.request.Request(f"{self.address}/api/sessions/{session['id']}", method="DELETE")
            urllib.request.urlopen(request, timeout=60).close()
