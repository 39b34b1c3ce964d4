"""dclib.classroom.plots: what the figures show and how they reach the page."""

import re

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from skimage.color import deltaE_ciede2000, rgb2lab

from dclib.classroom import plots

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(colors, matrix):
    """CIELAB coordinates of the colours as a reader with this vision sees them."""
    rgb = np.array([to_rgb(c) for c in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = (linear @ np.array(matrix).T).clip(0, 1)
    return rgb2lab(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)[None])[0]


@pytest.mark.parametrize("vision", VISION)
def test_colors_stay_apart(vision):
    lab = seen(plots.COLORS, VISION[vision])
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 12


def test_a_hundred_clusters_have_a_hundred_signs():
    signs = {(plots.color(k), plots.marker(k)) for k in range(100)}
    assert len(signs) == 100


@pytest.mark.parametrize("k", range(10))
def test_text_colors_can_be_read_on_white(k):
    rgb = np.array(to_rgb(plots.text_color(k)))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) >= 4.4  # WCAG 2 asks for 4.5; hex rounds


def test_style_is_set_by_request_only():
    before = mpl.rcParams["font.size"]
    with plots.style():
        assert mpl.rcParams["font.size"] == plots.STYLE["font.size"] >= 14
    assert mpl.rcParams["font.size"] == before
    plots.figure()
    assert mpl.rcParams["font.size"] == before


def shown(monkeypatch, *arguments, **options):
    """The HTML that `show` puts on the page."""
    found = []
    monkeypatch.setattr("IPython.display.display", found.append)
    plots.show(*arguments, **options)
    (picture,) = found
    return picture


def test_show_carries_the_alt_text(monkeypatch):
    fig, ax = plots.figure(width=4, height=3)
    ax.plot([1, 2])
    picture = shown(monkeypatch, ax, alt='A "rising"\n  line & <nothing> else')
    page = picture._repr_html_()
    assert 'alt="A &quot;rising&quot; line &amp; &lt;nothing&gt; else"' in page
    assert 'width="400"' in page and "data:image/png;base64," in page
    assert picture.png.startswith(b"\x89PNG") and "rising" in repr(picture)


@pytest.mark.parametrize("alt", ["", " \n"])
def test_show_wants_alt_text(monkeypatch, alt):
    with pytest.raises(ValueError, match="alt is empty"):
        shown(monkeypatch, plots.figure()[0], alt=alt)


def test_show_wants_a_figure(monkeypatch):
    with pytest.raises(ValueError, match="Figure or Axes"):
        shown(monkeypatch, [1, 2], alt="numbers")


