"""Modules that write their attributes: counters, running statistics, caches, hidden state."""

from typing import Dict, List, Optional

import torch
from torch import nn

from registry import archive, scripted, traced


@archive
def counter_buffer():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))

        def forward(self, x):
            self.count += 1
            return x * self.count

    return scripted(Counter(), torch.randn(3))


@archive
def counter_buffer_traced():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("total", torch.zeros(3))

        def forward(self, x):
            self.total.add_(x)
            return self.total * 2

    return traced(Counter(), torch.randn(3))


@archive
def counter_int():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls: int = 0

        def forward(self, x):
            self.calls = self.calls + 1
            if self.calls > 2:
                return x * 0
            return x + self.calls

    return scripted(Counter(), torch.randn(3))


@archive
def running_average():
    class Average(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(4))

        def forward(self, x):
            self.mean = self.mean * 0.9 + x.mean(0) * 0.1
            return x - self.mean

    return scripted(Average(), torch.randn(5, 4))


@archive
def hidden_state():
    class Recurrent(nn.Module):
        hidden: Optional[torch.Tensor]

        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)
            self.hidden = None

        def forward(self, x):
            hidden = self.hidden
            if hidden is None:
                hidden = torch.zeros(x.size(0), 4)
            hidden = self.cell(x, hidden)
            self.hidden = hidden
            return hidden

    return scripted(Recurrent(), torch.randn(2, 3))


@archive
def cache_list():
    class Cache(nn.Module):
        seen: List[torch.Tensor]

        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, x):
            self.seen.append(x * 2)
            return torch.cat(self.seen, 0)

    return scripted(Cache(), torch.randn(2, 3))


@archive
def cache_dict():
    class Cache(nn.Module):
        seen: Dict[str, torch.Tensor]

        def __init__(self):
            super().__init__()
            self.seen = {}

        def forward(self, x, key: str):
            if key in self.seen:
                x = x + self.seen[key]
            self.seen[key] = x
            return x

    return scripted(Cache(), torch.randn(2), "k")


@archive
def ring_buffer_write():
    class Ring(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("ring", torch.zeros(4, 3))
            self.at: int = 0

        def forward(self, x):
            self.ring[self.at] = x
            self.at = (self.at + 1) % 4
            return self.ring.sum(0), self.ring

    return scripted(Ring(), torch.randn(3))


@archive
def state_in_submodule():
    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("last", torch.zeros(3))

        def forward(self, x):
            out = x + self.last
            self.last = x
            return out

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = Inner(), Inner()

        def forward(self, x):
            return self.second(self.first(x).tanh())

    return scripted(Outer(), torch.randn(3))


@archive
def state_reset_method():
    class Accumulator(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("sum", torch.zeros(2))

        @torch.jit.export
        def clear(self):
            self.sum = torch.zeros(2)

        def forward(self, x, clear: bool):
            if clear:
                self.clear()
            self.sum = self.sum + x
            return self.sum

    return scripted(Accumulator(), torch.randn(2), False)


@archive
def state_written_on_data():
    class Peak(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("peak", torch.zeros(()))

        def forward(self, x):
            highest = x.abs().max()
            if highest > self.peak:
                self.peak = highest
            return x / self.peak

    return scripted(Peak(), torch.randn(6))


@archive
def weights_of_bytes_that_are_written():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.randint(-100, 100, (256, 256), dtype=torch.int8))
            self.register_buffer("kept", torch.randint(-100, 100, (256, 256), dtype=torch.int8))

        def forward(self, x):
            self.weight.add_(1)
            return x @ (self.weight.to(torch.float32) / 256), x @ (self.kept.to(torch.float32) / 256)

    return scripted(Counts(), torch.randn(3, 256))
