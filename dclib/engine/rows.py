"""Rows as an algorithm goes over them: on the device or on disk, in blocks, shifted on the way."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from dclib.engine.device import free_memory, resolve_device

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Rows in one block where no gradient is needed: larger ones are slower, and take more memory.
BLOCK = 2048


def as_tensor(rows: np.ndarray) -> Tensor:
    """A tensor on the same memory, for reading only: a memmap stays on disk."""
    with warnings.catch_warnings():  # PyTorch warns of arrays that cannot be written to
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(rows)


class Rows:
    """The whole data set as one tensor of `dtype`; `rows[indices]` is a batch on the device, one `index_select`.

    It lives on the device if it takes at most half of the free memory there, else in main memory; a numpy.memmap of
    this dtype stays on disk and is read batch by batch, where the device is the CPU or shares its memory (mps).
    """

    def __init__(self, x: np.ndarray, shape: tuple[int, ...], device: torch.device, dtype=np.float32):
        self.device = device
        rows = np.ascontiguousarray(x, dtype=dtype)
        self.tensor = as_tensor(rows).view(-1, *shape)
        stays = device.type == "cpu" or (device.type == "mps" and is_memmap(rows))
        if not stays and 2 * self.tensor.nbytes < free_memory(device):
            self.tensor = self.tensor.to(device)
        self.at_hand = self.tensor.device.type == device.type

    def __len__(self) -> int:
        return len(self.tensor)

    def __getitem__(self, indices: Tensor) -> Tensor:
        """Rows by their numbers, which had better be where `tensor` is: else they are copied, and waited for."""
        indices = indices.to(self.tensor.device)
        if self.at_hand:
            return self.tensor.index_select(0, indices)
        shape = len(indices), *self.tensor.shape[1:]
        buffer = torch.empty(shape, dtype=self.tensor.dtype, pin_memory=self.device.type == "cuda")
        return send(torch.index_select(self.tensor, 0, indices, out=buffer), self.device)

    def blocks(self, share: slice = slice(None)) -> Iterator[Tensor]:
        """These rows in their order, block by block, on the device."""
        for block in self.tensor[share].split(BLOCK):
            yield block if self.at_hand else send(block, self.device)


def send(rows: Tensor, device: torch.device) -> Tensor:
    """Rows on the device. To CUDA they go by way of pinned memory, from which the GPU copies while the CPU goes on.

    PyTorch keeps the pinned buffers for the next rows, and gives one out again when its copy is done: the CPU fills one
    while the GPU reads another.
    """
    if rows.device.type != "cpu" or device.type != "cuda":
        return rows.to(device)
    return (rows if rows.is_pinned() else rows.pin_memory()).to(device, non_blocking=True)


@torch.no_grad()
def map_rows(
    function: Callable[[Tensor], Tensor], rows: Rows, fabric: Fabric | None = None, *, to_cpu: bool = False
) -> Tensor:
    """`function` on all rows, block by block, without gradients -> float32 on the device, or in main memory (`to_cpu`).

    With the `fabric` of several processes, each computes its share, and all return all rows.
    """
    rank, size = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    at, end = len(rows) * rank // size, len(rows) * (rank + 1) // size
    found = None
    for block in rows.blocks(slice(at, end)):
        part = function(block)
        if found is None:  # one array, since many small ones between the large ones of `function` would scatter memory
            found = torch.zeros(len(rows), *part.shape[1:], device="cpu" if to_cpu else part.device)
        found[at : at + len(part)] = part
        at += len(part)
    assert found is not None
    return found if size == 1 else fabric.all_reduce(found, reduce_op="sum")  # type: ignore[union-attr, return-value]


def map_network(
    network: nn.Module,
    function: Callable[[Tensor], Tensor],
    x: np.ndarray | Rows,
    shape: tuple[int, ...],
    device: str | torch.device = "auto",
) -> np.ndarray:
    """`function`, which calls the network, on all rows of x (n, d), in float32; the network goes to the device for it.

    During training (callbacks) it is on its device already, and goes back to training afterwards.
    x may be `Rows` where they are on the device already.
    """
    home, training = next(network.parameters()).device, network.training
    if home.type != "cpu":
        target = home
    else:
        target = x.device if isinstance(x, Rows) else resolve_device(device)
    network.eval().to(target)
    try:
        # Reconstructions of data that do not fit on the GPU do not fit there either.
        rows = x if isinstance(x, Rows) else Rows(x, shape, target)
        return map_rows(function, rows, to_cpu=True).numpy()
    finally:
        network.train(training).to(home)


def is_memmap(rows: np.ndarray | None) -> bool:
    """Whether the rows are on disk, and perhaps more than fit into memory."""
    while isinstance(rows, np.ndarray) and not isinstance(rows, np.memmap):
        rows = rows.base
    return isinstance(rows, np.memmap)


def row_blocks(n_rows: int, width: int, device: torch.device | None = None) -> list[slice]:
    """Blocks of rows for arrays of `width` columns: about 2^20 numbers each, which stay in the processor's cache.

    On a GPU 2^24: few blocks, since each costs the start of some kernels. Sizes are multiples of 64 rows: products with
    rows of another length in memory take up to 1.6 times as long.
    """
    numbers = 2**20 if device is None or device.type == "cpu" else 2**24
    size = max(numbers // max(width, 1) // 64 * 64, 256)
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


class Shifted:
    """x − shift on the device of the shift (d,), for x (n, d) that is too large for a copy, or for that device.

    Rows are read and shifted as they are asked for. A block (a slice) is there until the next one is asked for: all
    blocks share one buffer.
    """

    def __init__(self, x: Tensor, shift: Tensor):
        self.x, self.shift, self.shape, self.dtype, self.device = x, shift, x.shape, x.dtype, shift.device
        self.buffer = x.new_empty(0, x.shape[1])

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows) -> Tensor:
        if not isinstance(rows, slice):
            return self.x[torch.as_tensor(rows).to(self.x.device)].to(self.device) - self.shift
        found = send(self.x[rows], self.device)
        if len(found) > len(self.buffer):
            self.buffer = torch.empty_like(found)
        return torch.sub(found, self.shift, out=self.buffer[: len(found)])

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """As a tensor's, for dim 0: rows (m,) -> (m, d)."""
        return self[rows]


