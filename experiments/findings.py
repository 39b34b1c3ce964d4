"""What the runs say beside the verdicts: the text above each paper's table in `README.md`, its numbers from the files.

The sentences are written by hand; `python -m experiments --pages` puts the numbers in. A new run changes the numbers,
not the words around them: read both again after it.
"""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Iterable, Sequence

from experiments.samplawski_autoencoded import LOG_DENOISING, LOG_FITTED, LOG_LOSS, LOG_UNITS, LOG_V
from experiments.verdicts import Key, number, results, score

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def values(run: str | Sequence[str], key: Key = "scores.acc") -> list[float]:
    """The numbers of all seeds of a run "experiment/configuration", or of several runs."""
    runs = [run] if isinstance(run, str) else run
    return [number(result, key) for each in runs for result in results(each)]


def mean(run: str | Sequence[str], key: Key = "scores.acc", digits: int = 3) -> str:
    """The mean over the seeds, ".541"; a dash where no run is on file."""
    found = values(run, key)
    return score(statistics.fmean(found), digits) if found else "–"


def between(found: Sequence[float], digits: int = 3, sign: bool = False) -> str:
    """From the lowest to the highest, ".515 to .595", or one number where both are shown alike."""
    ends = [score(end, digits, sign) for end in (min(found), max(found))] if found else ["–"]
    return " to ".join(dict.fromkeys(ends))


def span(run: str | Sequence[str], key: Key = "scores.acc", digits: int = 3, sign: bool = False) -> str:
    """From the lowest seed to the highest; a dash where no run is on file."""
    return between(values(run, key), digits, sign)


def first(run: str, key: Key = "scores.acc", digits: int = 3) -> str:
    """The number of the first seed on file."""
    return between(values(run, key)[:1], digits)


def seeds(run: str) -> str:
    """How many seeds are on file, "three seeds"."""
    n = len(results(run))
    return "one seed" if n == 1 else f"{WORDS[n]} seeds"


def ahead(run: str, rival: str, key: Key = "scores.acc") -> str:
    """In how many of the seeds that both have the run is higher, "two of three seeds", "each of five seeds"."""
    one, other = ({result["seed"]: number(result, key) for result in results(name)} for name in (run, rival))
    both = one.keys() & other.keys()
    wins = sum(one[seed] > other[seed] for seed in both)
    if len(both) == 1:
        return "its one seed" if wins else "no seed"
    return f"{'each' if wins == len(both) else WORDS[wins]} of {WORDS[len(both)]} seeds"


def gain(result: dict) -> float:
    """ACC at the end minus ACC at the start."""
    return result["scores"]["acc"] - result["start"]["acc"]


def listed(found: Iterable[str]) -> str:
    """The items as one phrase: "a, b and c"."""
    *first, last = found
    return f"{', '.join(first)} and {last}" if first else last


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def shares(run: str, of: str) -> str:
    """The smallest and the largest "cluster" or "class" among the seeds, "6 to 13 %"."""
    low, high = values(run, f"measured.smallest_{of}"), values(run, f"measured.largest_{of}")
    if not low:
        return "–"
    smallest, largest = 100 * min(low), 100 * max(high)
    return f"{smallest:.0f} to {largest:.0f} %" if smallest >= 0.5 else f"{smallest:.1f} to {largest:.0f} %"


