"""A network's passes as CUDA graphs: one launch instead of about a hundred. Off unless DCLIB_CUDA_GRAPHS=1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dclib.engine.device import deterministic_convolutions

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@contextmanager
def graphed(network: nn.Module, shape: tuple[int, ...], fabric: Fabric) -> Iterator[None]:
    """Context in which the passes of `network`, forward and backward, through a batch of this shape are replayed.

    A large GPU computes a dense autoencoder's step in less time than Python takes to launch its kernels; a graph is
    launched at once. Batches of another shape, as the last one of an epoch, go the usual way. The optimizer stays
    outside: its learning rate and momentum change from step to step, and a graph would keep them as they were.

    Nothing happens unless the environment has DCLIB_CUDA_GRAPHS=1, since no GPU was at hand to try it on
    (`python -m benchmarks gpu` compares the two ways); nor on other devices, with several processes, or for a network
    with buffers, which the capture's trial passes would change.
    """
    wanted = os.environ.get("DCLIB_CUDA_GRAPHS") == "1" and fabric.device.type == "cuda" and fabric.world_size == 1
    if not wanted or next(network.buffers(), None) is not None:
        yield
        return
    sample = torch.zeros(shape, device=fabric.device)
    as_usual = network.forward
    with fabric.autocast(), deterministic_convolutions():
        cached = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)  # weights rounded to bfloat16 must be rounded again in each step
        try:
            torch.cuda.make_graphed_callables(network, (sample,))  # gives the network another `forward`
        finally:
            torch.set_autocast_cache_enabled(cached)
    replayed = network.forward

    def forward(x: Tensor):
        return (replayed if x.shape == sample.shape else as_usual)(x)

    network.forward = forward
    try:
        yield
    finally:
        del network.forward  # that of its class again
