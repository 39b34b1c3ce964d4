"""The live demonstrations without a browser: what the page computes equals dclib, and each output stands alone.

In a browser: tests/browser/test_demos.py.
"""

import base64
import io
import json
import re
import runpy
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dclib.autoencoded_kmeans import AutoencodedKMeans
from dclib.classroom import demos, plots
from dclib.classroom.demos import collapse_player, dec_stepper, judge_table
from dclib.classroom.demos import cost_calculator as costs
from dclib.classroom.demos import lloyd_stepper as lloyd
from dclib.classroom.demos.demo import Demo, joined_script, refreshed
from dclib.classroom.demos.discriminator_surface import HIDDEN, quarters
from dclib.classroom.demos.discriminator_surface import gallery as surface_scenes
from dclib.classroom.demos.em_stepper import gallery
from dclib.classroom.demos.soft_pull import GALLERY, TEMPERATURES
from dclib.dcan import discriminator_loss, draw, encoder_loss
from dclib.dec import kl_divergence, soft_assignment, target_distribution
from dclib.gaussian_clusters import move_clusters
from dclib.gmm import COVARIANCE_TYPES, GaussianMixture, Mixture, em_step, log_joint
from dclib.gradient_kmeans import hard_gradient, soft_gradient, soft_loss
from dclib.kmeans import KMeans, assign, squared_distances, update
from dclib.metrics import contingency, psnr
from dclib.networks import Discriminator
from experiments.claims import CLAIMS
from experiments.verdicts import Claim, Verdict, exhibits, judge

FOLDER = Path(demos.__file__).parent
DEMOS = [
    demos.LloydStepper,
    demos.EMStepper,
    demos.SoftPull,
    demos.LatentExplorer,
    demos.ClaimExplorer,
    demos.NoiseSlider,
    demos.CollapsePlayer,
    demos.DiscriminatorSurface,
    demos.CostCalculator,
    demos.DECStepper,
    demos.ContactSheet,
    demos.JudgeTable,
]
ids = pytest.mark.parametrize("kind", DEMOS, ids=lambda kind: kind.__name__)