def _nguyen() -> list[str]:
    soft, hard, lloyd = (f"nguyen_kmeans/{name}" for name in ("soft", "hard", "lloyd"))
    spreads = [max(found) - min(found) for found in map(values, (soft, hard, lloyd))]
    deep, large = "nguyen_dec/deep-sgd", "nguyen_dec/deep-sgd-60000"
    sigmoid, code = "nguyen_dec/deep-sigmoid-", "nguyen_dec/deep-sigmoid-code-"
    pairs = [(values(f"nguyen_dec/{name}-adam"), values(f"nguyen_dec/{name}-sgd"))
             for name in ("small-5", "small-10-5", "small-10", "small-sigmoid", "deep")]  # fmt: skip
    apart = max((abs(one - other) for adam, sgd in pairs for one, other in zip(adam, sgd)), default=0.0)
    return [
        f"""**Task 2.** Soft, hard and Lloyd's k-means on pixels end alike: ACC {mean(soft)}, {mean(hard)} and
        {mean(lloyd)} on average over ten starts, with {between(spreads, 2)} between the worst start and the best.
        So does the soft one at temperature .1 and 3 ({mean(f"{soft}-0.1")}, {mean(f"{soft}-3.0")}); at 10 it ends
        at {mean(f"{soft}-10.0")}.""",
        f"""**Table 2.** DEC with momentum from an autoencoder of 15 epochs: the deep encoder starts at ACC
        {span(deep, "start.acc")} and ends at {span(deep)} ({seeds(deep)}; on 60,000 images
        {span(large, "start.acc")} → {span(large)}, {seeds(large)}), where he has .819. Its curve is flat after ten
        epochs, to within .01: a better start (autoencoder, k-means), not a longer training, would have to bring the
        rest. Adam ends where SGD does, within {score(apart, 2)} in each of {seeds("nguyen_dec/deep-adam")}, but for
        the deep sigmoid encoders: from {mean(f"{sigmoid}adam", "start.acc")} on average it ends at
        {mean(f"{sigmoid}adam")} (SGD {mean(f"{sigmoid}sgd")}), and with a sigmoid code, from
        {mean(f"{code}adam", "start.acc")}, at {mean(f"{code}adam")} (SGD {mean(f"{code}sgd")}).""",
    ]


def _bhattarai() -> list[str]:
    def run(name: str) -> str:
        return f"bhattarai_latent/{name}"

    def above(name: str) -> str:
        """By how much the test loss ends above the training loss."""
        (result,) = results(run(name))
        share = result["autoencoder_test_loss"][-1] / result["autoencoder_loss"][-1] - 1
        return f"{100 * share:.1f} %" if share < 0.01 else percent(share)

    v, test, anew = "scores.v_measure", "test_scores.v_measure", "measured.refitted test v_measure"
    codes = [run(f"{length}{net}-{method}") for length in ("", "long-") for net in ("dense", "conv")
             for method in ("kmeans", "gmm")]  # fmt: skip
    pairs = list(zip(values(codes, v), values(codes, test), strict=True))
    higher = sum(on_test > on_train for on_train, on_test in pairs)
    k = {int(key.split()[2]): value for key, value in results(run("long-dense-gmm"))[0]["measured"].items()
         if key.startswith("gmm k ")}  # fmt: skip
    flat = [value for n_clusters, value in k.items() if 9 <= n_clusters <= 14]
    return [
        f"""**Codes.** On MNIST his numbers hold (one is exceeded). Test images score higher than training images in
        {higher} of our {len(pairs)} runs. On CIFAR-10, at his length (one seed), they hold but for k-means on the
        dense codes, {mean(run("cifar-dense-kmeans"), v)} and {mean(run("cifar-dense-kmeans"), test)} where he has
        .101 and .109. Length decides there: after ten epochs on 20,000 images k-means has
        {mean(run("cifar-short-dense-kmeans"), v)} on the training images and the mixture
        {mean(run("cifar-short-dense-gmm"), v)}, after 50 on 50,000 k-means {mean(run("cifar-dense-kmeans"), v)} and
        the mixture {mean(run("cifar-dense-gmm"), v)}.""",
        f"""**Pixels.** The mixture has V {mean(run("pixels-gmm"), v, 2)} with diagonal covariances and
        {mean(run("pixels-full"), v, 2)} with full ones (on 10,000 images, one seed), where he has .325 (train) and
        .507 (test); which kind he took he does not say. Clustering the test images anew, another way to read his
        table, gives k-means {span(run("pixels-kmeans"), anew)}, within .02 of his .520, and the mixture
        {span(run("pixels-gmm"), anew)} (diagonal) or {span(run("pixels-full"), anew)} (full). No reading gives both
        of his numbers.""",
        f"""**Curves** (50 epochs, one seed). On MNIST the dense network's test loss parts from its training loss,
        as he shows, to end {above("long-dense-gmm")} above, but does not rise; the convolutional one's parts
        further, to {above("long-conv-gmm")} (on 10,000 images alone {above("sixth-conv-gmm")}), and does not rise
        either. On CIFAR-10 the convolutional network's ends {above("cifar-conv-gmm")} above, the dense one's
        {above("cifar-dense-gmm")}. V of the mixture on the dense codes is nearly flat from 9 to 14 clusters,
        {between(flat, 2)} with one start of EM each, and highest at {max(k, key=k.__getitem__)}; his curve has its
        peak at 10.""",
    ]


