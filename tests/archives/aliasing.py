"""In-place operators on inputs, views and slices; outputs that are inputs, parameters or each other."""

import torch
from torch import nn

from models import Wrap
from registry import archive, scripted, traced


@archive
def input_as_output():
    class Same(nn.Module):
        def forward(self, x, y):
            return x, y * 2, x

    return scripted(Same(), torch.randn(3), torch.randn(3))


@archive
def view_of_input_as_output():
    return traced(Wrap(lambda x: (x[1:], x.t(), x.view(-1), x.unsqueeze(0) + 1)), torch.randn(3, 4))


@archive
def parameter_as_output():
    class Exposes(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(3))

        def forward(self, x):
            return self.w, x + self.w, self.w[1:]

    return scripted(Exposes(), torch.randn(3))


@archive
def constant_viewed_as_an_input():
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.rand(1, 8))

        def forward(self, x):
            scaled = x.exp() * self.table.expand_as(x)
            shifted = x - self.table.view_as(x[:1]).type_as(x)
            derived = (self.table * 2).expand_as(x)
            written = self.table.repeat(x.size(0), 1).view_as(x)
            written.add_(x)
            return scaled, shifted, derived + x, derived, written, self.table.expand_as(x)

    return scripted(Views(), torch.randn(4, 8))


@archive
def same_output_twice():
    class Twice(nn.Module):
        def forward(self, x):
            y = torch.relu(x) + 1
            return y, y, [y, y.view(-1)], {"y": y}

    return traced(Twice(), torch.randn(2, 3), strict=False)


@archive
def in_place_on_intermediate():
    def forward(x):
        y = x * 2
        y.relu_()
        y.add_(1).mul_(3)
        y += x
        return y

    return traced(Wrap(forward), torch.randn(4, 5))


@archive
def doubled_after_a_write_to_a_view():
    def forward(x):
        y = x * 3
        v = y.view(4, 5)
        v[:2, :1] = 0.5
        return y + v, y * 2

    return traced(Wrap(forward), torch.randn(4, 5))


@archive
def in_place_on_input():
    class Writes(nn.Module):
        def forward(self, x):
            y = x * 2
            x.add_(1)
            return x * y

    return scripted(Writes(), torch.randn(4))


@archive
def in_place_on_view():
    def forward(x):
        y = x + 1
        y[:, 0].mul_(10)
        y[1] = 5
        z = y.t()
        z[2].zero_()
        return y, z.sum(0)

    return traced(Wrap(forward), torch.randn(3, 4))


@archive
def in_place_through_alias():
    class Aliases(nn.Module):
        def forward(self, x):
            y = x.clone()
            v = y.view(-1)
            before = y * 1
            v.add_(2)
            after = y * 1
            return before, after, v

    return scripted(Aliases(), torch.randn(2, 3))


@archive
def in_place_in_loop():
    class Fills(nn.Module):
        def forward(self, x):
            out = torch.zeros_like(x)
            for i in range(x.size(0)):
                out[i] = x[i] * i
                out[i, 0] += 1
            return out

    return scripted(Fills(), torch.randn(5, 3))


@archive
def in_place_in_branch():
    class Branch(nn.Module):
        def forward(self, x):
            y = x * 2
            if y.sum() > 0:
                y.neg_()
            else:
                y += 10
            return y + 1, y

    return scripted(Branch(), torch.randn(5))


@archive
def slice_assignment():
    def forward(x):
        mask = torch.zeros(6, 6)
        mask[:3, :3] = 1
        mask[3:, 3:] = x[:3, :3]
        mask[:, 5] = x[0]
        return mask * x

    return traced(Wrap(forward), torch.randn(6, 6))


@archive
def masked_assignment():
    class Masked(nn.Module):
        def forward(self, x):
            y = x.clone()
            y[y < 0] = 0.0
            y.masked_fill_(y > 1, 1.0)
            y.index_add_(0, torch.tensor([0, 0]), torch.ones(2, x.size(1)))
            return y

    return scripted(Masked(), torch.randn(4, 3))


