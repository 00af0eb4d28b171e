"""Shapes and host values that depend on tensor data."""

from typing import List

import torch
from torch import nn

from models import Wrap
from registry import archive, scripted, traced


@archive
def item_as_scalar():
    class Items(nn.Module):
        def forward(self, x):
            scale = x.max().item()
            return torch.relu(x / scale) * 2

    return scripted(Items(), torch.rand(5))


@archive
def int_of_tensor_traced():
    return traced(Wrap(lambda x: x.reshape(int(torch.tensor(x.shape[0]) // 2), -1) + 1), torch.randn(4, 3))


@archive
def nonzero_rows():
    class Rows(nn.Module):
        def forward(self, x):
            rows = torch.nonzero(x[:, 0] > 0).squeeze(1)
            return x[rows] * 2, rows.size(0), rows

    return scripted(Rows(), torch.randn(9, 3))


@archive
def masked_select_then_math():
    class Selects(nn.Module):
        def forward(self, x):
            chosen = torch.masked_select(x, x > 0)
            return (chosen * 2 + 1).relu().sum(), chosen.sigmoid()

    return scripted(Selects(), torch.randn(20))


@archive
def bool_index():
    return traced(Wrap(lambda x: (x[x > 0] * 2, x[torch.tensor([2, 0])], x[:, x[0] > 0])), torch.randn(4, 4))


@archive
def unique_and_counts():
    class Uniques(nn.Module):
        def forward(self, x):
            values, inverse, counts = torch._unique2(x, True, True, True)
            return values * 2, inverse, counts.float() / counts.sum()

    return scripted(Uniques(), torch.randint(0, 5, (20,)))


@archive
def where_with_one_argument():
    class Where(nn.Module):
        def forward(self, x):
            rows, columns = torch.where(x > 0)
            return rows + columns, x[rows, columns]

    return scripted(Where(), torch.randn(4, 5))


@archive
def repeat_by_data():
    class Repeats(nn.Module):
        def forward(self, x, lengths):
            return torch.repeat_interleave(x, lengths, 0) + 1, torch.arange(int(lengths.sum()))

    return scripted(Repeats(), torch.randn(3, 2), torch.tensor([2, 0, 3]))


@archive
def greedy_decoding():
    class Greedy(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.cell, self.out = nn.Embedding(12, 8), nn.GRUCell(8, 8), nn.Linear(8, 12)

        def forward(self, h):
            token = torch.zeros(1, dtype=torch.int64)
            produced: List[int] = []
            for i in range(15):
                h = self.cell(self.embed(token), h)
                token = self.out(h).argmax(1)
                best = int(token.item())
                if best == 3:
                    break
                produced.append(best)
            return produced, h

    return scripted(Greedy(), torch.randn(1, 8))


@archive
def padded_batch():
    class Pads(nn.Module):
        def forward(self, x, lengths):
            longest = int(lengths.max())
            mask = torch.arange(longest).unsqueeze(0) < lengths.unsqueeze(1)
            return x[:, :longest] * mask.unsqueeze(-1), mask.sum()

    return scripted(Pads(), torch.randn(3, 7, 2), torch.tensor([2, 5, 3]))


@archive
def to_list():
    class Lists(nn.Module):
        def forward(self, x):
            sizes: List[int] = x.tolist()
            total = 0
            for size in sizes:
                total += size
            return torch.ones(total) * 2, sizes

    return scripted(Lists(), torch.tensor([1, 2, 3]))


@archive
def lists_line_by_line():
    """LibTorch doesn't say where a list is made: explain finds it (loader/source_line.h)."""

    class ListsInARow(nn.Module):
        def forward(self, x, y):
            first: List[int] = (x + 1).tolist()
            second: List[int] = y.tolist()
            return len(first) + second[0], x * first[1]

    return scripted(ListsInARow(), torch.tensor([1, 2, 3]), torch.tensor([4, 5]))


@archive
def convergence_loop():
    class Newton(nn.Module):
        def forward(self, x):
            guess = torch.ones_like(x)
            for i in range(50):
                better = 0.5 * (guess + x / guess)
                done = bool((better - guess).abs().max() < 1e-5)
                guess = better
                if done:
                    break
            return guess

    return scripted(Newton(), torch.rand(6) * 9 + 1)


@archive
def recursion_by_stack():
    class Halves(nn.Module):
        def forward(self, x):
            total = torch.zeros(())
            stack = [x]
            while len(stack) > 0:
                part = stack.pop()
                if part.numel() > 2 and bool(part.sum() > 0):
                    middle = part.numel() // 2
                    stack.append(part[:middle])
                    stack.append(part[middle:])
                else:
                    total = total + part.abs().sum()
            return total

    return scripted(Halves(), torch.randn(32) + 0.2)


@archive
def top_k_filter():
    class Filter(nn.Module):
        def forward(self, scores, boxes, threshold: float):
            keep = scores > threshold
            scores, boxes = scores[keep], boxes[keep]
            values, order = scores.topk(min(3, scores.numel()))
            return values, boxes[order] * 2

    return scripted(Filter(), torch.rand(10), torch.rand(10, 4), 0.3)


@archive
def random_numbers():
    class Noise(nn.Module):
        def forward(self, x):
            noise = torch.rand_like(x) + torch.randn(x.size(0))
            return x + noise * 0.1, torch.randint(0, 10, [3]), torch.bernoulli(torch.full([4], 0.5))

    return scripted(Noise(), torch.randn(5))


@archive
def random_numbers_in_place():
    """Drawn into memory that depends on nothing, which is no constant all the same."""

    def forward(x):
        gumbel = -torch.empty(2, 3).exponential_().log()
        return x + gumbel, torch.zeros(4).uniform_(1, 2), x.clone().bernoulli_(0.5) + 1, torch.zeros(2).normal_()

    return traced(Wrap(forward), torch.randn(2, 3))


@archive
def multinomial_sampling():
    class Samples(nn.Module):
        def forward(self, logits):
            drawn = torch.multinomial(logits.softmax(-1), 2)
            return drawn, logits.gather(-1, drawn) + 1

    return scripted(Samples(), torch.randn(3, 8))