def _samplawski() -> list[str]:
    def run(name: str) -> str:
        return f"samplawski_autoencoded/{name}"

    best, last, v, used = (
        "history.v_measure.max",
        "history.v_measure.last",
        "scores.v_measure",
        "measured.clusters_used",
    )

    def width(units: int) -> str:
        """V at the best checkpoint and at the end, his log in brackets."""
        ours = f"{mean(run(f'long-{units}'), best)} and {mean(run(f'long-{units}'), last)}"
        return f"{ours} ({score(LOG_UNITS[units][0])}, {score(LOG_UNITS[units][1])})"

    def after_6000(sigma: int) -> str:
        return score(results(run(f"kmeans-noise-{sigma}"))[0]["history"]["v_measure"][9], 2)

    pixels = [f"samplawski_kmeans/{name}" for name in ("mean", "mean-long", "author", "author-revived")]
    rivals = [statistics.fmean(values(f"samplawski_kmeans/{name}", v)) for name in ("minibatch", "minibatch-100")]
    ahead = [statistics.fmean(values(name, v)) - rival for name in pixels for rival in rivals]
    curves = [result["history"]["loss"] for result in results(run("long-256"))]
    off = max(abs(sum(losses[:epoch]) / epoch / loss - 1) for losses in curves for epoch, loss in LOG_LOSS.items())
    clusters = {sigma: values(run(f"noisy-{sigma}"), used) for sigma in LOG_DENOISING}
    alive = [sigma for sigma, found in clusters.items() if found and found[0] > 1]
    alone = [sigma for sigma, found in clusters.items() if found == [1]]
    in_use = [score(clusters[sigma][0], 0) for sigma in alive]
    under_noise = [mean(run(f"noisy-{sigma}"), f"measured.noise {sigma} v_measure") for sigma in alive]
    wide = [value for units in (200, 256, 300, 400) for value in values(run(f"long-{units}"), best)]
    wide_log = [LOG_UNITS[units][0] for units in (200, 256, 300, 400)]
    off_log = max(abs(value - log) for sigma, log in LOG_DENOISING.items()
                  for value in values(run("long-256"), f"measured.noise {sigma} v_measure"))  # fmt: skip
    warm, short = "start.v_measure", (70, 80, 90)
    return [
        f"""**Table 1.** His V of .533 for gradient k-means holds (three seeds), and so does its lead over
        MiniBatchKMeans, which is smaller here: {between(ahead)}, against his .019. His ARI of .338 is that of an
        early checkpoint at which few clusters were in use: at K = 100 against ten digits ARI says little else than
        how many clusters are in use.""",
        f"""**The learning rate.** The paper names Adam's default, 1e-3. With it one cluster owns all images at
        every checkpoint up to the 80th epoch (48,000 steps), where his log has V {score(LOG_V[80])}. With 1e-4 our
        mean loss follows his log within {1000 * off:.1f} parts in a thousand, and the one cluster breaks up after
        about 20 epochs, as in his log. After all 300 epochs V is {span(run("long-256"), last)}
        ({seeds(run("long-256"))}), his {score(LOG_UNITS[256][1])}; at the best checkpoint
        {span(run("long-256"), best)}, his {score(LOG_UNITS[256][0])} (gradient k-means on pixels:
        {mean(run("gradient-kmeans"), v)} after two epochs, {mean(run("kmeans-noise-0"), best)} in his setting, at most
        {score(max(values(pixels, best)))}). So the numbers of figure 3 are those
        of 1e-4. ("paper-2" and "paper-256" in the summary are ten epochs in bfloat16
        with 1e-3: with two units it stays one cluster in his log, too.)""",
        f"""**The width** (figure 3), V at the best checkpoint and at the end, his log in brackets: 64 units
        {width(64)}, 128 {width(128)}, 200 {width(200)}, 256 ({seeds(run("long-256"))}) {width(256)}, 300 {width(300)},
        400 {width(400)}. V grows with the width up to 200 units and then hardly changes, {between(wide)} (his log
        {between(wide_log)}, in which he sees a peak at 256 and a drop). From a trained autoencoder, with other
        weights and pixels, 64 units begin at {span(run("warm-64"), warm, 2)} with k-means and end at
        {span(run("warm-64"), v, 2)} after 15 epochs: that start does not need the width.""",
        f"""**Noise and k-means** (figure 5). He has k-means at V 0 under noise of 100, and concludes that the
        denoising model is far better there. With his start and settings ours ends at
        {mean(run("kmeans-noise-100"), v, 0)}, too, since one centre takes all images; with a k-means++ start and
        ours gradient k-means fitted to the same images has V {mean(run("seeded-noise-100"), v, 2)}, above the
        {score(LOG_DENOISING[100])} of his denoising model. At {listed(map(str, short))} his runs of k-means, 6,000
        steps, reach {listed(score(LOG_FITTED[sigma], 2) for sigma in short)}; five times as many from his
        own start give {listed(mean(run(f"kmeans-noise-{sigma}"), best, 2) for sigma in short)} at the best
        checkpoint (after 6,000: {listed(after_6000(sigma) for sigma in short)}).""",
        f"""**Noise and the denoising model** (figure 5). From his start, the stronger the noise in training, the
        fewer clusters leave the one that has all images after the first epoch: with noise {listed(map(str, alive))}
        there are {listed(in_use)} of 100 in use after 300 epochs, from {alone[0]} on one. V on such images is
        {listed(under_noise)}, and 0 from {alone[0]} on, where his log, at its best checkpoints, has
        {listed(score(LOG_DENOISING[sigma]) for sigma in alive)}, and {score(LOG_DENOISING[alone[0]])} to
        {score(LOG_DENOISING[alone[-1]])} from {alone[0]} on. The denoising script that he published overwrites the
        noisy batch with the clean one and takes a name that is not there, so it cannot have made his log. Our model
        that was trained *without* noise lies within {score(math.ceil(100 * off_log) / 100, 2)} of that log at every
        noise.""",
        f"""**From a trained autoencoder and k-means** V is {mean(run("slow-256"), v)} after 15 epochs ("slow";
        k-means at the start: {mean(run("slow-256"), warm)}), level with gradient k-means on the pixels
        ({mean(run("gradient-kmeans"), v)} to {score(max(values(pixels, best)))}). The denoising model, from a
        denoising autoencoder ({mean(run("denoising-256"), warm)} at the start), has the highest V of these short
        runs, {mean(run("denoising-256"), v)}, and keeps {mean(run("denoising-256"), "measured.noisy_v_measure")} on
        noisy images; gradient k-means that was fitted to clean images has
        {mean(run("gradient-kmeans"), "measured.noisy_v_measure")} on noisy ones (three seeds each).""",
    ]


