"""What tests of training and resuming share."""

import torch

from dclib.engine.callbacks import Callback

SMALL = {"latent_dim": 3, "hidden": (16,), "epochs": 6, "batch_size": 64, "random_state": 0}  # an Autoencoder


def weights(estimator):
    network = getattr(estimator, "autoencoder_", estimator).network_
    return torch.cat([p.detach().flatten() for p in network.parameters()])


class StopAfter(Callback):
    """Stands for an interruption after the epoch's checkpoint is written."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, run):
        if run.epoch > self.epoch:
            raise KeyboardInterrupt
