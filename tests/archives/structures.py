"""What goes in and comes out besides tensors: tuples, lists, dicts, named tuples, optionals, strings, scalars."""

from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import nn

from registry import archive, scripted, traced


class Box(NamedTuple):
    corner: torch.Tensor
    size: torch.Tensor
    label: str


@archive
def tuple_output():
    class Two(nn.Module):
        def forward(self, x):
            return x + 1, x.sum(0)

    return scripted(Two(), torch.randn(2, 3))


@archive
def nested_tuple_output_traced():
    class Nested(nn.Module):
        def forward(self, x, y):
            return x + y, (x * y, [x - y, y.relu()])

    return traced(Nested(), torch.randn(3), torch.randn(3))


@archive
def list_output():
    class Parts(nn.Module):
        def forward(self, x) -> List[torch.Tensor]:
            return [part * 2 for part in x.split(2)]

    return scripted(Parts(), torch.randn(5, 2))


@archive
def dict_output():
    class Named(nn.Module):
        def forward(self, x) -> Dict[str, torch.Tensor]:
            return {"logits": x * 2, "features": x.relu(), "mean": x.mean()}

    return scripted(Named(), torch.randn(2, 3))


@archive
def dict_output_traced():
    class Named(nn.Module):
        def forward(self, x):
            return {"out": x.relu(), "aux": x.sigmoid()}

    return traced(Named(), torch.randn(2, 3), strict=False)


@archive
def dict_of_ints():
    class Counts(nn.Module):
        def forward(self, x) -> Dict[int, List[int]]:
            return {i: [i, x.size(i)] for i in range(x.dim())}

    return scripted(Counts(), torch.randn(2, 3))


@archive
def named_tuple_output():
    class Boxes(nn.Module):
        def forward(self, x):
            return Box(x[:2] * 2, x[2:] + 1, "box")

    return scripted(Boxes(), torch.randn(4))


@archive
def optional_output_none():
    class Maybe(nn.Module):
        def forward(self, x, wanted: bool) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
            extra: Optional[torch.Tensor] = None
            if wanted:
                extra = x * 2
            return x.relu(), extra

    return scripted(Maybe(), torch.randn(3), False)


@archive
def optional_output_some():
    class Maybe(nn.Module):
        def forward(self, x, wanted: bool) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
            extra: Optional[torch.Tensor] = None
            if wanted:
                extra = x * 2
            return x.relu(), extra

    return scripted(Maybe(), torch.randn(3), True)


@archive
def scalar_and_string_outputs():
    class Scalars(nn.Module):
        def forward(self, x, name: str):
            return x.size(0), 2.5 * x.size(1), x.dim() == 2, name.upper() + "-" + str(x.dim()), None

    return scripted(Scalars(), torch.randn(2, 3), "shape")


@archive
def int_output_of_data():
    class Best(nn.Module):
        def forward(self, x):
            best = int(x.argmax().item())
            return best, float(x[best]), x.softmax(0)

    return scripted(Best(), torch.randn(7))


@archive
def formatted_strings():
    class Formats(nn.Module):
        def forward(self, x, k: int, names: List[str]):
            text = "{}x{} with {:.0f}".format(x.size(0), x.size(1), 3.0) if False else "{} by {}".format(k, names[0])
            joined = ",".join(names)
            return text, joined, joined.split(","), len(joined), "k" in joined, "%d items" % k

    return scripted(Formats(), torch.randn(2, 3), 4, ["key", "value"])


@archive
def list_input():
    class Concatenates(nn.Module):
        def forward(self, xs: List[torch.Tensor], ys: Tuple[torch.Tensor, torch.Tensor]):
            return torch.cat(xs, 0).relu() + 1, ys[0] * ys[1]

    return scripted(Concatenates(), [torch.randn(2, 3), torch.randn(1, 3)], (torch.ones(2), torch.randn(2)))


@archive
def dict_input():
    class Features(nn.Module):
        def forward(self, features: Dict[str, torch.Tensor]):
            total = torch.zeros(3)
            for name, value in features.items():
                if name != "ignored":
                    total = total + value
            return total, list(features.keys())

    return scripted(Features(), {"a": torch.randn(3), "ignored": torch.randn(3), "b": torch.randn(3)})


@archive
def int_list_input():
    class Reshapes(nn.Module):
        def forward(self, x, shape: List[int], scales: List[float]):
            return x.reshape(shape) * scales[0] + scales[-1]

    return scripted(Reshapes(), torch.randn(6), [2, 3], [0.5, 1.5])


@archive
def optional_scalar_inputs():
    class Scalars(nn.Module):
        def forward(self, x, low: Optional[float] = None, high: Optional[float] = 1.0, mode: str = "clamp"):
            if mode == "clamp":
                return torch.clamp(x, low, high)
            return x

    return scripted(Scalars(), torch.randn(5) * 3, -1.0)


@archive
def empty_containers():
    class Empty(nn.Module):
        def forward(self, x):
            nothing: List[torch.Tensor] = []
            names: Dict[str, int] = {}
            return nothing, names, (x,), [[x], nothing]

    return scripted(Empty(), torch.randn(2))


@archive
def list_mutation():
    class Lists(nn.Module):
        def forward(self, x):
            parts = [x, x * 2]
            parts.append(x + 1)
            parts[0] = x - 1
            last = parts.pop()
            parts.insert(1, last * 3)
            parts.extend([x.relu()])
            parts.reverse()
            sizes = [3, 1, 2]
            sizes.sort()
            del sizes[0]
            return torch.stack(parts), sizes, len(parts), parts[1:3]

    return scripted(Lists(), torch.randn(4))


@archive
def dict_mutation():
    class Dicts(nn.Module):
        def forward(self, x):
            cache: Dict[str, torch.Tensor] = {"x": x}
            cache["y"] = cache["x"] * 2
            cache["x"] = x.relu()
            if "z" not in cache:
                cache["z"] = cache["y"] + cache["x"]
            popped = cache.pop("y")
            cache.update({"w": popped})
            return cache, sorted(list(cache.keys())), cache.get("missing")

    return scripted(Dicts(), torch.randn(4))


@archive
def list_of_lists():
    class Ragged(nn.Module):
        def forward(self, xs: List[List[torch.Tensor]]):
            rows: List[torch.Tensor] = []
            for row in xs:
                rows.append(torch.stack(row).sum(0))
            return rows

    return scripted(Ragged(), [[torch.randn(2)], [torch.randn(2), torch.randn(2)]])


@archive
def no_tensor_at_all():
    class Host(nn.Module):
        def forward(self, n: int):
            total = 0
            for i in range(n):
                total += i * i
            return total

    return scripted(Host(), 10)


@archive
def no_input():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(3))

        def forward(self):
            return self.w * 2 + 1

    return scripted(Constant())


@archive
def unused_input():
    class Unused(nn.Module):
        def forward(self, x, y):
            return x * 2

    return traced(Unused(), torch.randn(3), torch.randn(3))
