"""If, while, for and early returns, on host values and on tensor data; tracing within scripting and the reverse."""

from typing import List, Optional, Tuple

import torch
from torch import nn

from models import DecisionGate, GatedCell, GatedLoop, gated_rnn
from registry import Made, archive, scripted, traced


@archive
def gated_rnn_traced_outside():
    return Made(gated_rnn(traced_outside=True), (torch.rand(10, 3, 4) - 0.5,))


@archive
def gated_rnn_scripted_outside():
    return Made(gated_rnn(traced_outside=False), (torch.rand(7, 3, 4) - 0.5,))


@archive
def gated_rnn_all_scripted():
    return scripted(GatedLoop(GatedCell(DecisionGate())), torch.rand(5, 3, 4) - 0.5)


@archive
def script_in_trace():
    return traced(nn.Sequential(nn.Linear(4, 4), torch.jit.script(DecisionGate())), torch.randn(3, 4))


@archive
def trace_in_script():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.jit.trace(nn.Linear(4, 4), torch.randn(3, 4))

        def forward(self, x, twice: bool):
            y = self.inner(x)
            if twice:
                y = self.inner(y)
            return y

    return scripted(Outer(), torch.randn(3, 4), True)


@archive
def gate_positive():
    return scripted(DecisionGate(), torch.ones(3, 4))


@archive
def gate_negative():
    return scripted(DecisionGate(), -torch.ones(3, 4))


@archive
def if_on_shape():
    class OnShape(nn.Module):
        def forward(self, x):
            if x.size(0) > 2 and x.dim() == 2:
                return x.t().contiguous()
            elif x.numel() == 0:
                return x + 1
            return x * 2

    return scripted(OnShape(), torch.randn(3, 4))


@archive
def if_on_bool_input():
    class OnBool(nn.Module):
        def forward(self, x, negate: bool, scale: float = 2.0):
            if negate:
                x = -x
            return x * scale

    return scripted(OnBool(), torch.randn(3), False)


@archive
def if_on_optional():
    class OnOptional(nn.Module):
        def forward(self, x, bias: Optional[torch.Tensor] = None):
            if bias is not None:
                x = x + bias
            return torch.relu(x)

    return scripted(OnOptional(), torch.randn(2, 3), None)


@archive
def if_on_two_tensors():
    class OnTensors(nn.Module):
        def forward(self, x, y):
            if bool((x > y).any()) or bool(y.max() > 10):
                z = x + y
            else:
                z = x - y
            return z * 2

    return scripted(OnTensors(), torch.randn(3, 3), torch.randn(3, 3))


@archive
def if_nested_on_data():
    class Nested(nn.Module):
        def forward(self, x):
            s = x.sum()
            if s > 0:
                if s > 100:
                    y = x / 10
                else:
                    y = x + 1
                y = y * 2
            else:
                y = torch.zeros_like(x)
            return y.relu()

    return scripted(Nested(), torch.rand(4, 4))


@archive
def branches_of_other_shapes():
    class Shapes(nn.Module):
        def forward(self, x):
            if x.mean() > 0:
                y = x[:1]
            else:
                y = x.reshape(-1)
            return y * 2, y.size(0)

    return scripted(Shapes(), -torch.rand(3, 2))


@archive
def for_over_range():
    class ForRange(nn.Module):
        def forward(self, x, steps: int):
            for i in range(steps):
                x = torch.sin(x) + i
            return x

    return scripted(ForRange(), torch.randn(5), 6)


@archive
def for_zero_times():
    class ForRange(nn.Module):
        def forward(self, x, steps: int):
            y = x
            for i in range(steps):
                y = y * 2 + i
            return y

    return scripted(ForRange(), torch.randn(5), 0)


@archive
def for_many_times():
    class ForRange(nn.Module):
        def forward(self, x):
            for i in range(3000):
                x = x * 0.9 + 0.1
            return x

    return scripted(ForRange(), torch.randn(4))


@archive
def for_break_continue():
    class Breaks(nn.Module):
        def forward(self, x):
            total = torch.zeros(x.size(1))
            for i in range(x.size(0)):
                if i == 1:
                    continue
                if i == 5:
                    break
                total = total + x[i]
            return total

    return scripted(Breaks(), torch.randn(8, 3))