def _lee() -> list[str]:
    def run(name: str) -> str:
        return f"lee_dcra/{name}"

    def from_to(name: str) -> str:
        return f"{mean(run(name), 'start.acc')} → {mean(run(name))}"

    def left(names: Sequence[str], column: str) -> list[float]:
        """What is left at the end of a column of the history, as a share of the first epoch's."""
        histories = [result["history"] for name in names for result in results(run(name))]
        return [history[column][-1] / history[column][0] for history in histories]

    def noisy(name: str, corruption: str = "noise 0.5") -> str:
        found = [result["measured"][f"acc {corruption}"] for result in results(f"lee_robustness/{name}")]
        return between(found)

    def far(codes: str) -> str:
        return mean(run("network-mean"), f"measured.distance {codes}", 0)

    def loss_of(name: str) -> str:
        return f"{mean(run(name), 'history.loss.first', 0)} → {mean(run(name), 'history.loss.last', 0)}"

    readings = [f"network-{reading}" for reading in ("mean", "sum", "swapped-mean", "swapped-sum")]
    digits, fashion = [*readings, "network-mean-scratch"], [run("fashion"), run("fashion-paper")]

    def baseline(name: str) -> str:
        return score(results(run("bsds-baselines"))[0]["measured"][f"{name} psnr"], 1)

    def against(name: str) -> str:
        return mean(run(name), "measured.one_against_rest")

    on_digits = [
        gain(result) for name in ("mnist", "mnist-paper-share", "mnist-paper") for result in results(run(name))
    ]
    longer, pulled = ([gain(result) for result in results(run(name))] for name in ("mnist-longer", "mnist"))
    share = statistics.fmean(longer) / statistics.fmean(pulled)
    images, photographs = ("mnist-paper-train", "fashion-paper"), ("bsds-unit-paper-share",)
    l1, worse = left(images, "reconstruction"), left(photographs, "reconstruction")
    overlap, tiles = "measured.test_overlapping_psnr", "measured.test_psnr"
    unit = run("bsds-unit")
    return [
        f"""**What the loss adds.** Against the denoising autoencoder and k-means that it starts from, DCRA gains
        {between(on_digits, 2)} of ACC on MNIST in every seed, with our λ and σ and with the paper's; on
        Fashion-MNIST next to nothing with ours. The control ("mnist-longer": as many epochs, without the pull to
        the centres) gains {between(longer, 2)}, in {WORDS[sum(a > b for a, b in zip(longer, pulled, strict=True))]}
        seed of {WORDS[len(pulled)]} more than DCRA: on average {percent(share)} of the gain.""",
        f"""**.95 and .93** are not reached by one dense network on 20,000 images: not with our λ and σ, not with
        his λ (MNIST {mean(run("mnist-paper-share"))} on average), not with his λ and σ ({mean(run("mnist-paper"))},
        Fashion-MNIST {mean(run("fashion-paper"))}), nor after one epoch of reconstruction (MNIST,
        {span(run("mnist-paper-from-scratch"))}, {seeds(run("mnist-paper-from-scratch"))}).""",
        f"""**Their probable network** on all 60,000 images, one seed each. On digits, after 25 epochs of
        reconstruction, it gains in no reading of λ: from {mean(run("network-mean"), "start.acc")} it ends at
        {mean(run("network-mean"))} (λ on a mean of L1 and a mean of L2), {mean(run("network-sum"))} (a mean and a sum),
        and with the roles swapped at {mean(run("network-swapped-mean"))} and {mean(run("network-swapped-sum"))}. After
        one epoch of reconstruction (λ on means; the other readings, at 45 minutes a run, are cut) the start is lower
        and it gains, {from_to("network-mean-scratch")}; so it does on Fashion-MNIST, after 25 epochs,
        {from_to("fashion-network-mean")}, where a dense network on 20,000 ends at {span(fashion)}. (As many epochs
        without the pull were not run with this network.) Read as digit 0 against the rest, the runs on digits score
        {listed(against(name) for name in digits)}, where calling all images outliers has .90.""",
        f"""**The losses** fall with his λ and σ on the dense network, of test images as of training images. What
        falls is the pull: of the first epoch's training L2 {percent(max(left(images, "kmeans")))} or less is left
        on digits and garments and {percent(max(left(photographs, "kmeans")))} on photographs, while L1 falls by
        {100 * (1 - max(l1)):.0f} to {percent(1 - min(l1))} on the former and rises by {100 * (min(worse) - 1):.0f}
        to {percent(max(worse) - 1)} on the latter. With their probable network the loss ends higher than after the
        first epoch, in every reading ({listed(loss_of(name) for name in readings)}), after one epoch of reconstruction
        ({loss_of("network-mean-scratch")}) and on Fashion-MNIST ({loss_of("fashion-network-mean")}). The codes spread,
        and the centres with them. The statistics that batch normalisation gathers are not the reason: under noise,
        codes of the first reading end {far("noisy")} from their centres (squared) with these,
        {far("noisy, batch statistics")} with the batch's.
        Clean codes end {far("clean")} from them. At the start clean codes are spread by
        {mean(run("network-mean"), "measured.start spread clean", 0)}, noisy ones by
        {mean(run("network-mean"), "measured.start spread noisy", 0)}: noisy codes are drawn outwards, to centres of
        clean ones, which then lie further out still. As cause this is an inference; after one epoch of reconstruction,
        where the loss rises most, both start alike
        ({mean(run("network-mean-scratch"), "measured.start spread clean", 0)} and
        {mean(run("network-mean-scratch"), "measured.start spread noisy", 0)}).""",
        f"""**Robustness** (`lee_robustness.py`, three seeds). At σ = .5 DCRA has {noisy("dcra")} on test images,
        the denoising autoencoder and k-means {noisy("denoising-autoencoder")}. The control, as many epochs with the
        same noise and without the pull, has {noisy("dcra-without-pull")}: the training's length explains most of
        the gain. Half-masked images, which no training saw, are another matter: {noisy("dcra", "half masked")} with
        the pull, {noisy("dcra-without-pull", "half masked")} without.""",
        f"""**20 dB** on the test photographs is reached in every seed with our λ, even with noise four times the
        pixels' deviation (σ = 1 on pixels in [0, 1], noisy: {mean(unit, "measured.test_noisy_psnr", 0)} dB, clipped
        {mean(unit, "measured.test_clipped_noisy_psnr", 1)}), where overlapping patches are averaged:
        {span(unit, overlap, 1)} dB; tiles side by side give {span(unit, tiles, 1)}. With his λ it is
        {span(run("bsds-unit-paper-share"), overlap, 1)}, just below. With σ = 1 on bytes, which nobody could see
        ({mean(run("bsds-bytes"), "measured.test_noisy_psnr", 0)} dB), the reconstruction is worse than its input.""",
        f"""**Two filters that learn nothing** stand beside it ("bsds-baselines", each of the size that is best on
        the training photographs). With σ = 1 on pixels in [0, 1] a Gaussian filter gives
        {baseline("unit Gaussian filter")} dB and the means of blocks {baseline("unit block means")}, less than
        DCRA; on standardized pixels the Gaussian filter has {baseline("standardized Gaussian filter")} dB, more
        than DCRA in every seed ({span(run("bsds-standardized"), overlap, 1)}). So the 20 dB of the text are what a
        filter with one parameter reaches where the noise is mild.""",
    ]


