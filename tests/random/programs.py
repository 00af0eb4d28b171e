"""Draws random programs, one a seed and mode: `pure` ones, ones with `writes` in place, and `large` ones with both."""

import random

import torch

import layers
import operators
from calls import Program, Recorder, listed
from drawing import Draw
from steadiness import steady
from writes import WRITES, is_target

# How often one of each table is drawn.
TABLES = {
    operators.UNARY: 4, operators.POINTWISE: 6, operators.ROWS: 4, operators.VIEWS: 4, operators.MOVES: 4,
    layers.PRODUCTS: 3, layers.NORMS: 3, layers.IMAGES: 1, layers.LOSSES: 1, layers.BY_INDEX: 1,
}  # fmt: skip
MODES = ("pure", "writes", "large")
DTYPES = (torch.float32,) * 8 + (torch.float16, torch.bfloat16, torch.float64)
LARGEST_VALUE = 600_000
FEWEST_CALLS = 3
# `check` judges halves by the root mean square of their errors: of few elements that is luck.
FEWEST_HALVES = 32
MOST_ENDS = 8


class NoProgram(Exception):
    """The seed gives none, or one that LibTorch refuses."""


def small_shapes(r):
    batch, channels, height = r.choice([1, 2, 3, 4]), r.choice([1, 4, 8, 16]), r.choice([3, 6, 8, 9])
    n, rows, square = r.choice([5, 8, 16, 17, 64]), r.choice([1, 5, 12]), r.choice([8, 32, 100])
    return r.choice((
        [(batch, channels, height, height), (1, channels, 1, 1), (batch, channels, height, height)],
        [(batch, n), (n,), (batch, n)],
        [(batch, rows, n), (batch, rows, n), (n,)],
        [(r.choice([16, 130, 1000]),)] * 2 + [()],
        [(square, square), (square, 1), (1, square)],
    ))  # fmt: skip


def large_shapes(r):
    channels, height = r.choice([8, 24, 32, 48]), r.choice([28, 33, 56])
    n, rows = r.choice([257, 512, 1000]), r.choice([1, 49, 130])
    width, length = r.choice([64, 96, 192]), r.choice([49, 100, 197])
    return r.choice((
        [(2, channels, height, height), (1, channels, 1, 1), (2, channels, height, height)],
        [(rows, n), (n,), (1, n)],
        [(4, length, width), (4, length, width), (width,)],
        [(300, 300), (300, 1), (1, 300)],
    ))  # fmt: skip


def inputs_of(mode, seed):
    """The values to compute with, and last the one that is only compared with numbers."""
    r, generator = random.Random(f"shapes {mode} {seed}"), torch.Generator().manual_seed(seed)
    shapes = large_shapes(r) if mode == "large" else small_shapes(r)
    dtype = r.choice(DTYPES)
    return tuple(torch.randn(shape, generator=generator).to(dtype) for shape in [*shapes, shapes[0]])


def step(d, writes):
    """Draws one call, or a few; an operator that refuses its input adds nothing."""
    if writes and d.chance(0.35):
        table, x = WRITES, d.value(is_target)
    else:
        (table,), x = d.random.choices(tuple(TABLES), tuple(TABLES.values())), d.value()
    fitting = [make for needs, make in table if x is not None and needs(x)]
    if not fitting:
        return
    try:
        results = listed(d.random.choice(fitting)(d, x))
    except (RuntimeError, NotImplementedError, IndexError):
        return
    d.values += [t for t in results if isinstance(t, torch.Tensor) and 0 < t.numel() <= LARGEST_VALUE]


def drawn(mode, seed):
    """The calls of a seed before any is taken out; its outputs are all values."""
    inputs = inputs_of(mode, seed)
    *values, given = copies = [tensor.clone() for tensor in inputs]
    with Recorder(copies) as recorder:
        if values[0].dtype.itemsize == 2:
            # `check` compares inputs after the call without float64: nothing of halves is written there.
            values = [value.clone() for value in values]
        d = Draw(f"calls {mode} {seed}", values[0].dtype, values, given)
        for _ in range(d.random.randrange(8, 45)):
            step(d, mode != "pure")
    refs = [recorder.ref(value) for value in d.values]
    return Program(inputs, recorder.calls, list(dict.fromkeys(refs)))


def with_outputs(program, mode, seed):
    """What no call reads becomes an output, or the rest would be dead; and a few values besides."""
    r = random.Random(f"outputs {mode} {seed}")
    by_ref = dict(zip(program.outputs, program.run([tensor.clone() for tensor in program.inputs])))
    shown = [
        ref
        for ref, value in by_ref.items()
        if ref.number >= len(program.inputs)
        and value.dim() > 0  # traced, one without may be float64, and what it is computed from float32
        and bool(value.isfinite().all())
        and (value.dtype.itemsize > 2 or value.numel() >= FEWEST_HALVES)
    ]
    if not shown:
        raise NoProgram("no value is fit to be shown")
    read = {ref for call in program.calls for ref in call.refs()}
    ends = [ref for ref in shown if ref not in read] or shown
    outputs = ends[-MOST_ENDS:] + r.sample(shown, min(r.randrange(3), len(shown)))
    return Program(program.inputs, program.calls, outputs)


def program_of(mode, seed):
    program = with_outputs(steady(drawn(mode, seed)), mode, seed)
    if len(program.calls) < FEWEST_CALLS:
        raise NoProgram(f"{len(program.calls)} calls")
    return program

