"""Several processes, each with its share of the rows: what k-means asks of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dclib.engine.device import draw_seed, make_fabric, n_processes
from dclib.engine.rows import Shifted

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Alone:
    """The processes that share the rows: here one, which has them all. Every sum is already complete."""

    rank, size = 0, 1
    fabric: Fabric | None = None

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

    def seed(self, random_state) -> int:
        """A seed from scikit-learn's `random_state`, the same in all processes, also where that is None."""
        seed = draw_seed(random_state)
        if isinstance(random_state, (int, np.integer)):  # no need to ask the others, who may not be here, too
            return seed
        return int(self.pick(torch.tensor(seed), 0))

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
        rows = torch.zeros(n, *share.shape[1:], dtype=share.dtype, device=share.device)
        rows[self.share(n)] = share
        return self.sum(rows)


# A single process has all rows.
ALONE = Alone()


class Together(Alone):
    """Several processes, started by torchrun: each was given the same rows, and works on its share of them."""

    def __init__(self, device: str | torch.device = "cpu"):
        self.fabric = make_fabric(device, "32-true")
        self.rank, self.size = self.fabric.global_rank, self.fabric.world_size

    def sum(self, part: Tensor) -> Tensor:
        total: Any = self.fabric.all_reduce(part.clone(), reduce_op="sum")  # type: ignore[union-attr]
        return total.to(part.device)  # Fabric adds up on its own device, whichever the parts are on


def everyone(device: str | torch.device = "cpu") -> Alone:
    """The processes that run this script: one, or those that torchrun started, which talk by way of this device."""
    return Together(device) if n_processes() > 1 else Alone()
