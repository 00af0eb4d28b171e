"""Recommendation, graphs and tables: embedding bags, interactions, gathers and scatters."""

from typing import Dict, List, Optional

import torch
from torch import nn
from torch.nn import functional as F

from models import Wrap
from registry import archive, scripted, traced


@archive
def dlrm():
    class Dlrm(nn.Module):
        def __init__(self, tables=4, rows=200, width=16):
            super().__init__()
            self.tables = nn.ModuleList([nn.EmbeddingBag(rows, width, mode="sum") for _ in range(tables)])
            self.bottom = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, width), nn.ReLU())
            self.top = nn.Sequential(nn.Linear(width * (tables + 1), 32), nn.ReLU(), nn.Linear(32, 1))

        def forward(self, dense, indices):
            parts = [self.bottom(dense)]
            for i, table in enumerate(self.tables):
                parts.append(table(indices[i]))
            return torch.sigmoid(self.top(torch.cat(parts, 1)))

    return scripted(Dlrm(), torch.randn(32, 13), torch.randint(0, 200, (4, 32, 5)))


@archive
def dlrm_interactions():
    class Interactions(nn.Module):
        def __init__(self):
            super().__init__()
            self.tables = nn.ModuleList([nn.Embedding(50, 8) for _ in range(3)])
            self.register_buffer("pairs", torch.triu_indices(4, 4, 1))

        def forward(self, dense, ids):
            stacked = torch.stack([dense] + [table(ids[:, i]) for i, table in enumerate(self.tables)], 1)
            products = torch.bmm(stacked, stacked.transpose(1, 2))
            return torch.cat([dense, products[:, self.pairs[0], self.pairs[1]]], 1).relu()

    return traced(Interactions(), torch.randn(6, 8), torch.randint(0, 50, (6, 3)))


@archive
def embedding_bag_offsets():
    class Bags(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = nn.EmbeddingBag(30, 4, mode="mean", include_last_offset=True)

        def forward(self, ids, lengths, weights: Optional[torch.Tensor] = None):
            # From lengths, so that any values are a good call: LibTorch checks offsets on the host only.
            return self.bag(ids, F.pad(torch.cumsum(lengths, 0), [1, 0]), weights) * 2

    return scripted(Bags(), torch.randint(0, 30, (10,)), torch.tensor([3, 0, 7]))


@archive
def factorization_machine():
    class DeepFm(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.linear = nn.Embedding(60, 6), nn.Embedding(60, 1)
            self.deep = nn.Sequential(nn.Linear(24, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1))

        def forward(self, ids):
            v = self.embed(ids)
            second = 0.5 * (v.sum(1) ** 2 - (v**2).sum(1)).sum(1, keepdim=True)
            return torch.sigmoid(self.linear(ids).sum(1) + second + self.deep(v.flatten(1))).squeeze(1)

    return traced(DeepFm(), torch.randint(0, 60, (5, 4)))


@archive
def two_towers():
    class Towers(nn.Module):
        def __init__(self):
            super().__init__()
            self.users, self.items = nn.Embedding(20, 8), nn.Embedding(30, 8)

        def forward(self, features: Dict[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
            u = F.normalize(self.users(features["user"]), dim=-1)
            i = F.normalize(self.items(features["item"]), dim=-1)
            scores = u @ i.t() / 0.07
            best, order = scores.topk(3, dim=1)
            return {"scores": scores, "best": best, "items": order}

    inputs = {"user": torch.randint(0, 20, (4,)), "item": torch.randint(0, 30, (9,))}
    return scripted(Towers(), inputs)


@archive
def interest_attention():
    class Interest(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.score = nn.Embedding(40, 6, padding_idx=0), nn.Sequential(nn.Linear(24, 8), nn.PReLU(), nn.Linear(8, 1))

        def forward(self, target, history):
            t, h = self.embed(target).unsqueeze(1).expand(-1, history.size(1), -1), self.embed(history)
            weights = self.score(torch.cat([t, h, t - h, t * h], -1)).squeeze(-1)
            weights = weights.masked_fill(history == 0, float("-inf")).softmax(-1)
            return torch.bmm(weights.unsqueeze(1), h).squeeze(1)

    return scripted(Interest(), torch.randint(1, 40, (3,)), torch.randint(1, 40, (3, 5)))


@archive
def graph_convolution():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 6)

        def forward(self, x, edges):
            source, target = edges[0], edges[1]
            degree = torch.zeros(x.size(0)).scatter_add_(0, target, torch.ones(target.size(0))).clamp(min=1)
            messages = self.linear(x)[source] / degree[target].unsqueeze(1).sqrt()
            return torch.zeros(x.size(0), 6).index_add(0, target, messages).relu()

    return scripted(Graph(), torch.randn(5, 4), torch.randint(0, 5, (2, 12)))


@archive
def multi_gate_experts():
    class Gates(nn.Module):
        def __init__(self):
            super().__init__()
            self.experts = nn.ModuleList([nn.Linear(6, 4) for _ in range(3)])
            self.gates = nn.ModuleList([nn.Linear(6, 3) for _ in range(2)])

        def forward(self, x) -> List[torch.Tensor]:
            outputs = torch.stack([torch.relu(expert(x)) for expert in self.experts], 1)
            results: List[torch.Tensor] = []
            for gate in self.gates:
                results.append((gate(x).softmax(-1).unsqueeze(-1) * outputs).sum(1))
            return results

    return scripted(Gates(), torch.randn(4, 6))


@archive
def sorting_and_searching():
    def forward(x):
        values, order = x.sort(descending=True)
        return values, order, x.cumsum(0), torch.searchsorted(values.flip(-1), x), x.kthvalue(2)[0], x.median()

    return traced(Wrap(forward), torch.randn(10))


@archive
def products():
    def forward(a, b):
        outer = torch.einsum("bi,bj->bij", a, b)
        return outer, torch.einsum("bij,bj->bi", outer, b), a @ b.t(), torch.dot(a[0], b[0]), torch.addmm(a @ a.t(), a, b.t())

    return traced(Wrap(forward), torch.randn(3, 4), torch.randn(3, 4))


class Tables(nn.Module):
    """Rows by int64, int32, negative numbers and no number at all; of halves, bytes and rows that lie apart."""

    def __init__(self):
        super().__init__()
        self.words, self.halves = nn.Embedding(20, 6), nn.Embedding(20, 5).half()
        self.register_buffer("bytes", torch.randint(0, 256, (20, 3, 2), dtype=torch.uint8))

    def forward(self, x, words, narrow):
        rows = self.words(words) * 2, self.halves(narrow), self.bytes.index_select(0, narrow)
        return *rows, x[-words], x[:, 1:].index_select(-2, narrow), x[words[:0]], x.index_select(1, narrow[:2] % 4)


@archive
def rows_of_tables():
    words = torch.tensor([[3, 0, 19], [3, 7, 1]])
    return traced(Tables(), torch.randn(20, 4), words, torch.tensor([2, 0, 0, 19], dtype=torch.int32))