@archive
def for_over_tensor_and_enumerate():
    class Enumerates(nn.Module):
        def forward(self, x: List[torch.Tensor]):
            parts: List[torch.Tensor] = []
            for i, (a, b) in enumerate(zip(x, x)):
                parts.append(a * i + b)
            return torch.stack(parts)

    return scripted(Enumerates(), [torch.randn(3), torch.randn(3)])


@archive
def while_on_host_value():
    class WhileHost(nn.Module):
        def forward(self, x, n: int):
            while n > 1:
                x = x + n
                if n % 2 == 0:
                    n = n // 2
                else:
                    n = 3 * n + 1
            return x

    return scripted(WhileHost(), torch.randn(3), 7)


@archive
def while_on_tensor():
    class WhileTensor(nn.Module):
        def forward(self, x):
            steps = 0
            while bool(x.norm() > 1.0):
                x = x * 0.5
                steps += 1
            return x, steps

    return scripted(WhileTensor(), torch.randn(10) * 50)


@archive
def loop_with_data_dependent_break():
    class Search(nn.Module):
        def forward(self, x):
            found = -1
            for i in range(x.size(0)):
                if x[i] > 0.9:
                    found = i
                    break
            return torch.cumsum(x, 0)[found], found

    return scripted(Search(), torch.rand(40))


@archive
def early_returns():
    class Early(nn.Module):
        def forward(self, x, mode: str):
            if mode == "double":
                return x * 2
            for i in range(4):
                if i == x.dim():
                    return x + i
            return x

    return scripted(Early(), torch.randn(2, 2), "other")


@archive
def helper_functions_and_methods():
    def fma(a, b, c: float):
        return a * b + c

    class Methods(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(3))

        def scaled(self, x, k: float = 2.0):
            return fma(x, self.w, k)

        def forward(self, x):
            return self.scaled(self.scaled(x), 0.5)

    return scripted(Methods(), torch.randn(2, 3))


@archive
def exported_method():
    class Codec(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Linear(4, 2), nn.Linear(2, 4)

        @torch.jit.export
        def encode(self, x):
            return torch.tanh(self.encoder(x))

        @torch.jit.export
        def decode(self, z):
            return self.decoder(z)

        def forward(self, x):
            return self.decode(self.encode(x))

    return scripted(Codec(), torch.randn(3, 4))


@archive
def assert_that_holds():
    class Asserts(nn.Module):
        def forward(self, x):
            assert x.dim() == 2, "expected a matrix, got {} dimensions".format(x.dim())
            return x.relu() * 2

    return scripted(Asserts(), torch.randn(2, 3))


@archive
def assert_that_fails():
    class Asserts(nn.Module):
        def forward(self, x):
            assert x.dim() == 3, "expected a batch of matrices"
            return x.relu() * 2

    return scripted(Asserts(), torch.randn(2, 3))


@archive
def raises_value_error():
    class Raises(nn.Module):
        def forward(self, x, rate: int):
            if rate not in [8000, 16000]:
                raise ValueError(f"unsupported sampling rate {rate}")
            return x * rate

    return scripted(Raises(), torch.randn(3), 44100)


@archive
def raises_on_data():
    class Raises(nn.Module):
        def forward(self, x):
            if bool(torch.isnan(x).any()):
                raise RuntimeError("not a number in the input")
            return x * 2

    return scripted(Raises(), torch.tensor([1.0, float("nan")]))


@archive
def forks_in_containers():
    class Forks(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(3, 3) for _ in range(3)])

        def pair(self, x) -> Tuple[torch.Tensor, torch.Tensor]:
            return x.exp(), x + 1

        def forward(self, x):
            futures: List[torch.jit.Future[torch.Tensor]] = []
            for layer in self.layers:
                futures.append(torch.jit.fork(layer, x))
            pairs = {"a": torch.jit.fork(self.pair, x)}
            total = torch.jit.wait(pairs["a"])[0]
            for future in futures:
                total = total * torch.jit.wait(future).tanh()
            return total

    return scripted(Forks(), torch.randn(2, 3))


@archive
def fork_and_wait():
    class Forks(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            future = torch.jit.fork(self.a, x)
            y = self.b(x)
            return y + torch.jit.wait(future)

    return scripted(Forks(), torch.randn(2, 3))