@archive
def list_holds_alias():
    class Holds(nn.Module):
        def forward(self, x):
            y = x + 1
            kept = [y, x * 2]
            y.mul_(2)
            kept[1].add_(1)
            return kept[0] + kept[1]

    return scripted(Holds(), torch.randn(3))


@archive
def same_tensor_as_two_inputs():
    class Two(nn.Module):
        def forward(self, x, y):
            x.add_(1)
            return x * y

    shared = torch.randn(3)
    return scripted(Two(), shared, shared)


@archive
def overlapping_inputs():
    class Overlaps(nn.Module):
        def forward(self, x, y):
            x.mul_(2)
            return x + y

    base = torch.randn(6)
    return scripted(Overlaps(), base[:4], base[2:])


@archive
def expanded_input():
    return traced(Wrap(lambda x: (x.relu() * 2, x.contiguous() + x)), torch.randn(1, 4).expand(3, 4))


@archive
def resize_and_set():
    class Sets(nn.Module):
        def forward(self, x):
            y = torch.empty(0)
            torch.add(x, 1, out=y)
            return y * 2

    return scripted(Sets(), torch.randn(3))


@archive
def unused_in_place_result():
    class Dead(nn.Module):
        def forward(self, x):
            y = x * 2
            y.add_(100)
            return x.relu() + 1

    return scripted(Dead(), torch.randn(3))


@archive
def powers_in_place():
    class Powers(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("edges", torch.tensor([0, 0, 1, 3, 3, 3]))

        def forward(self, x, y):
            degrees = torch.zeros(4).scatter_add(0, self.edges, torch.ones(6)).pow_(-0.5)
            degrees = degrees.masked_fill_(degrees == float("inf"), 0)
            whole = (x * 7).floor()
            return x.exp().pow_(3) * degrees, x.abs().pow_(y), whole.floor_divide_(y + 1)

    return traced(Powers(), torch.rand(5, 4), torch.rand(4))


@archive
def written_between_a_concatenation_and_its_readers():
    """A factor, a broadcast one and pieces, each written before the last operator reads what came of it."""

    def forward(x, y, factor, column):
        scaled = torch.cat([x, y], 1) * factor * column
        factor.add_(1)
        column.mul_(2)
        joined = torch.cat([x, y], 1)
        x.mul_(3)
        turns = torch.stack([x, y], -1).flatten(1) * factor
        x.add_(2)
        return scaled + 2, joined.tanh() + 1, turns - 1

    return traced(Wrap(forward), torch.randn(4, 8), torch.randn(4, 8), torch.randn(4, 16), torch.randn(4, 1))


@archive
def written_between_nested_concatenations():
    def forward(x, y, w):
        inner = torch.cat([x, y], 1)
        x.mul_(3)
        return torch.cat([inner, w], 1) + 1, x

    return traced(Wrap(forward), torch.randn(4, 8), torch.randn(4, 8), torch.randn(4, 16))


@archive
def added_to_by_a_reduction():
    """A row's one thread writes where all threads of the row could read."""

    def forward(x, y):
        totals = torch.zeros(5, 3)
        totals.select(1, 1).add_(x.amax(1))
        place = totals[2].select(0, 1).add_(x.amax())
        totals.narrow(0, 0, 1).mul_(y)
        return totals, torch.minimum(place, x.sum())

    return traced(Wrap(forward), torch.randn(5, 130), torch.randn(3))


@archive
def strides_of_single_elements():
    """LibTorch's results follow an operand's strides where they say nothing, too; the call has written by then."""

    def forward(x, y):
        x.narrow(1, 0, 1).mul_(2)
        row = (y * 2)[::2].add_(x[:1])
        values, places = row.sort(0)
        return values.tanh() + 1, places, row + values.square()

    return traced(Wrap(forward), torch.randn(3, 5), torch.randn(2, 5))
