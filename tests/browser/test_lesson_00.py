"""The first lesson as a student meets it: opened in a real JupyterLab, restarted and run to its end."""


def test_start_here_runs_to_its_end(lab):
    lab.run("00_start_here.ipynb")
    doctor = lab.page.locator(".jp-OutputArea-output").filter(has_text="Data sets")
    assert "The course can run on this machine." in doctor.inner_text()
    pictures = lab.page.locator(".jp-OutputArea-output img")
    assert pictures.count() > 0
    for picture in pictures.all():
        assert picture.get_attribute("alt")
        assert picture.evaluate("async e => { await e.decode(); return e.naturalWidth }") > 100
    lab.screenshot("lesson_00")
