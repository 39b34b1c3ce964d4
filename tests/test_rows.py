"""Rows in blocks and by number; sums of clusters; tensors on an array's memory; a memmap is known."""

import numpy as np
import pytest
import torch

from dclib.engine import rows
from dclib.engine.rows import Rows, Shifted, as_tensor, cluster_sums, is_memmap, map_rows, one_hot, row_blocks


@pytest.mark.parametrize("n", [1, 255, 256, 257, 100_000])
@pytest.mark.parametrize("width", [1, 784, 10**7])
def test_blocks_cover_every_row_once(n, width):
    blocks = row_blocks(n, width)
    assert [row for block in blocks for row in range(n)[block]] == list(range(n))
    assert all(len(range(n)[block]) <= max(256, 2**20 // width) for block in blocks)
    assert all(len(range(n)[block]) % 64 == 0 for block in blocks[:-1])
    gpu = row_blocks(n, width, torch.device("cuda"))
    assert [row for block in gpu for row in range(n)[block]] == list(range(n)) and len(gpu) <= len(blocks)


def test_of_nothing_there_are_no_blocks():
    assert row_blocks(0, 5) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_of_clusters_by_hand_and_by_either_way(dtype):
    x = torch.tensor([[1, 2], [3, 4], [5, 6], [7, 8]], dtype=dtype)
    labels, weight = torch.tensor([3, 0, 3, 1]), torch.tensor([2, 1, 10, 0], dtype=dtype)
    want = torch.tensor([[3, 4], [0, 0], [0, 0], [52, 64]], dtype=dtype)
    assert torch.equal(cluster_sums(x, labels, 4, weight), want)
    assert torch.equal(one_hot(labels, 4, weight).T @ x, want)  # what it is on a GPU
    assert cluster_sums(x.to("meta"), labels.to("meta"), 4, weight.to("meta")).shape == (4, 2)


def test_a_memmap_is_known_by_any_view_of_it(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((6, 2, 3), np.float32))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert is_memmap(x) and is_memmap(x[1:4]) and is_memmap(np.asarray(x).reshape(6, -1))
    assert not is_memmap(np.zeros(3)) and not is_memmap(np.array(x)) and not is_memmap(None)


def test_a_tensor_on_an_array_shares_its_memory_and_does_not_warn(tmp_path, recwarn):
    array = np.zeros((3, 2))
    array.setflags(write=False)
    tensor = as_tensor(array)
    assert tensor.data_ptr() == array.ctypes.data
    assert not recwarn.list


def test_shifted_rows():
    x = torch.arange(12.0).view(4, 3)
    shifted = Shifted(x, torch.tensor([1.0, 2.0, 3.0]))
    assert len(shifted) == 4 and shifted.shape == (4, 3) and shifted.dtype == x.dtype
    assert shifted[1:3].tolist() == [[2, 2, 2], [5, 5, 5]]
    assert shifted[torch.tensor([3, 0])].tolist() == [[8, 8, 8], [-1, -1, -1]]
    assert shifted[2].tolist() == [5, 5, 5]


def test_rows_hand_out_batches_without_copying_the_data_first():
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    rows = Rows(x, (1, 2, 1), torch.device("cpu"))
    assert rows[torch.tensor([4, 0])].tolist() == [[[[8], [9]]], [[[0], [1]]]]
    assert rows.tensor.data_ptr() == x.ctypes.data
    assert len(rows) == 6


def test_data_go_to_the_gpu_where_they_take_less_than_half_of_it(monkeypatch):
    sent = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **_: sent.append(device) or self)
    x, cuda = np.zeros((10, 4), np.float32), torch.device("cuda", 0)  # 160 bytes
    for free, goes in ((320, False), (321, True)):
        sent.clear()
        monkeypatch.setattr(rows, "free_memory", lambda device, free=free: free)
        Rows(x, (4,), cuda)
        assert sent == [cuda] * goes


def test_a_memmap_is_not_read_whole_for_a_device_that_shares_the_memory(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(40, dtype=np.float32).reshape(10, 4))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(rows, "free_memory", lambda device: 10**9)
    sent = []
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device, **_: sent.append(tuple(self.shape)) or self)
    data = Rows(x, (4,), torch.device("mps"))
    assert sent == [] and not data.at_hand
    Rows(np.array(x), (4,), torch.device("mps"))
    assert sent == [(10, 4)]


def test_results_are_collected_in_main_memory_if_asked(digits):
    data = Rows(digits.x, (1, 8, 8), torch.device("cpu"))
    assert np.array_equal(map_rows(lambda x: 2 * x, data, to_cpu=True).numpy(), 2 * digits.x)
    assert map_rows(lambda x: x.to("meta"), data).device.type == "meta"  # else where `function` leaves them
