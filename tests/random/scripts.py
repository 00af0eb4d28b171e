"""Draws random scripted programs: branches and loops on data, lists, and writes to elements and rows between them.

Their text is Python as well, which is how they run shaken (steadiness.py).
"""

import contextlib
import dataclasses
import random

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from typing import List

from steadiness import are_apart, shake, tensors_in

UNARY = (
    "torch.tanh({a})", "torch.sigmoid({a})", "torch.relu({a})", "{a} * 0.5", "{a} + 1", "2 - {a}", "torch.sin({a})",
    "{a}.abs()", "torch.softmax({a}, -1)", "{a} - {a}.mean()", "{a} * {a}.mean(-1, keepdim=True).tanh()",
    "torch.nn.functional.gelu({a})", "{a}.flip(0)", "{a}.clone()", "{a}.t().contiguous().t()",
    "torch.layer_norm({a}, [{a}.size(1)], eps=0.1)", "{a}.tanh().cumsum(0) * 0.2", "{a}.roll(1, 0)",
)  # fmt: skip
BINARY = (
    "{a} + {b}", "{a} * torch.tanh({b})", "{a} - {b}", "torch.maximum({a}, {b})", "torch.where({a} > {b}, {a}, {b})",
    "torch.mm({a}.tanh(), {b}.t()).tanh() @ {b} * 0.2", "torch.cat([{a}, {b}], 0)[:{a}.size(0)]",
    "torch.stack([{a}, {b}], 0).sum(0) * 0.5", "torch.addcmul({a}, {b}, {b}.tanh(), value=0.1)",
)  # fmt: skip
WRITES = (
    "{a}[{i}] = {b}[{j}] * 0.5", "{a}[:, {i}] = 0.3", "{a}.mul_(0.5)", "{a}.add_({b}.clone())", "{a}[{i}:].tanh_()",
    "{a}.masked_fill_({a} > 0.5, 0.5)", "{a}[{i}] += {b}[{j}].tanh()", "{a}.t()[{i}].zero_()",
)  # fmt: skip
NUMBERS = ("float({a}.mean())", "float({a}[{i}, {j}])", "{a}.max().item()")
CONDITIONS = ("bool(({a}.sum() > {c}).item())", "float({a}[{i}, {j}]) > {c}", "n > {k}", "bool({a}.max() > {c})")
SIZES = (4, 8, 8, 33)
FEWEST_STATEMENTS = 2


@dataclasses.dataclass
class Statement:
    """defines: the variable that statements after it may read. otherwise: what `else:` holds."""

    text: str
    body: list = dataclasses.field(default_factory=list)
    otherwise: list = dataclasses.field(default_factory=list)
    defines: str | None = None

    def lines(self, depth):
        yield "    " * depth + self.text
        for inner in self.body:
            yield from inner.lines(depth + 1)
        if self.otherwise:
            yield "    " * depth + "else:"
        for inner in self.otherwise:
            yield from inner.lines(depth + 1)


@dataclasses.dataclass
class Script:
    statements: list[Statement]
    inputs: tuple

    def source(self):
        lines = [line for statement in self.statements for line in statement.lines(1)]
        variables = list(dict.fromkeys(s.defines for s in self.statements if s.defines))
        returned = ", ".join([*variables[-4:], "x"])
        return "\n".join(["def forward(self, x: Tensor, y: Tensor, n: int):", *lines, f"    return {returned}", ""])

    def save(self, stem):
        module = torch.jit.ScriptModule().eval()
        module.define(self.source())
        module.save(f"{stem}.pt")
        torch.save(self.inputs, f"{stem}.inputs.pt")


