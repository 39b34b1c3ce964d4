"""Rows as an algorithm goes over them: in blocks, shifted on the way, and shared among several processes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dclib.training import make_fabric, n_processes


def is_memmap(rows: np.ndarray | None) -> bool:
    """Whether the rows are on disk, and perhaps more than fit into memory."""
    while isinstance(rows, np.ndarray) and not isinstance(rows, np.memmap):
        rows = rows.base
    return isinstance(rows, np.memmap)


def row_blocks(n_rows: int, width: int) -> list[slice]:
    """Blocks of rows for arrays of `width` columns: about 2^20 numbers each, which stay in the processor's cache."""
    size = max(2**20 // max(width, 1), 256)
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


class Shifted:
    """x − shift, for x (n, d) that is too large for a copy: rows are read and shifted as they are asked for.

    A block (a slice) is there until the next one is asked for: all blocks share one buffer.
    """

    def __init__(self, x: Tensor, shift: Tensor):
        self.x, self.shift, self.shape, self.dtype, self.device = x, shift, x.shape, x.dtype, x.device
        self.buffer = x.new_empty(0, x.shape[1])

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows) -> Tensor:
        found = self.x[rows]
        if not isinstance(rows, slice):
            return found - self.shift
        if len(found) > len(self.buffer):
            self.buffer = torch.empty_like(found)
        return torch.sub(found, self.shift, out=self.buffer[: len(found)])


def squared_norms(x: Tensor | Shifted) -> Tensor:
    """‖x_i‖² (n,) of the rows."""
    norms = torch.empty(len(x), dtype=x.dtype, device=x.device)
    for block in row_blocks(*x.shape):
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


def one_hot(labels: Tensor, n_clusters: int, weight: Tensor) -> Tensor:
    """The assignment of labels (n,) as a matrix (n, k), with weight (n,) instead of ones."""
    return weight.new_zeros(len(labels), n_clusters).scatter_(1, labels[:, None], weight[:, None])


class Alone:
    """The processes that share the rows: here one, which has them all. Every sum is already complete."""

    rank, size = 0, 1

    def sum(self, part: Tensor) -> Tensor:
        """The sum of all processes' parts, in each of them."""
        return part

    def share(self, n: int) -> slice:
        """This process's share of n rows."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def gather(self, number: Tensor) -> Tensor:
        """One number of each process -> (size,), in all of them."""
        ranks = torch.arange(self.size, device=number.device)
        return self.sum(torch.where(ranks == self.rank, number, torch.zeros_like(number)))

    def pick(self, value: Tensor, owner: int) -> Tensor:
        """The value of the process `owner`, in all of them."""
        return self.sum(value if self.rank == owner else torch.zeros_like(value))

    def take(self, x: Tensor | Shifted, numbers: Tensor) -> Tensor:
        """Rows (m, d) by their numbers among the rows of all processes, of which x is this one's share."""
        sizes = self.gather(torch.tensor(len(x)))
        numbers = numbers - int(sizes[: self.rank].sum())
        mine = (numbers >= 0) & (numbers < len(x))
        rows = torch.zeros(len(numbers), x.shape[1], dtype=x.dtype, device=x.device)
        rows[mine] = x[numbers[mine]]
        return self.sum(rows)

    def concatenate(self, share: Tensor, n: int) -> Tensor:
        """All n rows from the shares of the processes (m, …) -> (n, …)."""
        rows = torch.zeros(n, *share.shape[1:], dtype=share.dtype)
        rows[self.share(n)] = share
        return self.sum(rows)


class Together(Alone):
    """Several processes, started by torchrun: each was given the same rows, and works on its share of them."""

    def __init__(self):
        self.fabric = make_fabric("cpu", "32-true")
        self.rank, self.size = self.fabric.global_rank, self.fabric.world_size

    def sum(self, part: Tensor) -> Tensor:
        return self.fabric.all_reduce(part.clone(), reduce_op="sum")  # type: ignore[return-value]


def everyone() -> Alone:
    """The processes that run this script: one, or those that torchrun started."""
    return Together() if n_processes() > 1 else Alone()
