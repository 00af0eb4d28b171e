"""What an operator of a random program draws: from the values so far, and numbers.

No choice depends on what values hold, so that a seed draws the same program on every processor.
"""

import random

import torch


class Draw:
    """The state of one program while it is drawn.

    values  the tensors so far, inputs first; operators take any of them
    given   an input that nothing writes to: what compares it with a number gives the same masks on every device
    """

    def __init__(self, seed, dtype, values, given):
        self.random = random.Random(seed)
        self.dtype = dtype
        self.values = list(values)
        self.given = given

    def one_of(self, *choices):
        return self.random.choice(choices)

    def chance(self, share):
        return self.random.random() < share

    def late(self, values, rate=0.4):
        """One of the values, rather of the last: chains are what gets fused."""
        return values[-1 - min(int(self.random.expovariate(rate)), len(values) - 1)]

    def value(self, suits=lambda value: True):
        suitable = [v for v in self.values if v.is_floating_point() and v.numel() > 0 and suits(v)]
        return self.late(suitable) if suitable else None

    def partner(self, x, within=False):
        """A value that broadcasts with x; `within`: to no more than x's shape, and no number. x itself is one."""

        def suits(value):
            shape = broadcast(value, x)
            return shape is not None and (not within or (shape == tuple(x.shape) and value.dim() > 0))

        return self.late([value for value in self.values if value.is_floating_point() and suits(value)] or [x])

    def others(self, x, most, along=None):
        """Up to so many values of x's type and of its shape, but for the dimension `along`."""

        def suits(value):
            pairs = zip(value.shape, x.shape)
            return (
                value.dtype == x.dtype
                and value.dim() == x.dim()
                and all(d == along or a == b for d, (a, b) in enumerate(pairs))
            )

        suitable = [value for value in self.values if suits(value)] or [x]
        return [self.random.choice(suitable) for _ in range(self.random.randrange(1, most + 1))]

    def axis(self, x):
        return self.random.randrange(x.dim())

    def _generator(self):
        return torch.Generator().manual_seed(self.random.randrange(1 << 30))

    def constant(self, *shape, scale=1.0):
        """Normal numbers that the archive holds: a parameter."""
        with torch._C.DisableTorchFunction():
            return (torch.randn(*shape, generator=self._generator()) * scale).to(self.dtype)

    def indices(self, limit, *shape):
        with torch._C.DisableTorchFunction():
            return torch.randint(0, limit, shape, generator=self._generator())

    def listed(self, *numbers):
        with torch._C.DisableTorchFunction():
            return torch.tensor(numbers)

    def mask(self, x):
        """A mask that broadcasts to x and that no rounding changes: an element that flips is more than rounding."""
        if broadcast(self.given, x) == tuple(x.shape) and self.chance(0.6):
            return self.given > self.one_of(0.0, 0.5)
        with torch._C.DisableTorchFunction():
            return torch.rand(x.shape if x.numel() <= 5000 else x.shape[-1:], generator=self._generator()) < 0.4


def broadcast(a, b):
    """The shape that two tensors broadcast to, None if they don't.

    torch.broadcast_shapes loads sympy, which takes longer than all else that a program needs.
    """
    longest = max(a.dim(), b.dim())
    pairs = list(zip(*((1,) * (longest - t.dim()) + tuple(t.shape) for t in (a, b))))
    if any(m != n and 1 not in (m, n) for m, n in pairs):
        return None
    return tuple(n if m == 1 else m for m, n in pairs)


def dims(least, most=9):
    """What many operators need of their input: so many dimensions."""
    return lambda x: least <= x.dim() <= most


def every(*needs):
    return lambda x: all(need(x) for need in needs)


def last(least=1, most=1 << 30, even=False):
    """At least one dimension, and elements in the last."""
    return lambda x: x.dim() > 0 and least <= x.size(-1) <= most and not (even and x.size(-1) % 2)


def few(most):
    return lambda x: x.numel() <= most
