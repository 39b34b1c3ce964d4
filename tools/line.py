"""The line between the teacher's process and the student's: frames of plain data on a socket, never pickle.

Both ends use this module: `answerer.py` in the sandbox, `judge.py` outside. A frame is an 8-byte head (the lengths of
its two parts), a text part (JSON) and a part with the bytes of its arrays. In the JSON a value is null, true, false, a
number, a string, or one of

    {"list": […]}  {"tuple": […]}  {"dict": {…}}                 of values
    {"array": [dtype, shape]}  {"tensor": [dtype, shape]}        the next bytes of the second part, in C order
    {"scalar": [dtype, []]}                                      the same, one number of NumPy's
    {"generator": seed}                                          a fresh torch.Generator; to the student only
    {"foreign": "name of its type"}                              anything else: it does not cross, only its type's name

What is read is checked against limits before memory is given to it, so a frame that breaks them costs nothing but the
line: whoever reads it gets a LineError and hangs up.
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import time
from typing import Any

import numpy as np

MAX_TEXT = 2**20  # bytes of JSON in one frame
MAX_DATA = 2**26  # bytes of arrays in one frame
MAX_DEPTH = 6  # lists in lists
MAX_VALUES = 100_000  # values in one frame
MAX_NUMBER = 25  # characters of a number
HEAD = struct.Struct(">II")
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


class LineError(Exception):
    """The other end broke the rules of the line, or is gone."""


class LineTimeout(LineError):
    """The other end did not answer in time."""


class Foreign:
    """Stands for a result that is not plain data; `kind` is the name of its type."""

    def __init__(self, kind: str):
        self.kind = kind

    def __repr__(self) -> str:
        return f"<a {self.kind}>"


def encode(value: Any) -> tuple[Any, list[bytes]]:
    """A value as JSON and the bytes of the arrays in it. What is not plain data becomes its type's name."""
    data: list[bytes] = []
    return _encode(value, data, 0), data


def _encode(value: Any, data: list[bytes], depth: int) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if abs(value) < 2**63 else {"foreign": "very large int"}
    if kind is float:
        return value
    if kind in (list, tuple) and depth < MAX_DEPTH:
        return {kind.__name__: [_encode(v, data, depth + 1) for v in value]}
    if kind is dict and depth < MAX_DEPTH and all(type(key) is str for key in value):
        return {"dict": {key: _encode(v, data, depth + 1) for key, v in value.items()}}
    if isinstance(value, np.generic) and value.dtype.name in DTYPES:
        data.append(np.asarray(value).tobytes())
        return {"scalar": [value.dtype.name, []]}  # in the notebook np.float64 is a float, which an array is not
    if isinstance(value, np.ndarray) and value.dtype.name in DTYPES:
        data.append(np.ascontiguousarray(value).tobytes())
        return {"array": [value.dtype.name, list(value.shape)]}
    if module := getattr(kind, "__module__", ""):
        if str(module).startswith("torch"):
            return _encode_torch(value, data)
    return {"foreign": str(kind.__name__)[:60]}


def _encode_torch(value: Any, data: list[bytes]) -> Any:
    import torch

    if isinstance(value, torch.Generator):
        return {"generator": value.initial_seed()}
    if isinstance(value, torch.Tensor) and str(value.dtype).removeprefix("torch.") in DTYPES:
        array = value.detach().cpu().contiguous().numpy()
        data.append(array.tobytes())
        return {"tensor": [array.dtype.name, list(array.shape)]}
    return {"foreign": type(value).__name__[:60]}


def plain_text(text: Any, most: int) -> str:
    """A text from the other end that can be stored and shown: no control characters, no halves of characters."""
    text = str(text)[:most].encode("utf-8", "replace").decode("utf-8")
    return "".join(c for c in text if c.isprintable() or c == "\n")