def in_page(script: str, code: str, argument):
    """What a demonstration's script returns: `code` is an expression of its exports and of `input`."""
    playwright = pytest.importorskip("playwright._impl._driver", reason="needs node, which comes with playwright")
    node = str(playwright.compute_driver_executable()[0])
    body = joined_script(script) + "\nconst input = JSON.parse(await new Promise(done => { let all = ''; "
    body += "process.stdin.on('data', part => { all += part; }).on('end', () => done(all)); }));\n"
    body += f"process.stdout.write(JSON.stringify({code}));\n"
    run = subprocess.run(
        [node, "--input-type=module", "--eval", body],
        input=json.dumps(argument), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


# --- what all have in common ------------------------------------------------------------------------------------------


@ids
def test_the_output_stands_alone(kind):
    """One mime bundle: a widget, and HTML with a described picture and the script, which asks for nothing outside."""
    data, _ = kind()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    text = data["text/html"]
    alt = re.search(r'<img alt="([^"]+)"', text).group(1)
    assert len(alt.split()) > 8
    assert "data:image/png;base64,iVBOR" in text
    assert not re.search(r"https?://|^import |^export |\bfetch\(", text, re.M)
    assert text.count("<script") == text.count("</script") == 1
    assert data["text/html"] == kind()._repr_mimebundle_()[0]["text/html"]  # stored outputs are compared


def test_a_page_of_all_is_one_file_small_enough_for_a_memory_stick(tmp_path, monkeypatch, capsys):
    """`python tools/demo.py --page FILE`, in the order of the lessons; here, where the pictures are drawn already."""
    path = tmp_path / "demos.html"
    tool = Path(__file__).parents[1] / "tools" / "demo.py"
    monkeypatch.setattr("sys.argv", [str(tool), "--page", str(path)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(tool), run_name="__main__")
    first, last = capsys.readouterr().out.splitlines()  # a word before the wait, and one after it
    assert not end.value.code and "up to a minute" in first and last.startswith(f"{path}: ")
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 5e6
    assert len(set(re.findall(r'<div data-demo="([^"]+)"', text))) == len(DEMOS)
    kinds = [kind for _, kind in runpy.run_path(str(tool))["demonstrations"]() if issubclass(kind, Demo)]
    places = [text.index(f'data-demo="{kind.script}-') for kind in kinds]
    assert places == sorted(places)
    links = re.findall(r'<a href="#([^"]+)">(\d\d · [^<]+)</a>', text)  # the row at the top: one to each heading
    assert links == re.findall(r'<section id="([^"]+)">\n<h2>([^<]+)</h2>', text) and len(links) == len(DEMOS)
    assert links[0][1] == f"01 · {demos.LloydStepper.title}".replace("'", "&#x27;")
    assert "http" not in text.replace("http://www.w3.org", "")


def test_a_stored_demonstration_gets_todays_script():
    piece = demos.SoftPull(dataset=1).to_html()
    old = piece.replace("mulberry32", "an older one").replace(re.search(r"soft_pull-(\w+)", piece)[1], "0123456789ab")
    assert old != piece and refreshed(old) == piece == refreshed(piece)
    with pytest.raises(ValueError, match="no demonstration"):
        refreshed("<p>3</p>")


def test_settings_cannot_end_the_script():
    class Bad(demos.EMStepper):
        pass

    bad = Bad()
    bad.settings = bad.settings | {"title": "</script><b>"}
    assert bad.to_html().count("</script") == 1


def test_every_demonstration_is_listed():
    kinds = {v for n in demos.__all__ if isinstance(v := getattr(demos, n), type) and issubclass(v, Demo)}
    assert kinds - {Demo} == set(DEMOS)
    for kind in DEMOS:
        assert (FOLDER / f"{kind.script}.js").exists()


def test_the_page_has_the_colours_of_the_figures():
    assert in_page("em_stepper", "COLORS", None) == list(plots.COLORS)
    mixed = in_page("em_stepper", "mixed(input)", [0.25, 0.75])
    expected = plots.mixed_colors([[0.25, 0.75]])[0] * 255
    assert np.abs(expected - [int(v) for v in re.findall(r"\d+", mixed)]).max() <= 0.51
    shades = in_page("em_stepper", "input.map(k => dark(color(k)))", list(range(10)))
    for k, shade in enumerate(shades):
        figure_shade = [int(plots.text_color(k)[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(np.subtract(figure_shade, [int(v) for v in re.findall(r"\d+", shade)])).max() <= 2


def test_the_page_draws_at_random_from_a_seed():
    code = "(() => { const g = random(input); return [[...Array(4000)].map(() => g.normal()), g.choose(50, 50)]; })()"
    (normal, chosen), again, other = (in_page("em_stepper", code, seed) for seed in (3, 3, 4))
    assert [normal, chosen] == again != other
    assert abs(np.mean(normal)) < 0.06 and abs(np.std(normal) - 1) < 0.05
    assert sorted(chosen) == list(range(50)) != chosen


# --- Lloyd's algorithm ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_assign_update_and_loss_of_the_page_are_those_of_dclib(seed):
    rng = np.random.default_rng(seed)
    k = 2 + seed
    x, centers = rng.normal(size=(70, 2)) * [3, 1], rng.normal(size=(k, 2))
    centers = np.concatenate([centers, [[40.0, 0.0]]])  # this one has no point
    code = """(() => { const labels = assign(input.x, input.centers), moved = update(input.x, labels, input.centers);
        return { labels, moved, before: lossOf(input.x, labels, input.centers), after: lossOf(input.x, labels, moved),
                 masses: masses(input.x, input.centers) }; })()"""
    got = in_page("lloyd_stepper", code, {"x": x.tolist(), "centers": centers.tolist()})
    rows, weight = torch.from_numpy(x), torch.ones(len(x)).double()
    labels, squares = assign(rows, torch.from_numpy(centers))
    means, counts = update(rows, labels, k + 1, weight)
    assert got["labels"] == labels.tolist()
    assert np.allclose(got["moved"][:k], means[:k], atol=1e-12) and (counts[:k] > 0).all() and counts[k] == 0
    assert got["moved"][k] == [40, 0]  # it stays
    assert got["before"] == pytest.approx(squares.sum().item())
    assert got["after"] == pytest.approx((rows - means[labels]).square().sum().item()) and got["after"] < got["before"]
    assert np.allclose(got["masses"], squares / squares.sum(), atol=1e-12)


LLOYD = """input.map(([x, centers]) => {
  let state = started(centers), count = 0;
  const phases = [];
  while (state.phase !== "stuck" && ++count < 300) { state = next(x, state); phases.push(state.phase); }
  return { ...state, phases, after: next(x, state).losses.length };
})"""


def test_the_page_plays_lloyds_algorithm_to_the_end_of_dclibs():
    x = [plane_points(seed) for seed in range(4)]
    starts = [points[np.random.default_rng(seed).permutation(len(points))[:3]] for seed, points in enumerate(x)]
    found = in_page("lloyd_stepper", LLOYD, [[p.tolist(), s.tolist()] for p, s in zip(x, starts, strict=True)])
    for points, start, state in zip(x, starts, found, strict=True):
        model = KMeans(3, init=start, tol=0).fit(points)
        assert state["labels"] == model.labels_.tolist()
        assert np.allclose(state["centers"], model.cluster_centers_, atol=1e-9)
        assert state["losses"][-1] == pytest.approx(model.inertia_)
        assert len(state["path"]) - 1 == len(state["losses"]) // 2 == model.n_iter_ - 1
        assert (np.diff(state["losses"]) <= 1e-9).all() and state["after"] == len(state["losses"])
        expected = ["assigned", "moved"] * (len(state["path"]) - 1) + ["stuck"]
        assert state["phases"] == expected and state["changed"] == 0
        labels, path = lloyd.played(points, start)
        assert labels.tolist() == state["labels"] and np.allclose(path, state["path"], atol=1e-9)


def test_kmeans_plus_plus_of_the_page_draws_by_its_masses():
    x = [[0, 0], [1, 0], [3, 0]]
    code = """(() => { const g = random(7);
        return [...Array(2000)].map(() => plusPlus(input, 2, g.uniform).map(p => input.indexOf(p))); })()"""
    pairs = np.array(in_page("lloyd_stepper", code, x))
    assert (pairs[:, 0] != pairs[:, 1]).all()
    after_zero = pairs[pairs[:, 0] == 0, 1]
    assert 550 < len(after_zero) < 780 and 0.86 < (after_zero == 2).mean() < 0.94  # 9 of 10
    assert in_page("lloyd_stepper", "plusPlus(input, 2, () => 0.5)", [[1, 1], [1, 1]]) == [[1, 1], [1, 1]]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_borders_lie_halfway_and_no_third_centre_is_nearer(seed):
    rng = np.random.default_rng(seed)
    centers, (x0, x1, y0, y1) = rng.uniform(-6, 6, (2 + 2 * seed, 2)), lloyd.VIEW
    pieces = np.array(in_page("lloyd_stepper", "borders(input[0], input[1])", [centers.tolist(), list(lloyd.VIEW)]))
    for piece in pieces:
        for share in (0.001, 0.3, 0.999):
            at = piece[0] + share * (piece[1] - piece[0])
            distances = np.sort(((centers - at) ** 2).sum(1))
            assert distances[1] == pytest.approx(distances[0], abs=1e-8)
            assert x0 - 1e-9 <= at[0] <= x1 + 1e-9 and y0 - 1e-9 <= at[1] <= y1 + 1e-9
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, 300), np.linspace(y0, y1, 300)), -1)
    nearest = ((grid[:, :, None] - centers) ** 2).sum(3).argmin(2)
    meet = {tuple(sorted(pair)) for pair in zip(nearest[:, 1:].ravel(), nearest[:, :-1].ravel(), strict=True)}
    meet |= {tuple(sorted(pair)) for pair in zip(nearest[1:].ravel(), nearest[:-1].ravel(), strict=True)}
    neighbours = {(a, b) for a, b in meet if a != b}
    middles = pieces.mean(1)
    touching = {tuple(sorted(((centers - m) ** 2).sum(1).argsort()[:2].tolist())) for m in middles}
    assert len(pieces) == len(touching) and neighbours <= touching


def test_what_the_scenes_of_lloyd_say():
    bad, six, long, sizes, rings, none, far = lloyd.gallery()

    def end(scene, start=None):
        x = np.array(scene["points"])
        labels, path = lloyd.played(x, scene["start"] if start is None else start)
        return labels, path[-1], np.square(x - path[-1][labels]).sum()

    def drawn(scene, seeds=range(10)):
        x, k = np.array(scene["points"]), len(scene["start"])
        return [end(scene, x[np.random.default_rng(s).permutation(len(x))[:k]])[2] for s in seeds]

    labels, _, stuck = end(bad)
    assert set(labels[:40]) == {0, 1} and set(labels[40:]) == {2} and stuck > 5 * min(drawn(bad))
    assert len({round(v) for v in drawn(six)}) > 4
    labels, _, right = end(long)
    assert labels.tolist() == [0] * 50 + [1] * 50 and end(long, [[-5, 0], [5, 0]])[2] < 0.7 * right
    labels, centers, found = end(sizes)
    x = np.array(sizes["points"])
    true = sum(np.square(own - own.mean(0)).sum() for own in (x[:140], x[140:]))
    assert (labels[140:] == 1).all() and (labels[:140] == 1).sum() > 10 and found < true
    labels, _, _ = end(rings)
    assert set(labels[:40]) == {0, 1} == set(labels[40:])
    assert np.bincount(end(none)[0], minlength=4).min() > 15
    assert np.bincount(end(far)[0], minlength=3)[2] == 0
    for scene in (bad, six, long, sizes, rings, none, far):
        assert (np.abs(scene["points"]) <= lloyd.HIGH).all() and 2 <= len(scene["start"]) <= 6
    for options, message in (({"dataset": 7}, "0 to 6"), ({"seed": 31}, "0 to 30")):
        with pytest.raises(ValueError, match=message):
            demos.LloydStepper(**options)


# --- EM ---------------------------------------------------------------------------------------------------------------


def plane_points(seed, n=90):
    rng = np.random.default_rng(seed)
    clouds = rng.normal(size=(3, n // 3, 2)) @ rng.normal(size=(3, 2, 2)) + rng.normal(size=(3, 1, 2)) * 4
    return clouds.reshape(-1, 2)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_one_em_step_in_the_page(kind, seed):
    rng, x = np.random.default_rng(seed), plane_points(seed)
    factors = np.tril(rng.normal(size=(3, 2, 2))) + 2 * np.eye(2)
    covariances, weights, means = factors @ factors.transpose(0, 2, 1), rng.dirichlet(np.ones(3)), x[[0, 40, 80]]
    mixture = {"weights": weights, "means": means, "covariances": covariances[:, [0, 0, 1], [0, 1, 1]]}
    mixture = {name: value.tolist() for name, value in mixture.items()}
    code = "{...eStep(input.x, input.mixture), m: mStep(input.x, eStep(input.x, input.mixture).r, input.kind, 1e-3)}"
    got = in_page("em_stepper", code, {"x": x.tolist(), "mixture": mixture, "kind": kind})

    x, start = torch.from_numpy(x), Mixture(*map(torch.from_numpy, (weights, means, np.linalg.cholesky(covariances))))
    assert np.allclose(got["r"], log_joint(x, start).softmax(1), atol=1e-12)
    # dclib's step takes each type from factors of its own shape: its M-step from these responsibilities, by hand.
    r = log_joint(x, start).softmax(1)
    full, bound = em_step(x, start, "full", 0.0)
    assert got["bound"] == pytest.approx(bound, abs=1e-12)
    assert np.allclose(got["m"]["weights"], full.weights) and np.allclose(got["m"]["means"], full.means)
    scatter = full.factors @ full.factors.mT
    shaped = {
        "full": scatter,
        "tied": torch.einsum("k,kij->ij", r.mean(0), scatter).expand(3, 2, 2),
        "diag": torch.diag_embed(scatter.diagonal(dim1=1, dim2=2)),
        "spherical": scatter.diagonal(dim1=1, dim2=2).mean(1)[:, None, None] * torch.eye(2),
    }[kind] + 1e-3 * torch.eye(2)
    assert np.allclose(got["m"]["covariances"], shaped[:, [0, 0, 1], [0, 1, 1]], atol=1e-10)


RUN = """(() => {
  let s = started(input.start);
  while (!isDone(s, input.tol)) s = next(input.x, s, input.kind, 1e-6);
  return {...s.mixture, bounds: s.bounds, labels: s.r.map(row => row.indexOf(Math.max(...row)))};
})()"""


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("seed", [2, 3, 4])
def test_em_in_the_page_from_start_to_end(kind, seed):
    x = plane_points(seed)
    start = x[np.random.default_rng(seed).permutation(len(x))[:3]]
    got = in_page("em_stepper", RUN, {"x": x.tolist(), "start": start.tolist(), "kind": kind, "tol": 1e-4})
    model = GaussianMixture(3, covariance_type=kind, init=start, tol=1e-4, max_iter=1000).fit(x)
    assert len(got["bounds"]) == model.n_iter_ > 3
    # The page's mixture is the one that its last likelihood is of, one M-step before dclib's.
    assert np.allclose(got["bounds"], model.lower_bounds_[:-1], atol=1e-8)
    assert np.mean(np.array(got["labels"]) == model.labels_) > 0.95
    assert np.abs(np.array(got["means"]) - model.means_).max() < 0.1


def test_the_gallery_of_em():
    for dataset in gallery():
        x = np.array(dataset["points"])
        assert len(set(dataset["start"])) == dataset["k"] <= 5 and max(dataset["start"]) < len(x) <= 200
        assert (np.abs(x) <= [10, 8]).mean() > 0.97, "most points are in the picture"
    with pytest.raises(ValueError, match="0 to 5"):
        demos.EMStepper(dataset=6)


# --- gradient k-means -------------------------------------------------------------------------------------------------


def test_the_pull_of_a_point_in_the_page():
    rng = np.random.default_rng(0)
    cases = [
        {"x": rng.normal(size=2).tolist(), "centers": rng.normal(size=(k, 2)).tolist(), "t": t}
        for k in (2, 3)
        for t in (0, 0.05, 1, 7.5)
        for _ in range(3)
    ]
    code = "input.map(c => [c.x, c.centers, c.t]).map(c => [assign(...c).loss, gradient(...c), step(...c, 0.3)])"
    pushed = 0
    for case, (loss, gradient, moved) in zip(cases, in_page("soft_pull", code, cases), strict=True):
        x = torch.tensor([case["x"]], dtype=torch.float64)
        centers = torch.tensor(case["centers"], dtype=torch.float64, requires_grad=True)
        d = squared_distances(x, centers)
        expected = soft_loss(d, case["t"]) if case["t"] else d.min() / 2
        assert loss == pytest.approx(expected.item(), abs=1e-12)
        (by_autograd,) = torch.autograd.grad(expected, centers)
        ours = soft_gradient(x, centers, d, case["t"]) if case["t"] else hard_gradient(x, centers, d.argmin(1))
        assert np.allclose(gradient, by_autograd, atol=1e-12) and np.allclose(gradient, ours.detach(), atol=1e-12)
        assert np.allclose(moved, centers.detach() - 0.3 * ours.detach(), atol=1e-12)
        pushed += bool(((x - centers) * -ours < -1e-9).any())
    assert pushed > 3, "no case in which a centre is pushed away"


def test_the_scenes_of_the_pull():
    assert in_page("soft_pull", "TEMPERATURES", None) == list(TEMPERATURES)
    for scene in GALLERY:
        assert len(scene["centers"]) <= 3 and np.abs([*scene["centers"], scene["point"]]).max() < 4.8
    with pytest.raises(ValueError, match="0 to 3"):
        demos.SoftPull(dataset=4)
    with pytest.raises(ValueError, match=r"0\.3"):
        demos.SoftPull(temperature=3)


# --- the latent space -------------------------------------------------------------------------------------------------


def test_the_lasso_takes_what_matplotlib_takes():
    from matplotlib.path import Path as Polygon

    rng = np.random.default_rng(0)
    points, found = rng.normal(size=(300, 2)), 0
    for corners in (3, 5, 9):
        polygon = rng.normal(size=(corners, 2)) * 1.5
        polygon = polygon[np.argsort(np.arctan2(*(polygon - polygon.mean(0)).T))]  # does not cross itself
        rows = in_page("latent_explorer", "lassoed(...input)", [points.tolist(), polygon.tolist()])
        expected = np.flatnonzero(Polygon(polygon).contains_points(points))
        assert rows == expected.tolist()
        found += 0 < len(rows) < len(points)
    assert found >= 2


def test_what_the_lasso_took_is_counted():
    labels, rows = [3, 1, 1, 2, 3, 3], [0, 1, 2, 4, 5]
    assert in_page("latent_explorer", "counted(...input)", [labels, rows]) == [[3, 3], [1, 2]]


def test_the_explorer_takes_any_codes():
    rng = np.random.default_rng(0)
    codes, images, y = rng.normal(size=(50, 7)), rng.random((50, 1, 8, 8)), np.arange(50) % 3
    demo = demos.LatentExplorer(codes, images, {"class": y, "clusters": (y + 1) % 3}, max_points=30)
    assert len(demo.settings["points"]) == 30 and demo.settings["tile"] == [8, 8]
    assert demo.settings["labels"]["class"] == demo.settings["labels"]["clusters"]  # renamed to match
    with pytest.raises(ValueError, match="'clusters': 49"):
        demos.LatentExplorer(codes, images, {"class": y, "clusters": y[:49]})


# --- the claims -------------------------------------------------------------------------------------------------------


def test_the_page_judges_every_claim_on_file_as_the_tables_do():
    shown = exhibits()
    got = in_page("claim_explorer", "input.map(c => judge(c, seedsOf(c), 99))", shown)
    by_name = {f"{claim.paper} {claim.where}: {claim.what}": judge(claim) for claim in CLAIMS}
    assert len(shown) == sum(bool(v.ours and (v.others or not v.claim.rival)) for v in by_name.values()) > 30
    for one, here in zip(shown, got, strict=True):
        found = by_name[f"{one['paper']} {one['what']}"]
        assert here["verdict"] == one["verdict"] == found.verdict
        assert here["name"] == found.run.split("/")[1]
        assert np.allclose(here["values"], found.ours, atol=1e-6)


def test_the_rule_in_the_page_on_random_claims():
    rng, cases, expected = np.random.default_rng(0), [], []
    for _ in range(400):
        relation = str(rng.choice(["number", "above", "better", "on par"]))
        rival = relation in ("better", "on par")
        ours, others = (rng.normal(0.8, 0.03, size=rng.integers(1, 6)).tolist() for _ in range(2))
        by_formula = rng.normal(0.8, 0.03, size=2).tolist() if rng.random() < 0.5 else []
        value = None if rival else float(rng.normal(0.8, 0.04))
        claim = Claim("a", "b", "c", "d", value, rival=["x"] if rival else (), relation=relation)
        expected.append(Verdict(claim, "x", ours, others, by_formula).verdict)
        cases.append([{"relation": relation, "value": value, "tolerance": claim.tolerance}, ours, others, by_formula])
    got = in_page("claim_explorer", "input.map(c => verdict(...c))", cases)
    assert got == expected
    assert set(got) == {"confirmed", "exceeded", "not reached", "cannot be as printed"}


def test_fewer_seeds_count():
    """The first seeds of the order only; the reading whose mean over them is nearest."""
    near = {"name": "a", "seeds": [0, 1, 2], "values": [0.5, 0.9, 0.6]}
    far = {"name": "b", "seeds": [0, 1], "values": [0.3, 0.79]}
    claim = {
        "relation": "number",
        "value": 0.8,
        "tolerance": 0.02,
        "readings": [near, far],
        "rivals": [],
        "formula": [],
    }
    got = in_page("claim_explorer", "[[[1, 2, 0], 1], [[2, 0, 1], 2]].map(a => judge(input, ...a))", claim)
    assert [(g["name"], g["values"], g["verdict"]) for g in got] == [
        ("b", [0.79], "confirmed"),
        ("a", [0.5, 0.6], "not reached"),
    ]
    assert in_page("claim_explorer", "deviation(input)", [1.0, 2.0, 4.0]) == pytest.approx(np.std([1, 2, 4], ddof=1))
    with pytest.raises(ValueError, match="no claim"):
        demos.ClaimExplorer([])


# --- noise on an image ------------------------------------------------------------------------------------------------


class Halves:
    """Answers with half of each pixel; the cluster is whether the first pixel is below a half."""

    @property
    def autoencoder_(self):
        return self

    def reconstruct(self, x):
        return x / 2

    def predict(self, x):
        return (np.asarray(x)[:, 0, 0, 0] < 0.5).astype(int)


def test_frames_and_decibels_of_the_noise_slider():
    """Each frame that the page looks up is the noisy image or the method's answer, and its decibels are psnr's."""
    x = np.random.default_rng(1).random((3, 1, 6, 6), dtype=np.float32)
    demo = demos.NoiseSlider(x, "abc", {"half": Halves(), "again": Halves()}, draws=2)
    s, noise = demo.settings, np.random.default_rng(0).standard_normal((2, 1, 3, 1, 6, 6), dtype=np.float32)
    places = [
        {"draw": draw, "level": level, "row": row, "image": image}
        for draw in range(2) for level in (0, 3, 10) for row in range(3) for image in range(3)
    ]  # fmt: skip
    frames = in_page("noise_slider", "input[1].map(at => frameOf(input[0], at))", [s, places])
    assert len(set(frames)) == len(places) and min(frames) == 3

    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(s["sprite"].partition(",")[2]))).convert("L")) / 255
    columns = sheet.shape[1] // 6
    for at, frame in zip(places, frames, strict=True):
        draw, level, row, image = at.values()
        noisy = x[image] + 0.1 * level * noise[draw, 0, image]
        answer = noisy / 2 if row else noisy
        i, j = divmod(frame, columns)
        shown = sheet[6 * i : 6 * i + 6, 6 * j : 6 * j + 6]
        assert np.abs(shown - answer[0].clip(0, 1)).max() < 0.07  # 16 shades of gray
        assert s["decibels"][draw][level][row][image] == pytest.approx(min(psnr(x[image], answer), 99), abs=0.051)
        if row:
            kept = (noisy[0, 0, 0] < 0.5) == (x[image, 0, 0, 0] < 0.5)
            assert s["stays"][draw][level][row - 1][image] == kept
    assert in_page("noise_slider", "ranking(input)", [3.0, 9.5, 7.0]) == [1, 2, 0]


def test_the_noise_slider_refuses_what_it_cannot_show():
    x = np.zeros((2, 1, 6, 6), np.float32)
    with pytest.raises(ValueError, match="2 images, 3 names"):
        demos.NoiseSlider(x, "abc", {"half": Halves()})
    with pytest.raises(ValueError, match="0 to 10"):
        demos.NoiseSlider(x, "ab", {"half": Halves()}, level=11)


# --- autoencoded k-means ----------------------------------------------------------------------------------------------


def test_the_alarm_in_the_page_rings_when_dclib_warns():
    words = {"variance": "variance fell", "one cluster": "one cluster owns", "empty": "clusters are empty"}
    z = np.random.default_rng(0).normal(size=(100, 2))
    seen = set()
    for scale, counts in [
        (1, [50, 50]),
        (1e-3, [50, 50]),
        (1, [96, 4]),
        (1, [100, 0]),
        (1, [60, 40, 0]),
        (1e-3, [97, 3, 0]),
    ]:
        model = AutoencodedKMeans(len(counts))
        model.labels_ = np.repeat(np.arange(len(counts)), counts)
        start, codes = float(z.var(0).sum()), z * scale
        state = {"variance": float(codes.var(0).sum()), "shares": [count / 100 for count in counts]}
        bells = in_page("collapse_player", "alarms(...input)", [state, start])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model._warn_of_collapse(codes, start)
        text = " ".join(str(warning.message) for warning in caught)
        assert bool(bells) == bool(caught)
        for bell, phrase in words.items():
            assert (bell in bells) == (phrase in text), (bell, text)
        seen |= set(bells)
    assert seen == set(words)


def test_recorded_trainings_are_those_of_today():
    recorded = json.loads(collapse_player.FILE.read_text(encoding="utf-8"))
    assert recorded["weights"] == list(collapse_player.WEIGHTS) and recorded["epochs"] == list(collapse_player.EPOCHS)
    again = collapse_player.record(weights=(0.1,), epochs=(0, 1, 2))
    frames, fresh = recorded["runs"][recorded["weights"].index(0.1)], again["runs"][0]
    assert [len(run) for run in recorded["runs"]] == [len(recorded["epochs"])] * len(recorded["weights"])
    for old, new in zip(frames[:3], fresh, strict=True):  # on another machine training takes another way in low digits
        assert new["error"] == pytest.approx(old["error"], rel=0.2)
        assert new["variance"] == pytest.approx(old["variance"], rel=0.2)
    variances = [run[-1]["variance"] for run in recorded["runs"]]
    assert variances == sorted(variances, reverse=True), "a larger weight shrinks the codes more"


def test_the_player_starts_at_a_recorded_weight():
    assert demos.CollapsePlayer(weight=0.3).settings["first"] == collapse_player.WEIGHTS.index(0.3)
    with pytest.raises(ValueError, match="recorded are 0, 0.03"):
        demos.CollapsePlayer(weight=0.2)


# --- the discriminator's surface --------------------------------------------------------------------------------------


def random_judge(k, seed):
    torch.manual_seed(seed)
    judge = Discriminator(2, k, hidden=(HIDDEN, HIDDEN)).double()
    net = torch.cat([p.detach().flatten() for p in judge.parameters()])
    generator = torch.Generator().manual_seed(seed)
    drawn, encoded = torch.randn(2, 12, 2, generator=generator, dtype=torch.float64)
    clusters = torch.randint(max(k, 1), (12,), generator=generator)
    values = {"net": net, "drawn": drawn, "encoded": encoded, "clusters": clusters}
    return judge, drawn, encoded, clusters, {name: v.tolist() for name, v in values.items()} | {"k": k}


@pytest.mark.parametrize("k", [0, 3])
def test_the_two_players_steps_in_the_page(k):
    """Losses and gradients are dclib's, by autograd; and two steps of Adam are PyTorch's."""
    judge, drawn, encoded, clusters, given = random_judge(k, seed=k)
    code = """(() => {
      const { net, k, drawn, encoded, clusters } = input, zeros = net.map(() => 0);
      const step = state => adam(state, judging(state.net, k, drawn, encoded, clusters).gradient, 0.02);
      const pushes = saturating => encoded.map((z, i) => push(net, k, z, clusters[i], saturating));
      return { ...judging(net, k, drawn, encoded, clusters), pushes: [pushes(false), pushes(true)],
               logits: encoded.map((z, i) => logit(net, k, z, clusters[i])), size: initial(0, k).length,
               trained: step(step({ net, m: zeros, v: zeros, t: 0 })).net };
    })()"""
    got = in_page("discriminator_surface", code, given)
    z = encoded.requires_grad_()
    logits = judge.logits(z, clusters)
    assert np.allclose(got["logits"], logits.detach(), atol=1e-12)
    for loss, pushes in zip(
        (encoder_loss(logits), -torch.nn.functional.softplus(logits).mean()), got["pushes"], strict=True
    ):
        (slope,) = torch.autograd.grad(loss, z, retain_graph=True)
        assert np.allclose(pushes, -len(z) * slope, atol=1e-12)
    optimizer = torch.optim.Adam(judge.parameters(), 0.02, betas=(0.5, 0.99))
    for number in range(2):
        loss = discriminator_loss(judge.logits(drawn, clusters), judge.logits(encoded.detach(), clusters))
        optimizer.zero_grad()
        loss.backward()
        if number == 0:
            assert got["loss"] == pytest.approx(loss.item(), abs=1e-12)
            assert np.allclose(got["gradient"], torch.cat([p.grad.flatten() for p in judge.parameters()]), atol=1e-12)
        optimizer.step()
    assert np.allclose(got["trained"], torch.cat([p.detach().flatten() for p in judge.parameters()]), atol=1e-9)
    assert got["size"] == len(given["net"])


def test_the_clusters_follow_and_draws_are_drawn_in_the_page():
    rng = np.random.default_rng(0)
    z, means = rng.normal(size=(60, 2)), rng.normal(size=(4, 2))
    means[3] = 50  # a cluster without codes stays
    code = """(() => {
      const clusters = follow(input.z, input.means);
      let i = 0;
      return { ...clusters, drawn: draws(clusters, 0.5, () => input.noise[i++]) };
    })()"""
    noise = rng.normal(size=(60, 2))
    got = in_page(
        "discriminator_surface", code, {"z": z.tolist(), "means": means.tolist(), "noise": noise.ravel().tolist()}
    )
    start = Mixture(torch.ones(4).double() / 4, torch.from_numpy(means), torch.ones(4, 2).double())
    expected = move_clusters(torch.from_numpy(z).float(), start, "k-means")
    assert np.allclose(got["means"], expected.means, atol=1e-6)
    assert np.allclose(got["widths"][:3], expected.factors[:3], atol=1e-6)
    labels = squared_distances(torch.from_numpy(z), expected.means.double()).argmin(1)
    assert got["labels"] == labels.tolist()
    drawn = draw(torch.tensor(got["means"]), torch.tensor(got["widths"]), labels, 0.5 * torch.from_numpy(noise).float())
    assert np.allclose(got["drawn"], drawn, atol=1e-5)


PLAYED = """input.map(([scene, change, rounds]) => {
  const options = {...scene, ...change};
  let state = started(scene.points, scene.means, options, 0);
  for (let i = 0; i < rounds; i++) state = round(state, options);
  const ways = state.z.map((z, i) => push(state.judge.net, options.told ? scene.means.length : 0, z,
                                          state.clusters.labels[i], options.saturating));
  return { z: state.z, labels: state.clusters.labels, objective: state.history,
           push: ways.map(w => Math.hypot(...w)) };
})"""


def test_what_the_scenes_of_the_surface_say():
    three, ring, sure, blind = surface_scenes()
    calls = [(three, {}, 60), (ring, {}, 0), (ring, {}, 60), (sure, {}, 30), (sure, {"saturating": False}, 30)]
    narrow, before, filled, stalled, pushed = in_page("discriminator_surface", PLAYED, calls)

    def within(points, labels):
        z, labels = np.array(points), np.array(labels)
        return np.mean([z[labels == c].var(0).sum() for c in set(labels.tolist())])

    assert within(narrow["z"], narrow["labels"]) < 0.5 * within(three["points"], narrow["labels"])
    radius = [np.linalg.norm(np.array(played["z"]) - np.mean(played["z"], 0), axis=1) for played in (before, filled)]
    assert radius[0].min() > 1 and np.quantile(radius[1], 0.2) < 0.8  # the hole is filled
    assert np.median(stalled["push"]) < 0.05 * np.median(pushed["push"])
    assert all(-2 < value < 0.01 for played in (narrow, filled, stalled) for value in played["objective"])
    with pytest.raises(ValueError, match="0 to 3"):
        demos.DiscriminatorSurface(dataset=4)


def test_outer_codes_move_more_than_inner_ones():
    """The answer to what the first scene asks; and the page counts it as the stored picture does."""
    scene = surface_scenes()[0]
    code = """[0, 1, 2, 3, 4].map(seed => {
      const begun = started(input.points, input.means, input, seed);
      let state = begun;
      for (let i = 0; i < 20; i++) state = round(state, input);
      return { z: state.z, means: begun.clusters.means, ...quarters(begun, state) };
    })"""
    for run in in_page("discriminator_surface", code, scene):
        values = (torch.tensor(v, dtype=torch.float64) for v in (scene["points"], run["means"], run["z"]))
        assert (run["outer"], run["inner"]) == pytest.approx(quarters(*values), abs=1e-9)
        assert run["outer"] > 1.5 * run["inner"]


# --- what a training costs --------------------------------------------------------------------------------------------


def test_the_bill_in_the_page():
    """All networks, images, devices and methods, at random sizes, as in Python; the parts hang on what they should."""
    demo, rng = demos.CostCalculator(), np.random.default_rng(0)
    works, devices = demo.settings["works"], demo.settings["devices"]
    cases = [
        [of, device, method, *(int(v) for v in 10 ** rng.uniform((2, 0, 0.5), (7, 2, 4))), int(rng.integers(1, 300))]
        for kinds in works.values()
        for of in kinds.values()
        for device in devices
        for method in ("autoencoder", "DEC")
    ]
    found = in_page("cost_calculator", "input.map(c => [cost(...c), seconds(cost(...c))])", cases)
    for case, (parts, total) in zip(cases, found, strict=True):
        expected = costs.cost(*case)
        assert parts == pytest.approx(expected, rel=1e-12)
        assert total == pytest.approx(sum(v for k, v in expected.items() if "bytes" not in k))
        assert (parts["p"] > 0) == (case[2] == "DEC")
    a, b = (costs.cost(cases[0][0], devices[0], "autoencoder", 4096, 2, batch) for batch in (64, 128))
    assert a["arithmetic"] == b["arithmetic"]
    assert a["weights"] == 2 * b["weights"] and a["launch"] == 2 * b["launch"]
    assert 2 * a["batch bytes"] == b["batch bytes"] and a["data bytes"] == b["data bytes"]


def test_the_gallery_and_the_sliders_of_the_bill():
    counts = in_page("cost_calculator", "COUNTS", None)
    for scene in costs.GALLERY:
        assert scene["n"] in counts and scene["network"] in costs.NETWORKS and scene["images"] in costs.IMAGES
        assert np.log2(scene["batch"]) in range(4, 13) and 1 <= scene["epochs"] <= 100
    with pytest.raises(ValueError, match="0 to 3"):
        demos.CostCalculator(dataset=4)


def test_the_picture_of_the_bill_says_where_and_for_what():
    fig, alt = demos.CostCalculator(dataset=1).still()
    assert [ax.get_title("left") for ax in fig.axes] == ["a busy core, float32", "a busy core, bfloat16"]
    for text in (fig.axes[0].get_ylabel(), alt):
        assert "70,000 images" in text and "15 epochs" in text


def test_the_work_of_a_dense_network_by_hand():
    """A forward pass is 2 operations a weight, a backward one 4, but the pixels need no gradient."""
    found = costs.work("dense 500-250-10", "28 × 28, gray")
    encoder, whole = 784 * 500 + 500 * 250 + 250 * 10, 2 * (784 * 500 + 500 * 250 + 250 * 10)
    assert found["autoencoder"] == {
        "forward": 2 * whole,
        "training": 6 * whole - 2 * 784 * 500,
        "kept": 784 + 500 + 250 + 10 + 250 + 500 + 784,
        "weights": whole + 2 * (500 + 250) + 10 + 784,
    }
    assert found["DEC"] == {
        "forward": 2 * encoder,
        "training": 6 * encoder - 2 * 784 * 500,
        "kept": 784 + 500 + 250 + 10,
        "weights": encoder + 500 + 250 + 10,
    }


@pytest.mark.parametrize(("n", "batch", "interval"), [(120, 50, 1), (120, 50, 2), (100, 50, 2), (120, 10, 5)])
def test_how_often_p_is_computed(n, batch, interval, monkeypatch):
    from dclib import DEC, Autoencoder, dec, load

    calls = []
    monkeypatch.setattr(dec, "target_distribution", lambda q: calls.append(1) or q)
    start = Autoencoder(2, hidden=(4,), epochs=30, batch_size=50, device="cpu", random_state=0)
    x = load("digits").x[:n]
    model = DEC(
        2, autoencoder=start.fit(x), n_init=1, update_interval=interval, tol=0, epochs=30, batch_size=batch,
        device="cpu", random_state=0,
    )  # fmt: skip
    model.fit(x)
    assert len(calls) == costs.refreshes(n, 30, batch, interval)


def test_the_button_measures_this_machine(monkeypatch):
    """From steps on a machine of known rates it finds these rates."""

    def step_seconds(network, x, precision, device):
        weights, training = 0, 0
        for of in ("dense 500-500-2000-10", "convolutional 32-64-128-10"):
            found = costs.work(of, "28 × 28, gray")["autoencoder"]
            if found["weights"] == sum(p.numel() for p in network.parameters()):
                weights, training = found["weights"] * (of[0] == "d"), found["training"]
        return 2e-3 + weights * costs.BYTES_A_WEIGHT / 20e9 + len(x) * training / (50e9 if weights else 30e9)

    monkeypatch.setattr(costs, "step_seconds", step_seconds)
    demo = demos.CostCalculator()
    before = demo.settings["devices"]
    demo._handle_custom_msg("something else", [])
    assert demo.settings["devices"] == before and demo.settings["measured"] == 0
    demo._handle_custom_msg("measure", [])
    after = demo.settings["devices"]
    assert demo.settings["measured"] == 1 and after[2:] == before[2:]
    for old, rates in zip(before[:2], after[:2], strict=True):
        assert rates["name"] == old["name"].replace("a busy core", "this machine") != old["name"]
        assert set(rates) == set(old) and rates["memory"] > 0.1
        found = [rates[key] for key in ("dense", "conv", "bandwidth", "overhead")]
        assert found == pytest.approx([50, 30, 20, 2], rel=0.02)


def test_a_step_is_timed_on_a_network_that_learns():
    network, x = costs.DenseAutoencoder((64,), 2, hidden=(8,)), torch.rand(50, 64)
    before = [p.detach().clone() for p in network.parameters()]
    assert 0 < costs.step_seconds(network, x, "32-true", "cpu") < 5 and 0 < costs.adam_seconds(1000, "cpu") < 5
    assert all(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


# --- DEC --------------------------------------------------------------------------------------------------------------


def test_votes_target_and_pull_of_the_page_are_those_of_dclib():
    rng = np.random.default_rng(0)
    cases = [
        {"z": rng.normal(size=(12, 2)).tolist(), "mu": rng.normal(size=(3, 2)).tolist(), "s": [power, frequency, alpha]}
        for power, frequency, alpha in ((2, 1, 1), (1, 0, 1), (3, 0.5, 1), (2, 1, 3.5))
    ]
    code = """input.map(({z, mu, s: [power, frequency, alpha]}) => {
        const q = votes(z, mu, alpha), p = target(q, power, frequency);
        return [q, p, divergence(p, q), pulls(z, mu, p, q, alpha)]; })"""
    for case, (q, p, loss, moves) in zip(cases, in_page("dec_stepper", code, cases), strict=True):
        z, mu = (torch.tensor(case[name], dtype=torch.float64, requires_grad=True) for name in ("z", "mu"))
        power, frequency, alpha = case["s"]
        votes = soft_assignment(z, mu, alpha)
        fixed = torch.from_numpy(dec_stepper.sharpened(votes.detach(), power, frequency))
        assert np.allclose(q, votes.detach(), atol=1e-12) and np.allclose(p, fixed, atol=1e-12)
        if (power, frequency) == (2, 1):
            assert np.allclose(p, target_distribution(votes.detach()), atol=1e-12)
        expected = kl_divergence(fixed, votes)
        assert loss == pytest.approx(expected.item(), abs=1e-12)
        gradients = torch.autograd.grad(len(z) * expected, (z, mu))  # kl_divergence is a mean over the codes
        ours = dec_stepper.pull(case["z"], case["mu"], p, q, alpha)
        for name, gradient, by_hand in zip(("z", "centers"), gradients, ours, strict=True):
            assert np.allclose(moves[name], -gradient, atol=1e-12) and np.allclose(by_hand, -gradient, atol=1e-12)


def test_the_page_renews_p_at_every_fifth_step():
    scene = dec_stepper.GALLERY[0]
    code = """(() => { let state = started(input.points, input.centers);
        for (let i = 0; i < 12; i++) state = next(state, {power: 2, frequency: 1, alpha: 1});
        return state; })()"""
    state = in_page("dec_stepper", code, {name: scene[name] for name in ("points", "centers")})
    z, mu = dec_stepper.played(scene["points"], scene["centers"], 12)
    assert np.allclose(state["z"], z, atol=1e-9) and np.allclose(state["centers"], mu, atol=1e-9)
    jumps = np.flatnonzero(np.diff(state["losses"]) > 0) + 1
    assert jumps.tolist() == [5, 10]


def test_power_and_frequency_do_one_thing_each():
    q = np.array([[0.6, 0.4], [0.9, 0.1]])  # f = (1.5, 0.5)
    np.testing.assert_allclose(dec_stepper.sharpened(q, 1, 0), q)
    np.testing.assert_allclose(dec_stepper.sharpened(q, 3, 0)[0], np.array([0.216, 0.064]) / 0.28)
    np.testing.assert_allclose(dec_stepper.sharpened(q, 1, 1)[0], [0.4 / 1.2, 0.8 / 1.2])


def votes_of(scene, n_steps=0):
    z, mu = dec_stepper.played(scene["points"], scene["centers"], n_steps)
    return soft_assignment(torch.from_numpy(z), torch.from_numpy(mu)).numpy()


def test_the_scenes_of_dec_show_what_they_say():
    large, *_, same = (votes_of(scene) for scene in dec_stepper.GALLERY)
    assert large[1].argmax() == 0  # B votes blue; only the frequency sends it to orange
    assert dec_stepper.sharpened(large)[1].argmax() == 1
    assert dec_stepper.sharpened(large, 2, 0)[1].argmax() == 0
    assert np.abs(dec_stepper.sharpened(same) - same).max() < 0.1 < np.abs(dec_stepper.sharpened(large) - large).max()
    for scene, mended in zip(dec_stepper.GALLERY[1:3], (True, False), strict=True):
        for n_steps in (0, 60):  # three true groups of 14 after A, B and C: does each have a cluster?
            groups = votes_of(scene, n_steps).argmax(1)[3:].reshape(3, 14)
            majority = {int(np.bincount(group, minlength=3).argmax()) for group in groups}
            assert (len(majority) == 3) == (mended and n_steps > 0)
    with pytest.raises(ValueError, match="0 to 3"):
        demos.DECStepper(dataset=4)


# --- the table of counts ----------------------------------------------------------------------------------------------

MOVES = """input.map(([table, seed]) => {
    const g = random(seed), before = scoresOf(table), halves = split(table, g), joined = merge(table);
    return {before, halves, joined, shuffled: shuffled(table, g), renamed: renamed(table, g),
            afterSplit: halves && scoresOf(halves[2])}; })"""


def random_tables(seed, n=60):
    """Tables of many shapes, sparse and full, with empty rows and columns, at least one sample in each."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        table = rng.integers(0, (2, 4, 40)[i % 3], size=rng.integers(1, 8, size=2))
        table[rng.integers(len(table)), rng.integers(len(table[0]))] += 1
        yield table


def test_the_scores_of_a_table_in_the_page_are_those_of_dclib_and_scikit_learn():
    tables = [*random_tables(0, 150), *(np.array(t) for t in ([[3], [4]], [[3, 4]], [[1]], [[9]], [[1, 0], [0, 1]]))]
    got = in_page("judge_table", "input.map(t => [scoresOf(t), match(t)])", [t.tolist() for t in tables])
    for table, (scores, best) in zip(tables, got, strict=True):
        assert scores == pytest.approx(judge_table.scores_of(table), abs=1e-9)
        assert list(scores) == list(judge_table.SCORES)
        assert best["right"] == sum(table[i, k] for i, k in best["pairs"])
        for side in zip(*best["pairs"], strict=True):
            assert len(set(side)) == len(side)  # one-to-one


def test_the_moves_of_a_table_keep_what_they_promise():
    tables = [np.pad(t, ((0, 0), (0, 1))) for t in random_tables(1)]  # an empty column, to split into
    split = 0
    moved = in_page("judge_table", MOVES, [[t.tolist(), i] for i, t in enumerate(tables)])
    for table, m in zip(tables, moved, strict=True):
        sizes = table.sum(axis=0)
        assert np.array(m["shuffled"]).sum(axis=0).tolist() == sizes.tolist()
        for made in (m["shuffled"], m["renamed"]):
            assert np.array(made).sum(axis=1).tolist() == table.sum(axis=1).tolist()
        assert sorted(map(tuple, np.array(m["renamed"]).T)) == sorted(map(tuple, table.T))
        if m["halves"] is not None:
            start, end, made = m["halves"]
            made, split = np.array(made), split + 1
            assert sizes[end] == 0 and made[:, end].sum() == sizes.max() // 2 == sizes[start] // 2
            assert (made[:, [start, end]].sum(axis=1) == table[:, start]).all()
            for name in ("purity", "homogeneity"):
                assert m["afterSplit"][name] >= m["before"][name] - 1e-12
        if m["joined"] is not None:
            start, end, made = m["joined"]
            assert sizes[start] == min(sizes[sizes > 0]) and np.array(made)[:, start].sum() == 0
            assert (np.array(made)[:, end] == table[:, [start, end]].sum(axis=1)).all()
        else:
            assert (sizes > 0).sum() == 1
    assert split > 40


def test_chance_in_the_page_is_the_mean_of_shuffled_labels():
    table = np.array([[10, 2, 3, 5], [4, 8, 4, 4], [3, 3, 7, 7]])
    code = "[chance(input, 2000), chance(input), chance(input), chance(input.map(r => [...r].reverse()))]"
    many, few, again, renamed = in_page("judge_table", code, table.tolist())
    assert few == again == renamed  # the ticks do not tremble, nor do they read names
    rng, (y, labels) = np.random.default_rng(0), judge_table.samples(table)
    shuffled = [judge_table.scores_of(contingency(y, rng.permutation(labels))) for _ in range(150)]
    for name, value in many.items():
        expected = [scores[name] for scores in shuffled]
        assert abs(value - np.mean(expected)) < 4 * np.std(expected) / np.sqrt(len(expected)) + 1e-3
    assert abs(many["ari"]) < 0.01 < 0.03 < min(value for name, value in many.items() if name != "ari")


def test_random_tables_and_presets_of_the_page():
    code = "input.map(seed => drawnAtRandom([7, 70, 6], 3, 6, random(seed)))"
    first, again, other = (np.array(t) for t in in_page("judge_table", code, [1, 1, 2]))
    assert (first == again).all() and (first != other).any()
    assert first.sum(axis=1).tolist() == [7, 70, 6] and first[:, 3:].sum() == 0 and first[1, :3].min() > 10
    for preset in judge_table.PRESETS:
        assert np.sum(preset["table"] if "table" in preset else preset["random"]) == 20
    scores = {p["title"]: judge_table.scores_of(np.array(p["table"])) for p in judge_table.PRESETS if "table" in p}
    assert scores["perfect"] == scores["renamed"] == dict.fromkeys(judge_table.SCORES, pytest.approx(1))
    assert scores["split"]["homogeneity"] == pytest.approx(1)
    assert (scores["split"]["purity"], scores["split"]["acc"]) == (1, 0.55)
    assert scores["merged"]["completeness"] == pytest.approx(1)
    assert scores["one large class"]["acc"] == 0.8 and scores["one large class"]["ari"] < 0
    assert scores["cats in two"]["acc"] == 0.65
    with pytest.raises(ValueError, match="0 to 7"):
        demos.JudgeTable(preset=8)


# --- contact sheets ---------------------------------------------------------------------------------------------------


def test_a_contact_sheet_is_sorted_by_the_distance_to_the_centre():
    from dclib.classroom.demos.contact_sheet import distances_to_centers

    rng = np.random.default_rng(0)
    z, labels, y = rng.normal(size=(60, 5)), rng.integers(3, size=60), rng.integers(4, size=60)
    distances = distances_to_centers(z, labels)
    centers = torch.from_numpy(np.stack([z[labels == k].mean(0) for k in range(3)]))
    squared = squared_distances(torch.from_numpy(z), centers).numpy()
    assert np.allclose(distances**2, squared[np.arange(60), labels])
    for cluster in range(3):
        own = np.flatnonzero(labels == cluster)
        expected = own[np.argsort(distances[own])].tolist()
        call = "sheetOf(input.labels, input.distances, input.cluster, input.farthest)"
        given = {"labels": labels.tolist(), "distances": distances.tolist(), "cluster": cluster}
        assert in_page("contact_sheet", call, given | {"farthest": False}) == expected
        assert in_page("contact_sheet", call, given | {"farthest": True}) == expected[::-1]
        counts = in_page("contact_sheet", "classCounts(...input)", [y.tolist(), expected, 4])
        assert counts == np.bincount(y[own], minlength=4).tolist()


def test_a_contact_sheet_shows_the_images_that_it_was_given():
    import base64
    import io

    from PIL import Image

    shades = np.linspace(0.1, 0.9, 30)
    images = np.ones((30, 3, 8, 8)) * shades[:, None, None, None]
    y = np.arange(30) % 3
    labels = (y + 1) % 3
    demo = demos.ContactSheet(images, y, {"clusters": (labels, images)}, max_images=20)
    assert demo.settings["tile"] == [8, 8] and len(demo.settings["y"]) == 20
    assert demo.settings["kinds"][0]["labels"] == demo.settings["y"]  # renamed to match
    kept = np.sort(np.random.default_rng(0).permutation(30)[:20])
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(demo.settings["sprite"].partition(",")[2]))))
    found = [
        sheet[4 + 8 * (n // demo.settings["columns"]), 4 + 8 * (n % demo.settings["columns"]), 0] for n in range(20)
    ]
    assert np.abs(np.array(found) - 255 * shades[kept]).max() < 4
    assert demos.ContactSheet(images[:, 0], y, {"clusters": (labels, images)}).settings["tile"] == [8, 8]  # gray
    with pytest.raises(ValueError, match="'y': 29"):
        demos.ContactSheet(images, y[:29], {"clusters": (labels, images)})
