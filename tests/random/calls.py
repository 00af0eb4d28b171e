"""A program as a list of calls: recorded once, then run again for tracing, shaken, or with calls left out."""

import dataclasses
from typing import Any, Callable

import torch
from torch.overrides import TorchFunctionMode


@dataclasses.dataclass(frozen=True)
class Ref:
    """A tensor of the program: its inputs are the first numbers, then results in the order of calls."""

    number: int


@dataclasses.dataclass
class Call:
    """result: the tree of Refs that the call gives, None of an assignment to elements; that of a write is its first
    argument."""

    function: Callable
    arguments: tuple
    options: dict
    result: Any

    def refs(self):
        return refs_in((self.arguments, tuple(self.options.values())))

    def new(self):
        """The Refs that no argument has."""
        return refs_in(self.result) - self.refs()


@dataclasses.dataclass
class Program:
    """given: the names of the last inputs, where they stand for what calls gave."""

    inputs: tuple
    calls: list[Call]
    outputs: list[Ref]
    given: tuple = ()

    def run(self, inputs, after=lambda call, result: None):
        """The outputs; `after` sees each call's result and may write to it."""
        numbered = map(Ref, range(len(inputs) - len(self.given)))
        values = dict(zip([*numbered, *self.given], inputs))
        for call in self.calls:
            result = call.function(*mapped(call.arguments, values), **mapped(call.options, values))
            after(call, result)
            bind(call.result, result, values)
        return tuple(values[ref] for ref in self.outputs)

    def save(self, stem):
        copies = tuple(tensor.clone() for tensor in self.inputs)
        torch.jit.trace(lambda *inputs: self.run(inputs), copies, check_trace=False).save(f"{stem}.pt")
        torch.save(self.inputs, f"{stem}.inputs.pt")


def mapped(tree, values):
    """The tree with tensors for Refs."""
    if isinstance(tree, Ref):
        return values[tree]
    if type(tree) in (tuple, list):
        return type(tree)(mapped(item, values) for item in tree)
    if type(tree) is dict:
        return {name: mapped(item, values) for name, item in tree.items()}
    return tree


def bind(refs, result, values):
    if isinstance(refs, Ref):
        values[refs] = result
    elif isinstance(refs, (tuple, list)):
        for ref, item in zip(refs, result):
            bind(ref, item, values)


def refs_in(tree):
    if isinstance(tree, Ref):
        return {tree}
    if isinstance(tree, (tuple, list)):
        return {ref for item in tree for ref in refs_in(item)}
    return set()


class Recorder(TorchFunctionMode):
    """Records the calls made while it is on. Tensors that none of them made, and that are no inputs, are constants."""

    def __init__(self, inputs):
        super().__init__()
        self.calls = []
        self._kept = list(inputs)  # alive, so that no two have one id
        self._refs = {id(tensor): Ref(number) for number, tensor in enumerate(inputs)}

    def __torch_function__(self, function, types, arguments=(), options=None):
        options = options or {}
        result = function(*arguments, **options)
        is_assignment = getattr(function, "__name__", "") == "__setitem__"
        if is_assignment or any(isinstance(item, torch.Tensor) for item in listed(result)):
            known = self._symbolic((tuple(arguments), options))
            self.calls.append(Call(function, *known, None if is_assignment else self._named(result)))
        return result

    def ref(self, tensor):
        return self._refs[id(tensor)]

    def _symbolic(self, tree):
        if isinstance(tree, torch.Tensor):
            return self._refs.get(id(tree), tree)
        if type(tree) in (tuple, list):
            return type(tree)(self._symbolic(item) for item in tree)
        if type(tree) is dict:
            return {name: self._symbolic(item) for name, item in tree.items()}
        return tree

    def _named(self, result):
        if isinstance(result, torch.Tensor):
            if id(result) not in self._refs:
                self._refs[id(result)] = Ref(len(self._kept))
                self._kept.append(result)
            return self._refs[id(result)]
        return tuple(map(self._named, result)) if isinstance(result, (tuple, list)) else None


def listed(result):
    return result if isinstance(result, (tuple, list)) else [result]
