"""The names that `from dclib import …` knows, for type checkers and for `dclib` itself, which loads each when asked."""

import typing

from .augmentation import RandomShiftRotate as RandomShiftRotate
from .autoencoded_kmeans import AutoencodedKMeans as AutoencodedKMeans
from .autoencoder import Autoencoder as Autoencoder
from .balanced_kmeans import BalancedKMeans as BalancedKMeans
from .data import load as load
from .dcan import DCAN as DCAN
from .dcra import DCRA as DCRA
from .dec import DEC as DEC
from .engine.callbacks import Checkpoint as Checkpoint
from .engine.callbacks import EarlyStopping as EarlyStopping
from .engine.callbacks import Evaluate as Evaluate
from .engine.callbacks import Progress as Progress
from .engine.callbacks import Scores as Scores
from .features import PretrainedFeatures as PretrainedFeatures
from .gaussian_divergence import GaussianDivergence as GaussianDivergence
from .gmm import GaussianMixture as GaussianMixture
from .gradient_kmeans import GradientKMeans as GradientKMeans
from .kmeans import KMeans as KMeans
from .latent import LatentClustering as LatentClustering
from .metrics import scores as scores
from .neighbor_clustering import NeighborClustering as NeighborClustering
from .self_labelling import SelfLabelling as SelfLabelling

_T = typing.TypeVar("_T")

__version__: str

def by_profile(*, fast: _T, full: _T) -> _T: ...
