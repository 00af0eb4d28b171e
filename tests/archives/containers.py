"""Lists, dicts and objects of scripted classes that a model makes, keeps beside its tensors and changes."""

from typing import Dict, List, Tuple

import torch
from torch import nn

from registry import archive, scripted


@torch.jit.script
class Picture:
    """As torchvision's ImageList: tensors and numbers in one object."""

    def __init__(self, pixels: torch.Tensor, sizes: List[int]):
        self.pixels = pixels
        self.sizes = sizes
        self.marks: List[torch.Tensor] = []


@archive
def dict_of_features():
    class Features(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleDict({"a": nn.Linear(4, 4), "b": nn.Linear(4, 4), "c": nn.Linear(4, 4)})

        def forward(self, x) -> Dict[str, torch.Tensor]:
            features: Dict[str, torch.Tensor] = {}
            for name, layer in self.layers.items():
                x = layer(x).relu()
                features[name] = x
            features["sum"] = features["a"] + features["b"] * features["c"]
            return features

    return scripted(Features(), torch.randn(3, 4))


@archive
def object_over_blocks():
    class Marks(nn.Module):
        def forward(self, x):
            picture = Picture(x.relu() * 2, [x.size(0)])
            rows = torch.nonzero(x[:, 0] > 0).squeeze(1)
            picture.marks.append(picture.pixels[rows])
            picture.sizes.append(rows.size(0))
            picture.pixels = picture.pixels + 1
            columns = torch.nonzero(x[0] > 0).squeeze(1)
            picture.marks.append(picture.pixels[:, columns])
            return picture.pixels, picture.marks, picture.sizes

    return scripted(Marks(), torch.randn(6, 5))


@archive
def list_in_two_places():
    class Twice(nn.Module):
        def forward(self, x) -> Tuple[List[torch.Tensor], List[torch.Tensor], int]:
            parts = [x * 2]
            both = {"first": parts, "second": parts, "other": [x * 2]}
            rows = torch.nonzero(x[:, 0] > 0).squeeze(1)
            both["second"].append(x[rows] + 1)
            both["other"].append(x)
            return parts, both["first"], len(both["first"]) + len(both["other"])

    return scripted(Twice(), torch.randn(6, 3))


@archive
def experts():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(8, 4)
            self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

        def forward(self, x):
            weights, chosen = torch.topk(self.gate(x).softmax(-1), 2)
            mask = nn.functional.one_hot(chosen, 4).permute(2, 1, 0)
            out = torch.zeros_like(x)
            for i, expert in enumerate(self.experts):
                rank, row = torch.where(mask[i] > 0)
                out.index_add_(0, row, expert(x[row]) * weights[row, rank, None])
            return out

    return scripted(Experts(), torch.randn(6, 8))


@archive
def view_of_what_is_written():
    class Written(nn.Module):
        def forward(self, x):
            y = x * 2
            top = y[:2]
            rows = torch.nonzero(x[:, 0] > 0).squeeze(1)
            y.index_fill_(0, rows, 7.0)
            return top + 1, y

    return scripted(Written(), torch.randn(6, 3))


@archive
def nothing_found():
    class Nothing(nn.Module):
        def forward(self, x):
            rows = torch.nonzero(x[:, 0] > 100).squeeze(1)
            found = x[rows] * 2
            order = torch.argsort(found[:, 1])
            return found[order], rows[order]

    return scripted(Nothing(), torch.randn(6, 3))