def centered(rows: np.ndarray, mean: Tensor) -> Tensor | Shifted:
    """rows − mean on the device of the mean (d,): a copy, or, where that would be too much, `Shifted` rows.

    Too much is a numpy.memmap where the device shares the main memory, elsewhere half of the free memory of the GPU.
    """
    x, device = as_tensor(rows), mean.device
    if device.type == "cpu" or (device.type == "mps" and is_memmap(rows)):
        too_much = is_memmap(rows)
    else:
        too_much = 2 * x.nbytes >= free_memory(device)
    return Shifted(x, mean) if too_much else x.to(device) - mean


def squared_norms(x: Tensor | Shifted) -> Tensor:
    """‖x_i‖² (n,) of the rows."""
    norms = torch.empty(len(x), dtype=x.dtype, device=x.device)
    for block in row_blocks(len(x), x.shape[1], x.device):
        norms[block] = x[block].square().sum(1)
    return norms


def cluster_sums(x: Tensor, labels: Tensor, n_clusters: int, weight: Tensor) -> Tensor:
    """Σ_{i: c(i) = k} w_i x_i for x (n, d), labels c (n,), weight w (n,) -> (k, d).

    As bags of embeddings, which several threads sum; index_add_ is one thread's work. Not on a GPU: there bags of many
    rows are slow (and unknown to some), index_add_ adds in any order, and a product with mostly zeros costs little.
    """
    if x.device.type != "cpu":
        return one_hot(labels, n_clusters, weight).T @ x
    labels, order = labels.sort()
    starts = torch.searchsorted(labels, torch.arange(n_clusters, device=x.device))
    return torch.nn.functional.embedding_bag(order, x, starts, mode="sum", per_sample_weights=weight[order])


def cluster_weights(labels: Tensor, n_clusters: int, weight: Tensor) -> Tensor:
    """Weight of each cluster (k,), in the dtype of weight (n,)."""
    return weight.new_zeros(n_clusters).index_add_(0, labels, weight)


def one_hot(labels: Tensor, n_clusters: int, weight: Tensor) -> Tensor:
    """The assignment of labels (n,) as a matrix (n, k), with weight (n,) instead of ones."""
    return weight.new_zeros(len(labels), n_clusters).scatter_(1, labels[:, None], weight[:, None])