def test_show_closes_a_pyplot_figure(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    fig, ax = plt.subplots()
    shown(monkeypatch, fig, alt="empty axes")
    assert fig.number not in plt.get_fignums()


def test_the_same_figure_has_the_same_bytes():
    def png():
        fig, ax = plots.figure(width=3, height=2)
        plots.clusters(np.arange(10.0).reshape(5, 2), [0, 1, 0, 1, 2], ax=ax)
        return plots.to_png(fig)

    assert png() == png()


def test_clusters_draws_each_cluster_once():
    x = np.array([[0.0, 0], [1, 1], [5, 5], [6, 6], [7, 5]])
    ax = plots.clusters(x, [0, 0, 3, 3, 3], [[0.5, 0.5], [0, 0], [0, 0], [6, 5.5]], names=["a", "b", "c", "d"])
    sizes = [len(c.get_offsets()) for c in ax.collections]
    assert sizes[:2] == [2, 3]
    assert len(ax.collections) == 2 + 4  # two clusters with points, four centers
    texts = {t.get_text(): t.get_position() for t in ax.texts}
    assert texts == {"a": (0.5, 0.5), "d": (6.0, 5.5)}  # at their centers
    assert ax.get_aspect() == 1


def test_clusters_names_at_medians_and_paths():
    x = np.array([[0.0, 0], [1, 1], [9, 0]])
    path = np.array([[[0.0, 0]], [[1.0, 2]], [[2.0, 2]]])  # three steps of one center
    ax = plots.clusters(x, [0, 0, 0], names=["one"], paths=path)
    assert ax.texts[0].get_position() == (1.0, 0.0)
    assert ax.lines[-1].get_xydata().tolist() == [[0, 0], [1, 2], [2, 2]]


def test_the_start_of_a_path_is_seen_above_another_center():
    path = np.array([[[0.0, 0], [3, 3]], [[3, 3], [1, 2]]])  # the first center ends where the second one started
    ax = plots.clusters(np.eye(2), [0, 1], path[-1], paths=path)
    rings = [c for c in ax.collections if not len(c.get_facecolor())]
    assert {tuple(c.get_offsets()[0].tolist()) for c in rings} == {(0, 0), (3, 3)}
    assert min(c.get_zorder() for c in rings) > max(c.get_zorder() for c in ax.collections if c not in rings)


def test_names_of_clusters_in_one_place_do_not_overlap():
    x = np.array([[0.0, 0], [10, 10], [0, 0.1], [10, 10.1], [0, 10], [10, 0]])
    ax = plots.clusters(x, [0, 0, 1, 1, 2, 2], names=["a", "b", "c"])
    heights = sorted(t.get_position()[1] for t in ax.texts)
    assert len(heights) == 3 and np.diff(heights).min() > 0.5


@pytest.mark.parametrize("x", [np.zeros((3, 3)), np.zeros(4)])
def test_clusters_wants_the_plane(x):
    with pytest.raises(ValueError, match=r"points \(n, 2\)"):
        plots.clusters(x)


def test_embedding_names_the_classes():
    ax = plots.embedding(np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 3)
    assert [t.get_text() for t in ax.texts] == ["0", "1", "2"]
    assert not len(ax.get_xticks())


def test_loss_curve_leaves_out_what_was_not_measured():
    ax = plots.loss_curve({"a": [3.0, np.nan, 1.0], "b": [2.0, 1.9, 1.8]}, first=0)
    assert ax.lines[0].get_xydata().tolist() == [[0, 3], [2, 1]]
    assert [t.get_text() for t in ax.texts] == ["a", "b"]


def test_names_at_the_ends_do_not_overlap():
    curves = {name: [2.0, 1.0 + 0.001 * k] for k, name in enumerate("abcd")}
    heights = sorted(t.get_position()[1] for t in plots.loss_curve(curves).texts)
    assert np.diff(heights).min() > 0.08


def test_heat_map_writes_counts_and_hides_zeros():
    ax = plots.contingency(np.array([[7, 0], [1, 40]]), rows=["cat", "dog"])
    assert sorted(t.get_text() for t in ax.texts) == ["1", "40", "7"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["cat", "dog"]
    by_text = {t.get_text(): t.get_color() for t in ax.texts}
    assert by_text["40"] == "white" and by_text["1"] == "black"  # readable on dark and on light cells
    shares = plots.heat_map([[0.5, 0.25]])
    assert sorted(t.get_text() for t in shares.texts) == ["0.25", "0.50"]


def test_frame_match_frames_what_acc_counts():
    table = np.array([[6, 4, 0], [5, 0, 0], [0, 0, 0]])
    ax = plots.contingency(table)
    plots.frame_match(ax, table)
    frames = [p for p in ax.patches if isinstance(p, Rectangle)]
    centers = {(round(p.get_y() + p.get_height() / 2), round(p.get_x() + p.get_width() / 2)) for p in frames}
    assert centers == {(0, 1), (1, 0)}  # not the greedy 6, and nothing around an empty cell


@pytest.mark.parametrize(
    ("given", "expected"),
    [((4, 1, 5, 6), (4, 5, 6)), ((4, 3, 5, 6), (4, 5, 6, 3)), ((4, 5, 6), (4, 5, 6)), ((4, 64), (4, 8, 8))],
)
def test_pictures(given, expected):
    images = np.random.default_rng(0).normal(size=given)
    found = plots.pictures(images)
    assert found.shape == expected and found.min() == 0 and found.max() == 1


@pytest.mark.parametrize("shape", [(4, 2, 5, 6), (4, 65), (4,)])
def test_pictures_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=re.escape(str(shape))):
        plots.pictures(np.zeros(shape))


def test_image_grid():
    fig = plots.image_grid(np.random.default_rng(0).random((7, 1, 8, 8)), [str(i) for i in range(7)], columns=3)
    assert [len(ax.images) for ax in fig.axes] == [1] * 7 + [0] * 2
    assert [ax.get_title(loc="center") for ax in fig.axes][:7] == [str(i) for i in range(7)]
    assert fig.axes[0].images[0].get_clim() == (0, 1)  # the same gray means the same value in all pictures
    with pytest.raises(ValueError, match="no image"):
        plots.image_grid(np.zeros((0, 8, 8)))


def test_reconstructions():
    x = np.random.default_rng(0).random((5, 1, 8, 8))
    fig = plots.reconstructions(x, [x * 0.5, x * 0.2], noisy=x)
    assert isinstance(fig, Figure) and len(fig.axes) == 20
    labels = [ax.get_ylabel() for ax in fig.axes if ax.get_ylabel()]
    assert labels == ["original", "noisy", "output 1", "output 2"]
    assert np.allclose(fig.axes[15].images[0].get_array(), x[0, 0] * 0.2)
    with pytest.raises(ValueError, match="same number"):
        plots.reconstructions(x, x[:3])
    with pytest.raises(ValueError, match="2 rows and 1 names"):
        plots.reconstructions(x, x, names=["a"])


def test_the_border_lies_halfway_between_two_centers():
    _, ax = plots.figure()
    a, b = np.array([0.0, 0.0]), np.array([4.0, 2.0])
    plots.border(ax, a, b)
    line = ax.lines[0]
    start = np.array(line.get_xy1())
    for point in (start, 2 * np.array(line.get_xy2()) - start):  # two points of the line
        assert np.isclose(np.linalg.norm(point - a), np.linalg.norm(point - b))


def test_a_run_of_lloyd_tells_its_half_steps_apart():
    x = np.random.default_rng(0).normal(size=(20, 2))
    fig = plots.lloyd_run(x, np.arange(20) % 2, [5000.0, 4000.0, 3000.0], np.zeros((2, 2, 2)))
    _, assigned, moved = fig.axes[1].lines
    assert assigned.get_xydata().tolist() == [[1, 5], [3, 3]] and moved.get_xydata().tolist() == [[2, 4]]
    assert [assigned.get_label(), moved.get_label()] == ["points assigned", "centres moved"]


# --- soft clusters ----------------------------------------------------------------------------------------------------


def test_an_ellipse_lies_where_its_equation_says():
    mean, covariance = np.array([1.0, -2.0]), np.array([[3.0, 1.2], [1.2, 0.8]])
    _, ax = plots.figure()
    plots.ellipse(ax, mean, covariance, 2, deviations=(1.5,))
    away = ax.lines[0].get_xydata() - mean
    distances = np.sqrt((away @ np.linalg.inv(covariance) * away).sum(1))
    assert np.allclose(distances, 1.5)
    assert ax.lines[0].get_color() == plots.text_color(2)


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
def test_a_mixture_is_drawn_with_an_ellipse_for_each_component_and_deviation(kind):
    from dclib.gmm import GaussianMixture

    x = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0, 0], [9, 4]], 30, axis=0)
    model = GaussianMixture(2, covariance_type=kind, random_state=0).fit(x)
    ax = plots.mixture(x, model, title="two")
    assert len(ax.lines) == 4 and ax.get_title(loc="left") == "two"
    found = model.covariances_
    if kind in ("full", "tied"):
        variances = np.broadcast_to(found, (2, 2, 2))[:, 0, 0]
    else:
        variances = found[:, 0] if kind == "diag" else found
    for k in range(2):  # the outer ellipse reaches two deviations to the right of its mean
        reach = ax.lines[2 * k + 1].get_xdata().max() - model.means_[k, 0]
        assert reach == pytest.approx(2 * variances[k] ** 0.5, rel=2e-3)


def test_responsibilities_mix_colours():
    _, ax = plots.figure()
    plots.responsibilities(ax, [[0, 0], [1, 1]], [[1, 0], [0.25, 0.75]])
    sure, shared = (points.get_facecolor()[0, :3] for points in ax.collections)
    blue, orange = (np.array(plots.to_rgb(plots.color(k))) for k in (0, 1))
    assert np.allclose(sure, blue) and np.allclose(shared, 0.25 * blue + 0.75 * orange)
