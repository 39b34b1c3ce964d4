"""Gaussian mixtures: soft clusters with a shape, by expectation-maximisation (Dempster, Laird and Rubin 1977)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import ClusterMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from dclib.balanced_kmeans import balanced_start
from dclib.engine.device import device_for, make_generator
from dclib.engine.processes import everyone
from dclib.engine.rows import Shifted, as_tensor, centered, squared_norms
from dclib.engine.saving import SavedEstimator
from dclib.engine.starts import best_start
from dclib.engine.validation import (
    all_or_nothing,
    check_choice,
    check_n_clusters,
    check_number,
    check_x,
    given_centers,
    warn,
)
from dclib.kmeans import assign, kmeans_plus_plus, lloyd, update

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")


class Mixture(NamedTuple):
    """Weights (k,), means (k, d) and factors A of the covariances Σ = A Aᵀ, all in float64: they are small.

    factors: lower triangles (k, d, d) for full and tied covariances, standard deviations (k, d) for the other two.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def inverse_factors(self) -> Tensor:
        """A⁻¹, in the shape of the factors."""
        if self.factors.ndim == 2:
            return 1 / self.factors
        return torch.linalg.solve_triangular(self.factors, torch.eye(self.factors.shape[1]).double(), upper=False)

    def log_determinants(self) -> Tensor:
        """log |A| = ½ log |Σ| -> (k,)"""
        diagonals = self.factors if self.factors.ndim == 2 else self.factors.diagonal(dim1=1, dim2=2)
        return diagonals.log().sum(1)


def whiten(x: Tensor, means: Tensor, inverse_factors: Tensor) -> Tensor:
    """y = A⁻¹(x − μ): coordinates in which a component is a standard normal. x (n, d) -> (k, d, n)

    One matrix product for all components; the samples come last, so that all that follows runs along the memory.
    """
    if inverse_factors.ndim == 2:
        return (x.T - means[:, :, None]) * inverse_factors[:, :, None]
    (k, d), matrix = means.shape, inverse_factors.reshape(-1, x.shape[1])
    shift = inverse_factors @ means[:, :, None]  # (k, d, 1)
    return torch.addmm(shift.view(k * d, 1), matrix, x.T, beta=-1).view(k, d, -1)