def _lim() -> list[str]:
    def alone(name: str) -> str:
        return f"lim_divergences/{name}"

    def reuters(name: str) -> str:
        return f"lim_reuters/{name}"

    def added(*runs: str) -> list[float]:
        return [gain(result) for run in runs for result in results(run)]

    plain = added("lim_dcan/kmeans", "lim_dcan/augmented-kmeans")
    printed = span(alone("spread-1"), gain, sign=True)
    losses = [value < 0 for value in added(alone("paper-draws"))]
    below = f"{'each' if all(losses) else WORDS[sum(losses)]} of {seeds(alone('paper-draws'))}"
    return [
        f"""**After k-means**, on all digits, DCAN gains in every seed, {score(statistics.fmean(plain), 2)} on average,
        on plain and on augmented codes; from a Gaussian mixture it gains nothing, loses a little in most seeds and
        {score(-min(added("lim_dcan/gmm")), 2)} in one. A discriminator that is not told the cluster, or no
        reconstruction loss, changes little.""",
        f"""**"On par or better" than DEC** asks for both from the same autoencoder and the same start. From k-means
        at {mean(alone("dcan"), "start.acc")} on average DEC ends at {mean(alone("dec"))} and DCAN at
        {mean(alone("dcan"))}, and DEC is ahead in {ahead(alone("dec"), alone("dcan"))}. The two closed forms end at
        {mean(alone("abc"))} (ABC) and {mean(alone("kld"))} (KLD): DCAN's discriminator is ahead of KLD in
        {ahead(alone("dcan"), alone("kld"))}, of ABC in {ahead(alone("dcan"), alone("abc"))}.""",
        f"""**As printed** it fails. With draws as wide as the clusters and clusters that move at every step of the
        discriminator it ends at {span(alone("paper-draws"), digits=2)}, below its start in {below}. The draws alone
        change ACC by {printed} (half as wide, as in `dclib`, it ends higher in
        {ahead(alone("dcan"), alone("spread-1"))}); the moving clusters alone end at
        {span(alone("every-step"), digits=2)} ({seeds(alone("every-step"))}). From scratch, without an autoencoder
        before it and without a decoder, all images end in one cluster ({seeds(alone("scratch"))}).""",
        f"""**Reuters**, from the same k-means on codes ({span(reuters("dcan"), "start.acc")}): DCAN ends highest in
        each of {seeds(reuters("dcan"))}, {between(added(reuters("dcan")))} above its start; ABC and KLD end at
        {between(added(reuters("abc"), reuters("kld")), sign=True)}, DEC at
        {between(added(reuters("dec")), sign=True)}, and DCAN with the paper's draws at
        {between(added(reuters("paper-draws")), sign=True)}. Nearly all of the way from k-means'
        {mean(reuters("kmeans"))} on the texts is the autoencoder's.""",
    ]


