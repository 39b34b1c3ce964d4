"""A network's passes as CUDA graphs: one launch instead of about a hundred. Off unless DCLIB_CUDA_GRAPHS=1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class _TensorsOf(nn.Module):
    """The tensors of what a network returns; None among them, a part that it leaves out, cannot be captured."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.pass_through = network, network.forward

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(out for out in self.pass_through(x) if out is not None)


@contextmanager
def graphed(network: nn.Module | None, shape: tuple[int, ...], fabric: Fabric) -> Iterator[None]:
    """Context in which the passes of `network`, forward and backward, through a batch of this shape are replayed.

    A large GPU computes a dense autoencoder's step in less time than Python takes to launch its kernels; a graph is
    launched at once. Batches of another shape, as the last one of an epoch, go the usual way. The optimizer stays
    outside: its learning rate and momentum change from step to step, and a graph would keep them as they were. What a
    replay returns holds until the next one: keep copies.

    Nothing happens unless the environment has DCLIB_CUDA_GRAPHS=1, since no GPU was at hand to try it on
    (`python -m benchmarks gpu` compares the two ways); nor on other devices, with several processes, or for a network
    with buffers, which the capture's trial passes would change.
    """
    wanted = os.environ.get("DCLIB_CUDA_GRAPHS") == "1" and fabric.device.type == "cuda" and fabric.world_size == 1
    if network is None or not wanted or next(network.buffers(), None) is not None:
        yield
        return
    sample, tensors_of = torch.zeros(shape, device=fabric.device), _TensorsOf(network)
    with fabric.autocast():
        with torch.no_grad():
            present = [out is not None for out in network(sample)]
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)  # weights rounded to bfloat16 must be rounded again in each step
        try:
            # A part that is left out has weights that nothing depends on.
            torch.cuda.make_graphed_callables(tensors_of, (sample,), allow_unused_input=True)  # another `forward`
        finally:
            torch.set_autocast_cache_enabled(cached)
    as_usual = network.forward

    def forward(x: Tensor):
        if not network.training or x.shape != sample.shape:
            return as_usual(x)
        found = iter(tensors_of(x))
        return tuple(next(found) if here else None for here in present)

    network.forward = forward
    try:
        yield
    finally:
        del network.forward  # that of its class again
