"""Keeps of a program what rounding doesn't blow up, by LibTorch alone.

`check` compares with LibTorch in float32 and allows what a few roundings give. A random program may divide what nearly
cancels, or compare what is nearly equal: there every processor gives another answer, and none is wrong. So a program
runs beside copies of itself whose results are shaken by more than rounding; a call after which they are apart is taken
out, with all that needs it.
"""

import torch

from calls import Program, Ref, bind, listed, mapped

SHAKE = 2e-7  # of an element and of the mean, some three roundings of float32
ALLOWED = 0.5  # of what `check` allows for float32
SHAKEN_COPIES = 3


def shake(result, inputs, generator):
    """Moves the elements of what a call computed; a view of an older tensor moves with that."""
    older = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    for tensor in listed(result):
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point() or tensor.numel() == 0:
            continue
        is_write = any(tensor is one for one in inputs)
        is_spread = any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape))
        if (is_write or tensor.untyped_storage().data_ptr() not in older) and not is_spread:
            size = tensor.abs() + tensor.abs().mean()
            sign = torch.randint(0, 2, tensor.shape, generator=generator) * 2 - 1
            tensor.copy_(tensor + sign * size * SHAKE)


def in_float32(tree):
    """Halves and float64 as float32, also where a call names the type."""
    if isinstance(tree, torch.Tensor):
        return tree.float() if tree.is_floating_point() else tree
    if isinstance(tree, torch.dtype):
        return torch.float32 if tree.is_floating_point else tree
    if type(tree) in (tuple, list):
        return type(tree)(map(in_float32, tree))
    if type(tree) is dict:
        return {name: in_float32(item) for name, item in tree.items()}
    return tree


def are_near(value, shaken):
    return bool(((value - shaken).abs() <= ALLOWED * (1e-5 + 1.3e-6 * value.abs())).all())


def tensors_in(tree):
    if isinstance(tree, (tuple, list)):
        return [tensor for item in tree for tensor in tensors_in(item)]
    return [tree] if isinstance(tree, torch.Tensor) else []


def are_apart(results):
    """Whether a shaken copy's floats are apart from the first's. Indices may be: what they choose tells."""
    first, *shaken = ([t for t in tensors_in(result) if t.is_floating_point()] for result in results)
    return not all(are_near(a, b) for other in shaken for a, b in zip(first, other))


def as_recorded(call, given, result):
    """A cast gives its argument back where nothing is to do: in float32 at other places than in the program's type."""
    gives_back = any(result is one for one in given)
    if not gives_back and call.result in call.refs():
        return given[0]
    return result.clone() if gives_back and call.new() else result


class Copies:
    """The program beside its shaken copies, a call at a time."""

    def __init__(self, inputs):
        self._generator = torch.Generator().manual_seed(0)
        self._all = [
            {Ref(number): in_float32(tensor).clone() for number, tensor in enumerate(inputs)}
            for _ in range(1 + SHAKEN_COPIES)
        ]

    def stay_near(self, call):
        arguments, options = in_float32(call.arguments), in_float32(call.options)
        results = []
        for number, values in enumerate(self._all):
            given = mapped(arguments, values)
            result = as_recorded(call, given, call.function(*given, **mapped(options, values)))
            if number:
                shake(result, tensors_in(given), self._generator)
            bind(call.result, result, values)
            results.append(given[0] if call.result is None else result)
        return not are_apart(results)


def steady(program):
    """The program less the calls that rounding decides."""
    copies, kept, lost = Copies(program.inputs), [], set()
    for number, call in enumerate(program.calls):
        if call.refs() & lost:
            lost |= call.new()
        elif copies.stay_near(call):
            kept.append(call)
        elif call.new():
            lost |= call.new()
        else:  # a write, which the copies can't take back: again without it
            rest = program.calls[:number] + program.calls[number + 1 :]
            return steady(Program(program.inputs, rest, program.outputs))
    return Program(program.inputs, kept, [ref for ref in program.outputs if ref not in lost])