class Writer:
    """Draws statements; `variables` are those to read, `own` those of them that may be assigned."""

    def __init__(self, seed):
        self.random = random.Random(f"script {seed}")
        self.names = 0

    def name(self, letter):
        self.names += 1
        return f"{letter}{self.names}"

    def filled(self, template, variables):
        r = self.random
        return template.format(
            a=r.choice(variables), b=r.choice(variables), i=r.randrange(4), j=r.randrange(4), k=r.randrange(4),
            c=round(r.uniform(-1, 1), 2),
        )  # fmt: skip

    def expression(self, variables):
        return self.filled(self.random.choice(self.random.choice((UNARY, BINARY))), variables)

    def block(self, variables, own, depth):
        variables, own = list(variables), list(own)
        statements = []
        for _ in range(self.random.randrange(2, 6)):
            for statement in self.drawn(variables, own, depth):
                statements.append(statement)
                if statement.defines and statement.defines not in own:
                    variables.append(statement.defines)
                    own.append(statement.defines)
        return statements

    def drawn(self, variables, own, depth):
        r, share = self.random, self.random.random()
        if share < 0.45 or not own:
            name = r.choice(own) if own and r.random() < 0.5 else self.name("v")
            return [Statement(f"{name} = {self.expression(variables)}", defines=name)]
        if share < 0.65:
            return [Statement(self.filled(r.choice(WRITES), variables))]
        if share < 0.8 and depth < 2:
            return self.branch(variables, own, depth)
        if share < 0.93 and depth < 2:
            return r.choice((self.counted_loop, self.list_of_results, self.loop_on_data))(variables, own, depth)
        name = r.choice(own)
        return [Statement(f"{name} = {name} + {self.filled(r.choice(NUMBERS), variables)} * 0.1", defines=name)]

    def branch(self, variables, own, depth):
        condition = self.filled(self.random.choice(CONDITIONS), variables)
        body = self.block(variables, own, depth + 1)
        otherwise = self.block(variables, own, depth + 1) if self.random.random() < 0.6 else []
        return [Statement(f"if {condition}:", body, otherwise)]

    def counted_loop(self, variables, own, depth):
        return [Statement(f"for i{depth} in range(n):", self.block(variables, own, depth + 1))]

    def list_of_results(self, variables, own, depth):
        results, total = self.name("l"), self.name("v")
        append = Statement(f"{results}.append({self.expression(variables)})")
        head = f"for i{depth} in range({self.random.randrange(1, 4)}):"
        return [
            Statement(f"{results}: List[Tensor] = []"),
            Statement(head, [append, *self.block(variables, own, depth + 1)]),
            Statement(f"{total} = torch.stack({results}).mean(0)", defines=total),
        ]

    def loop_on_data(self, variables, own, depth):
        count, name = self.name("c"), self.random.choice(own)
        body = [Statement(f"{count} += 1"), Statement(f"{name} = {name} * 0.6", defines=name)]
        return [
            Statement(f"{count} = 0"),
            Statement(
                f"while {count} < 4 and bool({name}.abs().max() > 0.4):", body + self.block(variables, own, depth + 1)
            ),
        ]


class Shaken(TorchFunctionMode):
    def __init__(self, number):
        super().__init__()
        self._generator = torch.Generator().manual_seed(number)

    def __torch_function__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        shake(result, tensors_in(arguments), self._generator)
        return result


def is_steady(script):
    """Whether shaken copies end near each other, inputs that are written to included."""
    scope = {"torch": torch, "Tensor": Tensor, "List": List}
    exec(script.source(), scope)
    ends = []
    for number in range(4):
        *tensors, count = script.inputs
        tensors = [tensor.clone() for tensor in tensors]
        with Shaken(number) if number else contextlib.nullcontext():
            outputs = scope["forward"](None, *tensors, count)
        ends.append([*outputs, *tensors])
    return not are_apart(ends)


def script_of(seed):
    writer = Writer(seed)
    statements = writer.block(["x", "y"], [], 0)
    for _ in range(2):
        own = list(dict.fromkeys(s.defines for s in statements if s.defines))
        statements += writer.block(["x", "y", *own], own, 0)
    generator, size = torch.Generator().manual_seed(seed), writer.random.choice(SIZES)
    x, y = (torch.randn(size, size, generator=generator) for _ in range(2))
    script = Script(statements, (x, y, writer.random.choice([1, 3])))
    while len(script.statements) > FEWEST_STATEMENTS and not is_steady(script):
        script = Script(script.statements[:-1], script.inputs)
    return script
