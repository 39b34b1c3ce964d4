"""Picture: a PNG with a text that is drawn anew."""

from dclib.classroom import plots
from dclib.classroom.demos.picture import Picture


def bar(height):
    fig, ax = plots.figure(width=3, height=2)
    ax.bar([0], [height])
    ax.set_ylim(0, 10)
    return fig


def test_a_picture_is_drawn_anew():
    image = Picture()
    image.draw(bar(3), alt="a bar of height 3")
    before = image.value
    assert before.startswith(b"\x89PNG") and image.alt == "a bar of height 3"
    image.draw(bar(8))
    assert image.value != before and image.alt == "a bar of height 3"
    image.draw(bar(3), alt="again")
    assert image.value == before and image.alt == "again"


def test_a_short_text_instead_of_bytes():
    assert repr(Picture(alt="a cat")) == "Picture('a cat')"