def _beyond() -> list[str]:
    def run(name: str) -> str:
        return f"neighbours/{name}"

    start, sure, mistaken = "start.acc", "measured.confidence", "measured.confidence_of_mistakes"
    taught, heart, other = (f"self_labelling/mnist{name}" for name in ("", "-overconfident", "-k-means-start"))
    return [
        f"""**CIFAR-10, on features of two EfficientNets:** {span(run("cifar"), start)} → {span(run("cifar"))} in
        {seeds(run("cifar"))}.""",
        f"""**Fashion-MNIST, from pixels:** balanced k-means has {span(run("fashion"), start)}, and after it
        {span(run("fashion"))} ({seeds(run("fashion"))}). What stays wrong are the upper garments (pullover, coat,
        shirt, and T-shirt), which are one another's neighbours, and of its mistakes the network is nearly as sure
        ({span(run("fashion"), mistaken, 2)}) as of all samples ({span(run("fashion"), sure, 2)}).""",
        f"""**MNIST, from pixels:** balanced k-means has {span(run("mnist"), start)}, and after it
        {span(run("mnist"))} ({seeds(run("mnist"))}).""",
        f"""**How they fail.** Without the entropy all images end in one cluster ({span(run("cifar-no-entropy"))},
        {seeds(run("cifar-no-entropy"))}). Labels drawn at random instead of k-means' give
        {span(run("cifar-random-start"))}, the network's own random weights {span(run("cifar-no-start"))}
        ({seeds(run("cifar-no-start"))} each): the start is worth three points and more. Where classes are of
        unequal size ({shares(run("cifar-unequal"), "class")}) ACC still gains,
        {span(run("cifar-unequal"), start, 2)} → {span(run("cifar-unequal"), digits=2)}, but clusters of nearly
        equal size come out ({shares(run("cifar-unequal"), "cluster")}), as the entropy asks. From plain k-means,
        Fashion-MNIST ends at {span(run("fashion-k-means-start"))} ({span(run("fashion-k-means-start"), start)}
        before), where the balanced start leads to {score(min(values(run("fashion"))))} and more. Augmented DEC
        gains little on Fashion-MNIST, {mean(run("fashion-dec"), start)} → {mean(run("fashion-dec"))}
        ({seeds(run("fashion-dec"))}): its clusters have {shares(run("fashion-dec"), "cluster")} of the images.""",
        f"""**Self-labelling** of all MNIST digits, taught by augmented DEC: {span(taught, start)} → {span(taught)}
        ({seeds(taught)}). Its failures are mild here (one seed each). Where all samples teach and nothing is moved
        it gains {first(heart, gain)} instead of {first(taught, gain)} (same seed), and is
        surer of its mistakes ({mean(heart, mistaken, 2)} on average, else {first(taught, mistaken, 2)}).
        A teacher that starts from k-means, {mean(other, start)}, ends at {mean(other)}: its clusters still hold
        {shares(other, "cluster")} of the images, the classes {shares(other, "class")}.""",
    ]


_WRITERS = {
    "Nguyen": _nguyen,
    "Bhattarai": _bhattarai,
    "Samplawski": _samplawski,
    "Lee": _lee,
    "Lim": _lim,
    "Beyond the five": _beyond,
}


def findings(paper: str) -> str:
    """The list in Markdown for a paper, lines of at most 120 characters."""
    fill = textwrap.TextWrapper(
        120, initial_indent="* ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    ).fill
    return "\n".join(fill(" ".join(item.split())) for item in _WRITERS[paper]())
