"""CPU tensors that claim to be on a GPU: what a GPU would refuse, or make the CPU wait for, is found without one.

Inside `with pretend("cuda"):` (or "mps") the library finds such a device, moves its data there and computes as ever, on
the CPU. A tensor's storage remembers where it claims to be. Two modes of PyTorch look on: one sees the calls of Python
(`.to`, `.device`, `device=`), the other every operation, those of the backward pass included. Faults are

* an operation on tensors of two devices, but for numbers (tensors without a dimension),
* random numbers from a generator of another device, or from a global generator of the GPU, which is the user's,
* float64 on mps, which has none,
* `.numpy()` of a tensor that is on the device,
* inside a step of training: whatever waits for the GPU (`.item()`, `nonzero`, copies to the CPU or from memory that is
  not pinned, …). The first batch of an epoch may wait: it brings the order of the rows.

All faults of a `with` block are raised together at its end, each with the line of dclib where it happened.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import lightning_fabric
import pytest
import torch
from lightning_fabric.accelerators import CPUAccelerator
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu import inside_steps
from dclib.engine import device as engine

# Operations whose result's size, or result, only the GPU knows: the CPU waits for it.
WAITING = {
    "_local_scalar_dense",
    "nonzero",
    "is_nonzero",
    "masked_select",
    "equal",
    "_unique2",
    "unique_dim",
    "bincount",
}
# Looks at the values of tensors on the CPU, but not of those on a GPU.
CHECKED = {"one_hot"}
# Calls that run Python code of others, which says itself where new tensors go.
BACKWARD = {torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad}
INDEXING = {"index", "index_put_", "_index_put_impl_"}
Tensor = torch.Tensor
ASKED = {Tensor.is_cuda.__get__: "cuda", Tensor.is_mps.__get__: "mps", Tensor.is_cpu.__get__: "cpu"}
DEVICE = Tensor.device.__get__
Generator = torch.Generator


def claim(tensor: Tensor) -> str:
    """Where the tensor claims to be: "cuda", "mps" or "cpu"."""
    return "cpu" if tensor.layout != torch.strided else getattr(tensor.untyped_storage(), "claim", "cpu")


def tensors_in(values) -> list[Tensor]:
    """The tensors among the arguments of a call: in tuples, lists and dicts, too."""
    found = []
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple, dict)):
            found += tensors_in(value)
    return found


class PretendedGenerator(Generator):
    """A generator that claims to be on the device."""

    kind = "cuda"
    device = property(lambda self: torch.device(self.kind, 0))


class Pretended:
    """What happens on one pretended device: its faults, and whether a step of training runs."""

    def __init__(self, kind: str):
        self.kind = kind
        self.faults: Counter[str] = Counter()
        self.in_step = False
        self.target: str | None = None  # where the call that runs makes new tensors

    def fault(self, what: str) -> None:
        frame, place = sys._getframe(1), "outside of dclib"
        while frame:
            if frame.f_globals.get("__name__", "").startswith("dclib"):
                place = f"{frame.f_globals['__name__']}:{frame.f_lineno} ({frame.f_code.co_name})"
                break
            frame = frame.f_back
        self.faults[f"{what} in {place}"] += 1

    @contextmanager
    def step(self) -> Iterator[None]:
        """A part of training in which nothing may wait."""
        self.in_step = True
        try:
            yield
        finally:
            self.in_step = False

    def wait(self, what: str) -> None:
        """The CPU waits for the GPU."""
        if self.in_step:
            self.fault(f"{what} waits for {self.kind} inside a step")

    def look_at_generator(self, name: str, generator: Generator, here: bool) -> None:
        if isinstance(generator, PretendedGenerator) != here:
            places = (self.kind, "the CPU") if here else ("the CPU", self.kind)
            self.fault(f"{name} on {places[0]} with a generator on {places[1]}")

    def put(self, tensor: Tensor, place: str) -> Tensor:
        """Let the tensor claim to be there."""
        if place == self.kind == "mps" and tensor.dtype == torch.float64:
            self.fault("float64 on mps")
        tensor.untyped_storage().claim = place
        return tensor

    def place_of(self, device) -> str:
        """The kind of a device that was asked for."""
        return torch.device(device).type

    def copied(self, source: Tensor, to: str, non_blocking: bool) -> None:
        """Note what a copy between the devices makes the CPU wait for."""
        if claim(source) == self.kind:
            self.wait("a copy to the CPU")
        elif self.kind == "cuda" and not (
            non_blocking and hasattr(source.untyped_storage(), "pinned")
        ):  # memory is one on a Mac
            self.wait("a copy from memory that is not pinned")


class Calls(TorchFunctionMode):
    """Answers what Python asks of a tensor by what the tensor claims."""

    def __init__(self, device: Pretended):
        super().__init__()
        self.device = device

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs, device, name = dict(kwargs or {}), self.device, getattr(function, "__name__", "")
        if function == DEVICE:
            return torch.device(claim(args[0]), None if claim(args[0]) == "cpu" else 0)
        if function in ASKED:
            return claim(args[0]) == ASKED[function]
        if function in (Tensor.to, Tensor.cpu, Tensor.cuda):
            return self.move(function, args, kwargs)
        if name in ("numpy", "__array__", "tolist") and claim(args[0]) == device.kind:
            if name == "tolist":
                device.wait("tolist")
            else:
                device.fault(f".numpy() of a tensor on {device.kind}")
        if function is Tensor.is_pinned:
            return hasattr(args[0].untyped_storage(), "pinned")
        pinned = kwargs.pop("pin_memory", False) or function is Tensor.pin_memory
        if function is Tensor.pin_memory:
            function = Tensor.clone
        place = None
        if kwargs.get("device") is not None:
            place = device.place_of(kwargs["device"])
        elif name == "new_tensor":
            place = claim(args[0])
        if name in ("tensor", "new_tensor") and place == device.kind:
            device.wait("a copy from memory that is not pinned")
        if place == device.kind:
            kwargs["device"] = "cpu"
        here = place == device.kind or (
            place is None and any(claim(t) == device.kind for t in tensors_in((args, kwargs)))
        )
        if kwargs.get("generator") is not None:
            device.look_at_generator(name, kwargs["generator"], here)
        before = device.target, device.in_step
        device.target = device.kind if here and function not in BACKWARD else None
        device.in_step &= name not in CHECKED
        try:
            out = function(*args, **kwargs)
        finally:
            device.target, device.in_step = before
        if name == "__deepcopy__":
            place = claim(args[0])
        if isinstance(out, Tensor):
            if place in ("cpu", device.kind):
                device.put(out, place)
            if pinned:
                out.untyped_storage().pinned = True
        return out

    def move(self, function, args, kwargs):
        """Tensor.to, .cpu and .cuda."""
        tensor, *rest = args
        place, dtype = kwargs.get("device"), kwargs.get("dtype")
        for value in (*rest, kwargs.get("other")):
            if isinstance(value, Tensor):
                place, dtype = claim(value), value.dtype
            elif isinstance(value, torch.dtype):
                dtype = value
            elif isinstance(value, (str, torch.device)):
                place = value
        if function is not Tensor.to:
            place = "cpu" if function is Tensor.cpu else "cuda"
        source, dtype = claim(tensor), dtype or tensor.dtype
        place = source if place is None else self.device.place_of(place)
        if place not in ("cpu", self.device.kind):  # such as meta
            return function(*args, **kwargs)
        if place == source:
            return tensor.to(dtype, **{name: kwargs[name] for name in ("copy", "memory_format") if name in kwargs})
        self.device.copied(tensor, place, kwargs.get("non_blocking", False))
        if place == "cpu":
            return self.device.put(tensor.clone(), place).to(dtype)
        return self.device.put(tensor.to(dtype).clone(), place)


class Operations(TorchDispatchMode):
    """Looks at the devices of every operation, of the backward pass, too."""

    def __init__(self, device: Pretended):
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        with torch._C.DisableTorchFunction():
            return self.look_at(operation, args, kwargs)

    def look_at(self, operation, args, kwargs):
        device, name = self.device, operation._schema.name.split("::")[1]
        given = tensors_in((args, kwargs))
        places = [claim(tensor) for tensor in given]
        here = device.kind in places or (not given and device.target == device.kind)
        strangers = [t for t, place in zip(given, places) if place != device.kind and t.ndim]
        if device.kind in places and strangers:
            if name == "copy_" and claim(args[0]) != claim(args[1]):
                device.copied(args[1], claim(args[0]), kwargs.get("non_blocking", args[2] if len(args) > 2 else False))
            elif name in INDEXING and claim(args[0]) == device.kind:
                device.wait(f"{name} with numbers on the CPU")
            else:
                device.fault(f"{name} of a tensor on the CPU {tuple(strangers[0].shape)} and one on {device.kind}")
        if device.kind in places and name in WAITING:
            device.wait(name)
        if device.kind in places and name in INDEXING and any(t.dtype == torch.bool for t in tensors_in(args[1])):
            device.wait(f"{name} with a mask")
        if here and torch.Tag.nondeterministic_seeded in operation.tags:
            if not any(isinstance(value, Generator) for value in (*args, *kwargs.values())):
                device.fault(f"{name} draws from the global generator of {device.kind}")
        out = operation(*args, **kwargs)
        if here:  # what an operation changed or looked at in another way stays where it was
            known = {id(tensor.untyped_storage()) for tensor in given if tensor.layout == torch.strided}
            for tensor in tensors_in((out,)):
                if id(tensor.untyped_storage()) not in known:
                    device.put(tensor, device.kind)
        return out


@contextmanager
def pretend(kind: str, room: int = 10**12) -> Iterator[Pretended]:
    """In this context there is a device of this kind, "cuda" or "mps", with so many bytes free.

    Raises AssertionError at the end if the code inside did what such a device would refuse or wait for.
    """
    device = Pretended(kind)
    here = torch.device(kind, 0)

    class PretendedFabric(lightning_fabric.Fabric):
        """Computes on the CPU whatever it was asked for, and says it does so on the device."""

        def __init__(self, accelerator: str, **options):
            super().__init__(accelerator="cpu", **{**options, "devices": 1})
            if accelerator == kind:
                self._strategy._root_device = here

    class OwnGenerator(PretendedGenerator):
        pass

    OwnGenerator.kind = kind

    def make_generator(device="cpu"):
        return Generator() if torch.device(device).type == "cpu" else OwnGenerator()

    class Machine:
        """PyTorch as it is on a machine with such a device, as far as dclib.engine.device asks."""

        Generator = staticmethod(make_generator)
        cuda = SimpleNamespace(
            is_available=lambda: kind == "cuda",
            device_count=lambda: int(kind == "cuda"),
            get_device_capability=lambda device: (8, 0),
            mem_get_info=lambda device: (room, room),
            memory_reserved=lambda device: 0,
            memory_allocated=lambda device: 0,
        )
        mps = SimpleNamespace(recommended_max_memory=lambda: room, current_allocated_memory=lambda: 0)
        backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: kind == "mps"), cudnn=torch.backends.cudnn)

        def __getattr__(self, name):
            return getattr(torch, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "torch", Machine())
        patch.setattr(lightning_fabric, "Fabric", PretendedFabric)
        patch.setattr(CPUAccelerator, "setup_device", lambda self, device: None)
        with inside_steps(device.step), Operations(device), Calls(device):
            yield device
    if device.faults:
        raise AssertionError("\n".join(f"{count} × {fault}" for fault, count in device.faults.most_common()))
