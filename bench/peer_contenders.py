"""The ways to run a model that bench/peers.py times against each other; a row of CONTENDERS is all that a new one needs.

A maker takes a Case and returns a Contender or raises; what it raises is the reason in the table. Peers with a C or C++
interface are timed through it by bench/peers_torchweld.cpp, torch.compile by a loop of Python.
"""

import contextlib
import ctypes
import dataclasses
import pathlib
import time
import types
from typing import Any, Callable

import torch

import peer_models


@dataclasses.dataclass
class Case:
    """One model in one process: what the makers share."""

    name: str
    threads: int
    folder: pathlib.Path
    library: ctypes.CDLL
    module: torch.nn.Module
    inputs: tuple
    # One call's answer by LibTorch: the shapes of outputs.
    outputs: list

    @property
    def model(self):
        return peer_models.MODELS[self.name]

    @property
    def archive(self):
        return self.folder / "archive.pt"

    @property
    def inputs_file(self):
        return self.folder / "inputs.pt"

    def needs_source(self):
        if self.model.archive_only:
            raise RuntimeError("there is only the archive, no Python source to compile")


@dataclasses.dataclass
class Contender:
    # One call; its answer's tensors as one float tensor.
    answer: Callable[[], torch.Tensor]
    # Microseconds a call, of so many calls.
    time_us: Callable[[int], float]
    keep: Any = None
    # A call starts from the same state each time, where the archive's own carries it on.
    stateless: bool = False


def flat(tensors):
    return torch.cat([t.detach().reshape(-1).float() for t in tensors])


def tensors_in(value):
    return [value] if isinstance(value, torch.Tensor) else [t for item in value for t in tensors_in(item)]


def native(kind, path=None):
    """A contender that bench/peers_torchweld.cpp makes; path gives its file if that is not the archive."""

    def make(case):
        file = path(case) if path else case.archive
        handle = case.library.peers_make(kind.encode(), str(file).encode(), str(case.inputs_file).encode())

        def checked(result):
            if result is None or result < 0:
                raise RuntimeError(case.library.peers_error().decode())
            return result

        checked(handle)
        out = torch.empty(sum(t.numel() for t in case.outputs))

        def answer():
            count = checked(case.library.peers_answer(handle, ctypes.c_void_p(out.data_ptr()), out.numel()))
            return out[:count].clone()

        return Contender(answer, lambda calls: checked(case.library.peers_time_us(handle, calls)), out)

    return make


def onednn_graph(case):
    torch.jit.enable_onednn_fusion(True)
    try:
        contender = native("freeze")(case)
        for _ in range(4):  # the executor looks for the fuser when it specialises, in its first calls
            contender.answer()
    finally:
        torch.jit.enable_onednn_fusion(False)
    return contender


@contextlib.contextmanager
def inductor(threads):
    """Freezing counts as a global setting only; generated loops have the number of threads in them."""
    import torch._inductor.config as config

    with config.patch({"freezing": True, "cpp.threads": threads}):
        yield


def with_own_code(module):
    """A module whose forward is a code object of its own: compilations of one object are told apart by guards."""
    kind, forward = type(module), type(module).forward
    code = forward.__code__.replace(co_name=forward.__code__.co_name)
    own = types.FunctionType(code, forward.__globals__, forward.__name__, forward.__defaults__, forward.__closure__)
    copy = kind.__new__(type(kind.__name__, (kind,), {"forward": own}))
    copy.__dict__ = dict(module.__dict__)
    return copy


def python_timer(call):
    def time_us(calls):
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        return (time.perf_counter_ns() - start) / calls / 1e3

    return time_us


def compiled(**options):
    def make(case):
        case.needs_source()
        module, inputs = torch.compile(with_own_code(case.module), options=options), case.inputs

        with inductor(case.threads):
            for _ in range(3):
                module(*inputs)
        return Contender(lambda: flat(tensors_in(module(*inputs))), python_timer(lambda: module(*inputs)))

    return make


def aotinductor_package(case):
    case.needs_source()
    package = case.folder / f"aotinductor-{case.threads}.pt2"
    if not package.exists():
        program = torch.export.export(case.module, case.inputs)
        with inductor(case.threads):
            torch._inductor.aoti_compile_and_package(
                program, package_path=str(package), inductor_configs={"max_autotune": True}
            )
    return package


def onnx_file(case, peer):
    if peer in case.model.onnx:
        return peer_models.silero_file(case.model.onnx[peer])
    path = case.folder / "model.onnx"
    if not path.exists():
        torch.onnx.export(
            torch.jit.load(case.archive) if case.model.script else case.module,
            case.inputs, str(path), dynamo=False, opset_version=17,
            input_names=[f"i{k}" for k in range(len(case.inputs))],
            output_names=[f"o{k}" for k in range(len(case.outputs))],
        )  # fmt: skip
    return path


def fed(case):
    """The tensors that an ONNX file is fed, by name."""
    if case.model.onnx_inputs:
        return case.model.onnx_inputs(case.inputs)
    return {f"i{k}": tensor.contiguous() for k, tensor in enumerate(case.inputs)}


def function_timer(case, function, *arguments):
    """Times a C function; arguments are integers or ctypes pointers."""
    values = [ctypes.cast(a, ctypes.c_void_p).value if not isinstance(a, int) else a for a in arguments]
    array = (ctypes.c_ssize_t * 8)(*values, *[0] * (8 - len(values)))
    pointer = ctypes.cast(function, ctypes.c_void_p)
    return lambda calls: case.library.peers_time_function_us(pointer, array, calls)


def onnxruntime(case):
    import peer_onnxruntime

    session = peer_onnxruntime.Session(onnx_file(case, "onnxruntime"), case.threads, fed(case))
    timer = function_timer(case, session.run_function, *session.run_arguments)
    count = sum(t.numel() for t in case.outputs)
    return Contender(lambda: flat(session.run())[:count], timer, session, bool(case.model.onnx))


def openvino(case):
    import peer_openvino

    request = peer_openvino.Request(case, lambda: onnx_file(case, "openvino"), fed(case))
    timer = function_timer(case, request.infer_function, request.pointer)
    count = sum(t.numel() for t in case.outputs)
    return Contender(lambda: flat(request.run())[:count], timer, request, bool(case.model.onnx))


# oneDNN Graph first: its setting is global while it is made.
CONTENDERS = {
    "onednn_graph": onednn_graph,
    "torchweld": native("torchweld"),
    "torchscript": native("torchscript"),
    "frozen": native("optimize_for_inference"),
    "compile_freezing": compiled(),
    "compile_max_autotune": compiled(max_autotune=True),
    "aotinductor": native("aotinductor", aotinductor_package),
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}
EAGER = native("eager")
