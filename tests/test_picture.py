"""Pictures and figures with sliders: the real callbacks, called as the page calls them."""

import ipywidgets as W
import pytest

from dclib.classroom import plots
from dclib.classroom.demos.picture import Picture, slider_figure


def draw_bar(n):
    fig, ax = plots.figure(width=3, height=2)
    ax.bar([0], [n])
    ax.set_ylim(0, 10)
    return fig


def test_slider_figure_redraws():
    slider = W.IntSlider(3, min=1, max=9)
    box = slider_figure(draw_bar, alt=lambda n: f"a bar of height {n}", n=slider)
    image = box.children[-1]
    assert image.value.startswith(b"\x89PNG") and image.alt == "a bar of height 3"
    before = image.value
    slider.value = 8
    assert image.value != before and image.alt == "a bar of height 8"
    slider.value = 3
    assert image.value == before


def test_slider_figure_plays_the_named_slider():
    slider = W.IntSlider(3, min=1, max=9, step=2)
    box = slider_figure(draw_bar, play="n", interval=200, n=slider)
    button = box.children[0].children[0]
    assert isinstance(button, W.Play)
    assert (button.value, button.min, button.max, button.step, button.interval) == (3, 1, 9, 2, 200)


def test_slider_figure_wrong_play():
    with pytest.raises(ValueError, match="none of the controls"):
        slider_figure(draw_bar, play="m", n=W.IntSlider(3))
    with pytest.raises(ValueError, match="IntSlider"):
        slider_figure(draw_bar, play="n", n=W.FloatSlider(3))


def test_an_error_in_draw_is_not_hidden():
    def draw(n):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        slider_figure(draw, n=W.IntSlider(3))


def test_a_short_text_instead_of_bytes():
    assert repr(Picture(alt="a cat")) == "Picture('a cat')"
