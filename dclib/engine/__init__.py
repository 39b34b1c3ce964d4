"""What carries the methods, and no lesson derives: devices, rows, processes, the training loop, callbacks, saving."""
