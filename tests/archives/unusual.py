"""What few archives use: interfaces, classes, enums, unions, isinstance, hooks, context managers."""

import enum
import math
from typing import Any, List, Optional, Tuple, Union

import torch
from torch import nn

from registry import archive, differs_from_original, scripted, traced


class Mode(enum.Enum):
    DOUBLE = 2
    TRIPLE = 3


@torch.jit.interface
class Transforms(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pass


class Doubles(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Shifts(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x + self.shift).relu()


@torch.jit.script
class Pair:
    def __init__(self, first: torch.Tensor, second: torch.Tensor):
        self.first = first
        self.second = second

    def total(self) -> torch.Tensor:
        return self.first + self.second * 2

    def swap(self):
        self.first, self.second = self.second, self.first


class Doubling:
    """A context manager that script code enters."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self):
        return 2

    def __exit__(self, type: Any, value: Any, traceback: Any):
        pass


@archive
def interface_call():
    class Chooses(nn.Module):
        chosen: Transforms

        def __init__(self):
            super().__init__()
            self.chosen = Shifts()

        def forward(self, x):
            return self.chosen.forward(x) + 1

    return scripted(Chooses(), torch.randn(2, 3))


@archive
def module_list_by_index():
    class Picks(nn.Module):
        def __init__(self):
            super().__init__()
            self.options = nn.ModuleList([Doubles(), Shifts()])

        def forward(self, x, which: int):
            picked: Transforms = self.options[which]
            return picked.forward(x)

    return scripted(Picks(), torch.randn(2, 3), 1)


@archive
def interface_chosen_by_data():
    class Chosen(nn.Module):
        first: Transforms
        second: Transforms

        def __init__(self):
            super().__init__()
            self.first = Doubles()
            self.second = Shifts()

        def pick(self, x) -> Transforms:
            if bool(x.sum() > 0):
                return self.first
            return self.second

        def forward(self, x):
            picked: Transforms = self.pick(x)
            return picked.forward(x) + self.second.forward(x)

    return scripted(Chosen(), torch.ones(2, 3))


@archive
def enum_constant():
    class Enums(nn.Module):
        def __init__(self):
            super().__init__()
            self.mode = Mode.TRIPLE

        def forward(self, x):
            if self.mode == Mode.DOUBLE:
                return x * 2
            return x * self.mode.value

    return scripted(Enums(), torch.randn(3))


@archive
def script_class():
    class Uses(nn.Module):
        def forward(self, x):
            pair = Pair(x, x.relu())
            pair.swap()
            return pair.total() * pair.first

    return scripted(Uses(), torch.randn(4))


@archive
def isinstance_and_any():
    class Checks(nn.Module):
        def forward(self, x, other: Any):
            if isinstance(other, int):
                x = x + other
            elif isinstance(other, torch.Tensor):
                x = x * other
            elif isinstance(other, str):
                x = x - len(other)
            return x

    return scripted(Checks(), torch.randn(3), "four")


@archive
def union_argument():
    class Unions(nn.Module):
        def forward(self, x, k: Union[int, float, None]):
            if k is None:
                return x
            if isinstance(k, int):
                return x + k
            return x * k

    return scripted(Unions(), torch.randn(3), 2.5)


@archive
def refined_optional():
    class Refines(nn.Module):
        def forward(self, x, sizes: Optional[List[int]] = None):
            if sizes is None or len(sizes) == 0:
                sizes = x.shape
            assert sizes is not None
            return x.reshape(sizes[::-1]), sizes

    return scripted(Refines(), torch.randn(2, 3))


@archive
def uninitialized_by_early_return():
    class Early(nn.Module):
        def forward(self, x, depth: int) -> Tuple[torch.Tensor, int]:
            for i in range(depth):
                if i == 3:
                    return x * 10, i
                x = x + i
            if depth < 0:
                raise RuntimeError("negative depth")
            return x, -1

    return scripted(Early(), torch.randn(3), 5)


@archive
def context_manager():
    class Manages(nn.Module):
        def forward(self, x):
            with torch.no_grad():
                y = x * 2
            with torch.autograd.profiler.record_function("step"):
                y = y.relu()
            return y

    return scripted(Manages(), torch.randn(3))


@archive
def forward_hooks():
    class Hooked(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Doubles()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) + 1

    def double_output(self, inputs: Tuple[torch.Tensor], output: torch.Tensor):
        return output * 2

    model = Hooked()
    model.inner.register_forward_hook(double_output)
    return scripted(model, torch.randn(3))


@archive
def recursive_attribute_access():
    class Leaf(nn.Module):
        scales: List[float]

        def __init__(self):
            super().__init__()
            self.scales = [0.5, 1.5, 2.5]
            self.names = {"a": 1, "b": 2}
            self.pair = (3, "text")

        def forward(self, x):
            return x * self.scales[self.names["b"]] + self.pair[0]

    return scripted(nn.Sequential(Leaf(), nn.Sequential(Leaf())), torch.randn(3))


@archive
def prints_and_warns():
    class Talks(nn.Module):
        def forward(self, x):
            if x.dim() > 5:
                print("many dimensions", x.dim())
            return x.relu()

    return scripted(Talks(), torch.randn(3))


@archive
def device_and_dtype_queries():
    class Queries(nn.Module):
        def forward(self, x):
            y = torch.zeros([2], dtype=x.dtype, device=x.device)
            if x.is_cuda or x.device.type == "cuda" or x.requires_grad:
                y = y + 1
            if x.is_floating_point() and x.dtype == torch.float32 and torch.jit.is_scripting():
                y = y + 2
            return y + x.sum(), str(x.device)

    return differs_from_original(scripted(Queries(), torch.randn(3)))


@archive
def traced_with_device_constants():
    class Factories(nn.Module):
        def forward(self, x):
            mask = torch.arange(x.shape[1], device=x.device) < 2
            return torch.where(mask, x, torch.zeros_like(x)) + torch.full((x.shape[0], 1), 0.5, device=x.device)

    return traced(Factories(), torch.randn(2, 4))


@archive
def slicing_and_ellipsis():
    class Slices(nn.Module):
        def forward(self, x):
            a, b = x[..., 1:], x[None, 0]
            c = x[:, -2:, ::2]
            d = x[torch.tensor([1, 0]), :, None]
            return a, b, c, d, x[0, 1, 2], x.narrow(1, 1, 2), x.unfold(2, 2, 1), x.as_strided([2, 2], [3, 1], 1)

    return scripted(Slices(), torch.randn(2, 3, 4))


@archive
def math_functions():
    class Maths(nn.Module):
        def forward(self, x, k: float):
            n = math.ceil(k) + int(math.sqrt(16.0)) + round(k) + abs(-2) + max(1, 2) + min([3, 1]) + 2**3
            value = math.pi * math.exp(k) / math.log(3.0) + float(n // 2) - k % 0.7
            return x * value, n, divmod(n, 4)

    return scripted(Maths(), torch.randn(3), 1.3)


@archive
def comprehension_and_sum():
    class Sums(nn.Module):
        def forward(self, xs: List[torch.Tensor]):
            sizes = [x.size(0) for x in xs]
            squares = [x * x for x in xs]
            total = sum([int(s) for s in sizes])
            return torch.cat(squares) / total, [str(s) for s in sizes], any([s > 2 for s in sizes])

    return scripted(Sums(), [torch.randn(2), torch.randn(3)])


@archive
def batched_einsum_vmap_free():
    class Outer(nn.Module):
        def forward(self, a, b):
            return torch.tensordot(a, b, dims=([1], [0])), torch.outer(a[0], b[:, 0]), torch.cdist(a, b.t())

    return scripted(Outer(), torch.randn(3, 4), torch.randn(4, 2))
