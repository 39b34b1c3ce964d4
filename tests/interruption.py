"""What tests of resuming share."""

from dclib.engine.callbacks import Callback


class StopAfter(Callback):
    """Stands for an interruption after the epoch's checkpoint is written."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, run):
        if run.epoch > self.epoch:
            raise KeyboardInterrupt