class Decoder:
    """Turns the JSON of a frame back into values. `generators`: whether a random generator may be among them."""

    def __init__(self, data: memoryview, generators: bool):
        self.data, self.generators, self.at, self.values = data, generators, 0, 0

    def decode(self, text: Any, depth: int = 0) -> Any:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH + 1:
            raise LineError("too many values in one frame")
        if isinstance(text, str):
            return plain_text(text, MAX_TEXT)
        if text is None or isinstance(text, bool | int | float):
            return text
        if not isinstance(text, dict) or len(text) != 1:
            raise LineError("not a value")
        ((kind, content),) = text.items()
        if kind in ("list", "tuple") and isinstance(content, list):
            values = [self.decode(v, depth + 1) for v in content]
            return values if kind == "list" else tuple(values)
        if kind == "dict" and isinstance(content, dict):
            return {plain_text(key, 100): self.decode(v, depth + 1) for key, v in content.items()}
        if kind in ("array", "scalar", "tensor"):
            return self._array(kind, content)
        if kind == "generator" and self.generators and type(content) is int:
            import torch

            return torch.Generator().manual_seed(content)
        if kind == "foreign" and isinstance(content, str) and len(content) <= 60:
            return Foreign(plain_text(content, 60) or "?")
        raise LineError("not a value")

    def _array(self, kind: str, content: Any) -> Any:
        if not (isinstance(content, list) and len(content) == 2 and content[0] in DTYPES):
            raise LineError("not an array")
        dtype, shape = np.dtype(content[0]), content[1]
        if not (isinstance(shape, list) and len(shape) <= 8 and all(type(n) is int and n >= 0 for n in shape)):
            raise LineError("not a shape")
        size = math.prod(shape) * dtype.itemsize
        if max(shape, default=0) > MAX_DATA or size > len(self.data) - self.at:
            raise LineError("an array is larger than its bytes")
        raw = bytearray(self.data[self.at : self.at + size])  # a copy that may be written to
        self.at += size
        if dtype.name == "bool" and size and max(raw) > 1:
            raise LineError("not a truth value")
        array = np.frombuffer(raw, dtype).reshape(shape)
        if kind == "array":
            return array
        if kind == "scalar":
            if shape:
                raise LineError("not a scalar")
            return array[()]
        import torch

        return torch.from_numpy(array)


def _number(text: str) -> int:
    if len(text) > MAX_NUMBER or abs(int(text)) >= 2**64:
        raise LineError("a number is too long")
    return int(text)


def pack(text: Any, data: list[bytes]) -> bytes:
    """A frame. Raises LineError when it is larger than the other end would read."""
    head = json.dumps(text, separators=(",", ":")).encode()
    size = sum(map(len, data))
    if len(head) > MAX_TEXT or size > MAX_DATA:
        raise LineError(f"too large: {len(head)} and {size} bytes; at most {MAX_TEXT} and {MAX_DATA} can cross")
    return b"".join([HEAD.pack(len(head), size), head, *data])


class Line:
    """One end of a connection. `generators`: whether random generators may come in."""

    def __init__(self, connection: socket.socket, generators: bool = False):
        self.connection, self.generators = connection, generators
        connection.setblocking(False)

    def close(self) -> None:
        self.connection.close()

    def send(self, text: Any, data: list[bytes], deadline: float | None = None) -> None:
        """Send one frame before `deadline` (time.monotonic()). Raises LineError."""
        self.send_packed(pack(text, data), deadline)

    def send_packed(self, frame: bytes, deadline: float | None = None) -> None:
        rest = memoryview(frame)
        while rest:
            self._wait(False, deadline)
            try:
                rest = rest[self.connection.send(rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise LineError("the other end is gone") from error

    def receive(self, deadline: float | None = None) -> tuple[dict, Decoder]:
        """The next frame: its JSON, an object, and a decoder for the values in it. Raises LineError."""
        sizes = HEAD.unpack(self._read(HEAD.size, deadline))
        if sizes[0] > MAX_TEXT or sizes[1] > MAX_DATA:
            raise LineError("a frame is too large")
        head, data = self._read(sizes[0], deadline), self._read(sizes[1], deadline)
        try:
            text = json.loads(bytes(head), parse_int=_number)
        except (ValueError, RecursionError) as error:
            raise LineError("a frame is not JSON") from error
        if not isinstance(text, dict):
            raise LineError("a frame is not an object")
        return text, Decoder(memoryview(data), self.generators)

    def quiet(self) -> bool:
        """True if nothing has come that was not asked for."""
        return not select.select([self.connection], [], [], 0)[0]

    def _read(self, size: int, deadline: float | None) -> bytearray:
        # Grown as the bytes come: a length that is only claimed costs no memory.
        read = bytearray()
        while len(read) < size:
            self._wait(True, deadline)
            try:
                piece = self.connection.recv(min(size - len(read), 2**20))
            except BlockingIOError:
                continue
            except OSError as error:
                raise LineError("the other end is gone") from error
            if not piece:
                raise LineError("the other end is gone")
            read += piece
        return read

    def _wait(self, reading: bool, deadline: float | None) -> None:
        seconds = None if deadline is None else deadline - time.monotonic()
        if seconds is not None and seconds <= 0:
            raise LineTimeout("no answer in time")
        one = [self.connection]
        if not any(select.select(one if reading else [], [] if reading else one, [], seconds)):
            raise LineTimeout("no answer in time")
