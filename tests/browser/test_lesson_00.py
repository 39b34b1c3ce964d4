"""The first lesson as a student meets it: opened in a real JupyterLab, restarted and run to its end."""


def test_start_here_runs_to_its_end(lab):
    lab.run("00_start_here.ipynb")
    doctor = lab.page.locator(".jp-RenderedHTML").filter(has_text="The course can run on this machine.")
    details = doctor.locator("pre")
    assert not details.is_visible()
    doctor.locator("summary").click()
    assert details.is_visible() and "Data sets\n" in details.inner_text()
    pictures = lab.page.locator(".jp-OutputArea-output img")
    assert pictures.count() > 0
    for picture in pictures.all():
        assert picture.get_attribute("alt")
        assert picture.evaluate("async e => { await e.decode(); return e.naturalWidth }") > 100
    lab.screenshot("lesson_00")
