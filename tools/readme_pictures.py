"""The two pictures of the README, taken in Chromium: python tools/readme_pictures.py (needs the extra `test`)."""

import shutil
import tempfile
from pathlib import Path

from nbconvert import HTMLExporter
from playwright.sync_api import Page, sync_playwright

from dclib.classroom.demos import EMStepper
from dclib.classroom.demos.demo import page as html_page

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks" / "pictures"
LESSON = "04_gaussian_mixtures"


def lesson(page: Page, folder: Path) -> None:
    """The first figure of a lesson, with the code above it (formulas need a network)."""
    html, _ = HTMLExporter().from_filename(str(ROOT / "notebooks" / f"{LESSON}.ipynb"))
    (folder / "lesson.html").write_text(html, encoding="utf-8")
    page.goto((folder / "lesson.html").as_uri(), wait_until="domcontentloaded")
    page.wait_for_timeout(2000)
    image = page.locator(".jp-OutputArea-output img").first
    image.scroll_into_view_if_needed()
    top = image.evaluate("e => e.getBoundingClientRect().bottom + window.scrollY") - 795
    page.evaluate("top => window.scrollTo(0, top)", top)
    page.screenshot(path=FOLDER / "lesson.png")


def demonstration(page: Page, folder: Path) -> None:
    """EM after some of its steps."""
    (folder / "demo.html").write_text(html_page([EMStepper()]), encoding="utf-8")
    page.goto((folder / "demo.html").as_uri())
    for _ in range(6):
        page.get_by_role("button", name="Next").click()
    page.locator(".dclib-demo").screenshot(path=FOLDER / "demonstration.png")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1060, "height": 800})
        lesson(page, Path(name))
        demonstration(page, Path(name))
        browser.close()


if __name__ == "__main__":
    main()