def _passes(x: Tensor | Shifted, mixture: Mixture) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """For one block of rows after the other: the block, y (k, d, b) and log π_k N(x_i | μ_k, Σ_k) (k, b).

    log N(x | μ, Σ) = −½ ‖A⁻¹(x − μ)‖² − log |A| − ½ d log 2π. A block's y stays in the processor's cache, so no array
    of n · k · d numbers is ever made. Blocks are larger on a GPU.
    """
    k, d = mixture.means.shape
    constants = mixture.weights.log() - mixture.log_determinants() - d / 2 * math.log(2 * math.pi)
    means, inverse_factors, constants = (
        # First the precision: an Apple GPU has no float64.
        part.to(x.dtype).to(x.device)
        for part in (mixture.means, mixture.inverse_factors(), constants[:, None])
    )
    size = min(max(2**17 // (k * d), 256), 8192) if x.device.type == "cpu" else max(2**24 // (k * d), 256)
    for start in range(0, len(x), size):
        block = slice(start, start + size)
        y = whiten(x[block], means, inverse_factors)
        yield block, y, torch.add(constants, y.square().sum(1), alpha=-0.5)


def log_joint(x: Tensor | Shifted, mixture: Mixture) -> Tensor:
    """log π_k N(x_i | μ_k, Σ_k) -> (n, k): its logsumexp is log p(x_i), its softmax the responsibilities. x (n, d)"""
    found = torch.empty(len(x), len(mixture.means), dtype=x.dtype, device=x.device)
    for block, _, joint in _passes(x, mixture):
        found[block] = joint.T
    return found


def em_step(
    x: Tensor | Shifted, mixture: Mixture, covariance_type: str, reg_covar: float, labels: Tensor | None = None
) -> tuple[Mixture, float]:
    """One E-step and one M-step in one pass over x (n, d) -> the new mixture, mean log-likelihood of the old one.

    E: r_ik = π_k N(x_i | μ_k, Σ_k) / Σ_j π_j N(x_i | μ_j, Σ_j), or 1 for the component that `labels` (n,) gives, or
       what `labels` (n, k) give
    M: π_k = n_k / n,  μ_k = Σ_i r_ik x_i / n_k,  Σ_k = Σ_i r_ik (x_i − μ_k)(x_i − μ_k)ᵀ / n_k,  with n_k = Σ_i r_ik

    The new moments are taken around the old means, in whitened coordinates y, and moved to the new mean: E[yyᵀ] − δδᵀ
    with δ = E[y], the way that the mean went. Unlike E[xxᵀ] − μμᵀ it loses no digits, since δ is small.
    x may be on a GPU; its sums over a block of rows come back to the mixture, which stays in main memory.
    """
    k, d = mixture.means.shape
    full = mixture.factors.ndim == 3
    counts, first = torch.zeros(k).double(), torch.zeros(k, d, 1).double()
    second = torch.zeros(k, d, d if full else 1).double()
    total = 0.0
    # Far below the rounding error of a sum around 1, far above the denormal numbers, at which processors are slow.
    floor = 2 * math.log(torch.finfo(x.dtype).eps)
    for block, y, joint in _passes(x, mixture):
        if labels is None:  # a softmax over k that also gives its norm; the largest term becomes 1
            largest = joint.amax(0)
            r = joint.sub_(largest).clamp_(min=floor).exp_()  # (k, b)
            norm = r.sum(0)
            r /= norm
            total += float((largest + norm.log_()).cpu().sum(dtype=torch.float64))
        elif labels.ndim == 2:
            r = labels[block].T
        else:
            r = torch.zeros_like(joint).scatter_(0, labels[None, block], 1.0)
        counts += r.sum(1).cpu()
        weighted = y * r[:, None]
        first += weighted.sum(2, keepdim=True).cpu()
        second += (weighted @ y.mT if full else (weighted * y).sum(2, keepdim=True)).cpu()
    counts += 10 * torch.finfo(x.dtype).eps  # a component without samples stays where it is
    first, second = first / counts[:, None, None], second / counts[:, None, None]
    if full:
        scatter = mixture.factors @ (second - first @ first.mT) @ mixture.factors.mT  # back from y to x
        means = mixture.means + (mixture.factors @ first).squeeze(2)
    else:
        scatter = mixture.factors.square() * (second - first.square()).squeeze(2)
        means = mixture.means + mixture.factors * first.squeeze(2)
    weights = counts / counts.sum()
    if covariance_type == "tied":
        scatter = torch.einsum("k,kij->ij", weights, scatter).expand(k, d, d)
    if covariance_type == "spherical":
        scatter = scatter.mean(1, keepdim=True).expand(k, d)
    covariances = scatter + reg_covar * (torch.eye(d).double() if full else 1.0)
    factors = _factorize(covariances, counts, torch.finfo(x.dtype).eps, tied=covariance_type == "tied")
    return Mixture(weights, means, factors), total / len(x)


def expectation_maximization(
    x: Tensor | Shifted,
    mixture: Mixture,
    covariance_type: str,
    *,
    reg_covar: float = 1e-6,
    tol: float = 1e-3,
    max_iter: int = 200,
    report: Callable[[float], None] | None = None,
) -> tuple[Mixture, list[float], bool]:
    """EM from a mixture, on x (n, d), until a step changes the mean log-likelihood by less than `tol`.

    Returns the new mixture, the mean log-likelihood before each step and at the end, and whether it ended by `tol`.
    `report` is called with the loss of each step, minus the mean log-likelihood.
    """
    bounds: list[float] = []
    converged = False
    while len(bounds) < max_iter and not converged:
        mixture, bound = em_step(x, mixture, covariance_type, reg_covar)
        bounds.append(bound)
        if report:
            report(-bound)
        converged = len(bounds) > 1 and abs(bounds[-1] - bounds[-2]) < tol
    return mixture, [*bounds, float(log_joint(x, mixture).logsumexp(1).cpu().double().mean())], converged


def _factorize(covariances: Tensor, counts: Tensor, eps: float, tied: bool) -> Tensor:
    """Factors A of the covariances, computed from `counts` samples; ValueError if one is singular."""
    if covariances.ndim == 2:
        factors = covariances.clamp(min=0).sqrt()
        flat = ~(factors > 0).all(1)
    else:
        factors, info = torch.linalg.cholesky_ex(covariances)
        # A_jj²/Σ_jj is the share of feature j's variance that the features before it do not explain: rounding, or more?
        shares = factors.diagonal(dim1=1, dim2=2).square() / covariances.diagonal(dim1=1, dim2=2)
        flat = (info != 0) | ~(shares > 10 * eps).all(1)
    if flat.any():
        worst = int(flat.nonzero()[0])
        whose, samples = f"covariance of component {worst}", f"its samples (about {float(counts[worst]):.0f})"
        if tied:
            whose, samples = "common covariance", "the samples of each component, less its mean,"
        raise ValueError(
            f"The {whose} is singular: {samples} coincide or lie in a subspace. Raise reg_covar, ask for fewer "
            "components, take a simpler covariance_type, or drop features that are constant or follow from others."
        )
    return factors


class GaussianMixture(ClusterMixin, SavedEstimator):
    """A mixture of k Gaussians, p(x) = Σ_k π_k N(x | μ_k, Σ_k), fitted by EM; a cluster is a component.

    Maximises the mean log-likelihood over the samples. Parameters and attributes are named as in scikit-learn, but for
    `init`, which is its init_params and means_init; defaults differ. Keeps float32 and float64.

    Parameters
    ----------
    n_components : number of components k.
    covariance_type : "full" (each its own), "tied" (one for all), "diag" (axes along the features) or "spherical".
    init : "k-means", "balanced" (clusters of equal size, on at most 20,000 of the samples), "random" (k different
        samples), an array (k, d) of means, or a function init(X, n_components, random_state) that returns one, with X
        as rows (n, d). The first weights, means and covariances are those of the samples nearest to each.
    n_init : starts; the one with the highest likelihood is kept. An array as `init` is one start.
    max_iter : most EM iterations of one start.
    tol : a start ends when an iteration changes the mean log-likelihood by less than this.
    reg_covar : added to the diagonal of the covariances, in the units of X squared.
    callbacks : list, called after each start, such as [Progress()]; none of them may be a `Checkpoint`.
    device : as in `dclib.kmeans.KMeans`.
    random_state : None, int or RandomState; the same int gives the same result.

    Attributes
    ----------
    weights_ (k,), means_ (k, d), covariances_ : (k, d, d), tied (d, d), diag (k, d), spherical (k,),
    cholesky_ : factors A of the covariances, Σ = A Aᵀ, in the same shape (deviations for diag and spherical); float64,
        since a covariance rounded to float32 may have no factor any more,
    labels_ (n,), lower_bound_ : mean log-likelihood, n_iter_ : EM iterations of the best start, lower_bounds_ : its
    mean log-likelihood before each of them and at the end, converged_ : whether it ended by `tol`, history_ : of each
    start, the loss (minus the mean log-likelihood) and the iterations, image_shape_ : (c, h, w) or None.
    """

    def __init__(
        self, n_components=10, *, covariance_type="full", init="k-means", n_init=5, max_iter=200, tol=1e-3,
        reg_covar=1e-6, callbacks=None, device="auto", random_state=None,
    ):  # fmt: skip
        self.n_components, self.covariance_type, self.init, self.n_init = n_components, covariance_type, init, n_init
        self.max_iter, self.tol, self.reg_covar, self.callbacks = max_iter, tol, reg_covar, callbacks
        self.device, self.random_state = device, random_state

    @all_or_nothing
    def fit(self, X, y=None):
        """Fit to X, (n, d) or images (n, c, h, w); `y` is ignored. Raises ValueError for bad input or a component
        whose covariance is singular. Warns (ConvergenceWarning) where EM did not converge, or components are empty."""
        rows = check_x(self, X, reset=True)
        self._check_parameters(len(rows))
        origin = rows.mean(axis=0)  # float32 keeps more digits around it
        x = centered(rows, torch.from_numpy(origin).to(device_for(self.device, rows.dtype)))

        def search(labels: Tensor, report: Callable[[float], None]) -> tuple[float, tuple[Mixture, list[float], bool]]:
            found = self._expectation_maximization(x, labels, report)
            return -found[1][-1], found

        def publish(found: tuple[Mixture, list[float], bool]) -> None:
            self._publish(found[0], origin)

        starts = self._starts(rows, x, origin)
        _, self.lower_bounds_, self.converged_ = best_start(self, starts, self._n_starts, search, publish)
        self.lower_bound_, self.n_iter_ = self.lower_bounds_[-1], len(self.lower_bounds_) - 1
        # Labels by way of `predict`, so that the two agree to the last tie.
        self.labels_ = self._log_joint(rows).argmax(1).cpu().numpy()
        if not self.converged_:
            warn(
                f"EM did not converge in max_iter={self.max_iter} iterations: raise max_iter or tol (now {self.tol}).",
                ConvergenceWarning,
            )
        if empty := int((self.weights_ * len(rows) < 1e-3).sum()):
            warn(
                f"{empty} of {self.n_components} components have no samples: X may hold fewer distinct ones, or `init` "
                "a mean far from all of them. Ask for fewer components, or start elsewhere.",
                ConvergenceWarning,
            )
        return self

    def _check_parameters(self, n_samples: int) -> None:
        check_n_clusters(self.n_components, n_samples, "n_components")
        check_choice("covariance_type", self.covariance_type, COVARIANCE_TYPES)
        for name in ("n_init", "max_iter"):
            check_number(name, getattr(self, name), 1, integer=True)
        for name in ("tol", "reg_covar"):
            check_number(name, getattr(self, name), 0)

    @property
    def _n_starts(self) -> int:
        return self.n_init if isinstance(self.init, str) or callable(self.init) else 1

    def _starts(self, rows: np.ndarray, x: Tensor | Shifted, origin: np.ndarray) -> Iterator[Tensor]:
        """For each start the component (n,) that each sample belongs to at first. x: (n, d), less the origin (d,)"""
        k = self.n_components
        if isinstance(self.init, str):
            check_choice("init", self.init, ("k-means", "balanced", "random"), "means (k, d)")
        seed = everyone().seed(self.random_state)  # several processes do the same
        generator, random_state = torch.Generator().manual_seed(seed), check_random_state(seed)
        for _ in range(self._n_starts):
            if not isinstance(self.init, str):
                means = given_centers(self.init, rows, k, random_state) - origin
                yield assign(x, torch.from_numpy(means).to(x.device))[0]
            elif self.init == "random":
                yield assign(x, x[torch.randperm(len(x), generator=generator)[:k]])[0]
            elif self.init == "balanced":
                sample = x[torch.randperm(len(x), generator=generator)[:20_000]]
                yield assign(x, balanced_start(sample, k, generator)[0].to(x.dtype))[0]
            else:
                tol = 1e-4 * float(squared_norms(x).mean()) / x.shape[1]
                yield lloyd(x, x[kmeans_plus_plus(x, k, generator)], tol=tol)[1]

    def _expectation_maximization(
        self, x: Tensor | Shifted, labels: Tensor, report: Callable[[float], None]
    ) -> tuple[Mixture, list[float], bool]:
        """EM from these components (n,) -> mixture, mean log-likelihood before each step and at the end, converged."""
        k, d = self.n_components, x.shape[1]
        weight = torch.ones(len(x), dtype=x.dtype, device=x.device)
        means = update(x, labels, k, weight)[0].cpu().double()
        factors = torch.ones(k, d).double() if self._is_diagonal else torch.eye(d).double().expand(k, d, d)
        mixture = Mixture(torch.full((k,), 1 / k).double(), means, factors)
        mixture, _ = em_step(x, mixture, self.covariance_type, self.reg_covar, labels)
        return expectation_maximization(
            x,
            mixture,
            self.covariance_type,
            reg_covar=self.reg_covar,
            tol=self.tol,
            max_iter=self.max_iter,
            report=report,
        )

    @property
    def _is_diagonal(self) -> bool:
        return self.covariance_type in ("diag", "spherical")

    def _publish(self, mixture: Mixture, origin: np.ndarray) -> None:
        """Set what is learned, in the shapes of scikit-learn and the precision of the data."""
        dtype = origin.dtype
        first_only: Any = {"tied": np.s_[0], "spherical": np.s_[:, 0]}.get(self.covariance_type, np.s_[:])
        factors = mixture.factors.numpy()
        covariances = np.square(factors) if self._is_diagonal else factors @ factors.transpose(0, 2, 1)
        self.weights_ = mixture.weights.numpy().astype(dtype)
        self.means_ = (mixture.means.numpy() + origin).astype(dtype)
        self.covariances_ = covariances[first_only].astype(dtype)
        self.cholesky_ = factors[first_only].copy()

    def _mixture(self, origin: np.ndarray) -> Mixture:
        """What `_publish` wrote, for samples less the origin (d,)."""
        means = torch.from_numpy(self.means_.astype(np.float64) - origin)
        factors = torch.from_numpy(self.cholesky_)
        if self.covariance_type == "spherical":
            factors = factors[:, None]
        shape = means.shape if self._is_diagonal else (*means.shape, means.shape[1])
        return Mixture(torch.from_numpy(self.weights_.astype(np.float64)), means, factors.expand(shape))

    def _log_joint(self, rows: np.ndarray) -> Tensor:
        """log π_k N(x_i | μ_k, Σ_k) (n, k), in the precision of the rows, on the device."""
        origin = self.means_.mean(axis=0).astype(rows.dtype)
        shift = torch.from_numpy(origin).to(device_for(self.device, rows.dtype))
        return log_joint(Shifted(as_tensor(rows), shift), self._mixture(origin))

    def predict(self, X) -> np.ndarray:
        """The component with the highest probability for each sample -> (n,)."""
        return self._log_joint(check_x(self, X, reset=False)).argmax(1).cpu().numpy()

    def predict_proba(self, X) -> np.ndarray:
        """Responsibilities: the probability of each component given the sample -> (n, k), rows sum to one."""
        return self._log_joint(check_x(self, X, reset=False)).softmax(1).cpu().numpy()

    def score_samples(self, X) -> np.ndarray:
        """log p(x) of each sample -> (n,): low where X is unlike the training data."""
        return self._log_joint(check_x(self, X, reset=False)).logsumexp(1).cpu().numpy()

    def score(self, X, y=None) -> float:
        """Mean log-likelihood of the samples: higher is better."""
        return float(self.score_samples(X).mean(dtype=np.float64))

    def bic(self, X) -> float:
        """Bayesian information criterion on X, −2 log-likelihood + parameters · log n: lower is better."""
        n = len(X)
        return -2 * n * self.score(X) + self._n_parameters() * math.log(n)

    def aic(self, X) -> float:
        """Akaike information criterion on X, −2 log-likelihood + 2 parameters: lower is better."""
        return -2 * len(X) * self.score(X) + 2 * self._n_parameters()

    def _n_parameters(self) -> int:
        """Free numbers of the mixture: weights (they sum to one), means, covariances (symmetric)."""
        k, d = self.means_.shape
        covariances = {"full": k * d * (d + 1) // 2, "tied": d * (d + 1) // 2, "diag": k * d, "spherical": k}
        return k - 1 + k * d + covariances[self.covariance_type]

    def sample(self, n_samples=1) -> tuple[np.ndarray, np.ndarray]:
        """Draw from the mixture -> samples (n, d), or images (n, c, h, w) as X was, and their components (n,).

        The components come in random order. With an int as `random_state` every call gives the same samples.
        """
        check_is_fitted(self)
        check_number("n_samples", n_samples, 1, integer=True)
        generator = make_generator(self.random_state)
        weights, means, factors = self._mixture(np.zeros(self.means_.shape[1]))
        labels = torch.multinomial(weights, n_samples, replacement=True, generator=generator)
        noise = torch.randn(n_samples, means.shape[1], generator=generator, dtype=torch.float64)
        samples = torch.empty_like(noise)
        for k, factor in enumerate(factors):  # x = μ + A ε
            own = noise[labels == k]
            samples[labels == k] = means[k] + (own * factor if self._is_diagonal else own @ factor.T)
        shape = self.image_shape_ or (means.shape[1],)
        return samples.numpy().astype(self.means_.dtype).reshape(n_samples, *shape), labels.numpy()
