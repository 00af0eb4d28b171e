"""The list of archives and how one is written.

A module of this folder registers archives with @archive; make.py writes them. Each becomes GROUP/NAME.pt, the archive,
and GROUP/NAME.inputs.pt: torch.save of {"inputs": tuple, "outputs": flat list of tensors}. The outputs are those of the
original Python model where there is one, so that a test compares with the model and not only with its archive.
"""

import copy
import dataclasses
import pathlib
import warnings
from typing import Any, Callable

import torch

# The oracle seeds each call with the same number.
CALL_SEED = 7

ARCHIVES: dict[str, list[Callable[[], "Made"]]] = {}


@dataclasses.dataclass
class Made:
    """What a registered function returns: the script module, the inputs and the model that it came from."""

    module: torch.jit.ScriptModule
    inputs: tuple
    original: Any = None


def archive(make):
    """Registers a function that returns a Made; the group is its Python module, the name its own."""
    ARCHIVES.setdefault(make.__module__, []).append(make)
    return make


def bad_file(name):
    """Registers a function that writes a file which is no good archive: no inputs, no outputs."""

    def register(make):
        make.file_name = name
        return archive(make)

    return register


def scripted(model, *inputs):
    if isinstance(model, torch.nn.Module):
        model.eval()
    return Made(torch.jit.script(model), inputs, model)


def traced(model, *inputs, **options):
    if isinstance(model, torch.nn.Module):
        model.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.trace(model, copied(inputs), check_trace=False, **options)
    return Made(module, inputs, model)


def differs_from_original(made):
    """For archives that are known to answer otherwise than their model did: LibTorch's answer counts."""
    made.original = None
    return made


def copied(value):
    """A deep copy, also of views: each tensor keeps its strides and gets memory of its own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone(memory_format=torch.preserve_format)
    if isinstance(value, tuple):
        return type(value)(*map(copied, value)) if hasattr(value, "_fields") else tuple(map(copied, value))
    if isinstance(value, list):
        return list(map(copied, value))
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return copy.deepcopy(value)


def tensors_in(value):
    """The tensors of a nested value, depth first."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in tensors_in(item)]
    if isinstance(value, dict):
        return [tensor for item in value.values() for tensor in tensors_in(item)]
    return []


def write(make, folder: pathlib.Path):
    if hasattr(make, "file_name"):
        make(folder / make.file_name)
        return
    torch.manual_seed(0)
    with torch.no_grad():
        made = make()
        if isinstance(made.module, torch.nn.Module):
            made.module.eval()
        stem = folder / make.__name__.rstrip("_")
        made.module.save(f"{stem}.pt")
        model = made.original if made.original is not None else torch.jit.load(f"{stem}.pt")
        torch.manual_seed(CALL_SEED)
        try:
            outputs = [copied(tensor) for tensor in tensors_in(model(*copied(made.inputs)))]
        except Exception:  # archives that raise: the test sees that LibTorch raises too
            outputs = []
    torch.save({"inputs": made.inputs, "outputs": outputs}, f"{stem}.inputs.pt")
