"""Losses, distances and differences: kernels wherever rows of floats are (fusion/composite.h)."""

import torch
from torch.nn import functional as F

from registry import archive, traced

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
REDUCTIONS = ("none", "mean", "sum")


def loss(function):
    """One archive of a loss by each reduction, of both dtypes, along memory and across it."""
    tensors = []
    for dtype in DTYPES[:2]:
        x, y = torch.randn(6, 35), torch.randn(6, 35)
        x[0, :3] = 0.0
        y[0, :2] = 0.0
        y[1, 1] = x[1, 1]
        x[2, 3] = float("inf")
        y[3, 4] = float("nan")
        tensors += [x.to(dtype), y.to(dtype)]

    def forward(*tensors):
        results = []
        for x, y in zip(tensors[::2], tensors[1::2]):
            for a, b in ((x, y), (x.t(), y.t()), (x[:, ::2], y[:, ::2])):
                results += [function(a, b, reduction) for reduction in REDUCTIONS]
        return tuple(results)

    return traced(forward, *tensors)


@archive
def squares():
    return loss(lambda a, b, r: F.mse_loss(a, b, reduction=r))


@archive
def distances_of_elements():
    return loss(lambda a, b, r: F.l1_loss(a, b, reduction=r))


@archive
def smooth_distances():
    return loss(lambda a, b, r: F.smooth_l1_loss(a, b, reduction=r, beta=0.7) + F.smooth_l1_loss(a, b, reduction=r, beta=0))


@archive
def huber():
    return loss(lambda a, b, r: F.huber_loss(a, b, reduction=r, delta=0.8))


@archive
def logits():
    def binary(a, b, r):
        y = b.sigmoid()
        plain = F.binary_cross_entropy_with_logits(a, y, reduction=r)
        weighted = F.binary_cross_entropy_with_logits(a, y, b.abs() + 1, reduction=r, pos_weight=y[0] + 1)
        return plain + weighted

    return loss(binary)


@archive
def divergences():
    def divergence(a, b, r):
        return F.kl_div(a, b.abs(), reduction=r) + F.kl_div(a * 0.5, b, reduction=r, log_target=True)

    return loss(divergence)


@archive
def margins():
    def margin(a, b, r):
        y = b.sign()
        hinge = F.hinge_embedding_loss(a, y, margin=0.6, reduction=r)
        ranking = F.margin_ranking_loss(a, b, y, margin=0.2, reduction=r)
        return hinge + F.soft_margin_loss(a, y, reduction=r) + ranking

    return loss(margin)


@archive
def margins_of_rows():
    def margin(a, b, r):
        y = b[:, 0].sign()
        return F.cosine_embedding_loss(a, b, y, margin=0.1, reduction=r) + F.triplet_margin_loss(
            a, b, a * b, swap=True, reduction=r
        ) + F.triplet_margin_loss(a, b, b - a, margin=0.3, p=1.0, reduction=r)

    return loss(margin)


def named_classes(function, classes, *positions):
    """One archive of a loss of classes, alone and of positions, some of whose targets are ignored (3) by each reduction."""
    shape = (5, *positions)
    x, y = torch.randn(5, classes, *positions) * 3, torch.randint(0, classes, shape)
    y[0], y[1, ...] = 3, 0
    x[1, 1] = float("-inf")
    x[2, 0] = float("nan")
    x[3, 2] = float("inf")
    x[4] = float("-inf")
    weight = torch.rand(classes)

    def forward(x, y, weight):
        results = []
        for dtype in DTYPES[:2]:
            a, w = x.to(dtype), weight.to(dtype)
            for reduction in REDUCTIONS:
                for n in (slice(None), slice(0, 1), slice(0, 2), slice(1, 3), slice(3, None)):
                    results += [function(a[n], y[n], None, r=reduction), function(a[n], y[n], w, r=reduction)]
                results.append(function(a[:, ::2], y // 2, w[::2], r=reduction))
        return tuple(results)

    return traced(forward, x, y, weight)


def cross_entropy(x, y, w, r):
    return F.cross_entropy(x, y, w, ignore_index=3, reduction=r)


def smooth_cross_entropy(x, y, w, r):
    return F.cross_entropy(x, y, w, ignore_index=3, reduction=r, label_smoothing=0.2)


def likelihood(x, y, w, r):
    return F.nll_loss(x.tanh(), y, w, ignore_index=3, reduction=r)


@archive
def classes():
    return named_classes(cross_entropy, 7)


@archive
def classes_of_positions():
    return named_classes(cross_entropy, 35, 3, 2)


@archive
def smoothed_classes():
    return named_classes(smooth_cross_entropy, 35)


@archive
def smoothed_classes_of_positions():
    return named_classes(smooth_cross_entropy, 7, 6)


@archive
def likelihoods():
    return named_classes(likelihood, 7)


@archive
def likelihoods_of_positions():
    return named_classes(likelihood, 7, 2, 3, 2)


@archive
def classes_by_probability():
    def forward(x, y, weight):
        results = []
        for dtype in DTYPES[:2]:
            a, p, w = x.to(dtype), y.to(dtype).softmax(1), weight.to(dtype)
            for r in REDUCTIONS:
                for b, q, v in ((a, p, w), (a.transpose(1, 2), p.transpose(1, 2), w[:6]), (a[0, :, 0], p[0, :, 0], w)):
                    results += [F.cross_entropy(b, q, reduction=r), F.cross_entropy(b, q, v, reduction=r, label_smoothing=0.3)]
        return tuple(results)

    x = torch.randn(4, 9, 6)
    x[0, 1, 1], x[1, 2, 2], x[2, 3, 3] = float("inf"), float("-inf"), float("nan")
    return traced(forward, x, torch.randn(4, 9, 6), torch.rand(9))


@archive
def class_of_one_sample():
    """Without a batch, of many rows that stay whole, of halves and of nothing."""

    def forward(x, y, weight):
        one = [F.cross_entropy(x[0], y[0], weight, reduction=r, label_smoothing=0.1) for r in REDUCTIONS]
        one += [F.nll_loss(x[1], y[1], reduction=r) for r in REDUCTIONS]
        rest = F.cross_entropy(x[:0], y[:0]), F.cross_entropy(x.half(), y), F.nll_loss(x[:, :1], y * 0, reduction="none")
        return tuple(one) + rest + (F.cross_entropy(x, y, ignore_index=5) * 2, F.cross_entropy(x[:, :1], y * 0))

    return traced(forward, torch.randn(300, 20), torch.randint(0, 20, (300,)), torch.rand(20))


@archive
def classes_between_writes():
    """What a loss reads is written before and after it."""

    def forward(x, y):
        x, y = x.clone(), y.clone()
        x.mul_(2)
        first = F.cross_entropy(x, y, reduction="none")
        y.remainder_(3)
        second = F.cross_entropy(x, y)
        x[:, 0] = first
        third = F.nll_loss(x, y)
        x.zero_()
        return first, second, third, x

    return traced(forward, torch.randn(6, 5), torch.randint(0, 5, (6,)))


def by_class(x, y, weight):
    results = []
    for dtype in DTYPES[:2]:
        a, w = x.to(dtype), weight.to(dtype)
        for r in REDUCTIONS:
            results += [F.multi_margin_loss(a, y, reduction=r), F.multi_margin_loss(a, y, 2, 0.4, w, reduction=r)]
            results += [F.multi_margin_loss(a.t()[:6], y[:6], weight=w, reduction=r), F.multi_margin_loss(a[2], y[2], reduction=r)]
            results += [F.multi_margin_loss(a[:3], y[:3], reduction=r), F.multi_margin_loss(a[3:], y[3:], p=2, weight=w, reduction=r)]
    return tuple(results)


@archive
def margins_of_classes():
    x = torch.randn(6, 6)
    x[3, 1], x[4, 2], x[5, 0] = float("inf"), float("-inf"), float("nan")
    return traced(by_class, x, torch.randint(0, 6, (6,)), torch.rand(6))


@archive
def margins_of_many_classes():
    return traced(by_class, torch.randn(40, 40), torch.randint(0, 6, (40,)), torch.rand(40))


@archive
def counts():
    def poisson(a, b, r):
        y = (b * 3).abs()
        plain = F.poisson_nll_loss(a, y, reduction=r), F.poisson_nll_loss(a, y.round(), full=True, reduction=r)
        return sum(plain) + F.poisson_nll_loss(y, y + 1, log_input=False, full=True, eps=1e-3, reduction=r)

    return loss(poisson)


@archive
def rows_compared():
    def forward(x, y, z):
        results = []
        for dtype in DTYPES[:2]:
            a, b, c = x.to(dtype), y.to(dtype), z.to(dtype)
            results += [F.cosine_similarity(a, b), F.cosine_similarity(a, c, dim=-1, eps=1e-3)]
            results += [F.cosine_similarity(a.t(), b.t(), dim=0), F.pairwise_distance(a, b, p=2.0)]
            results += [F.pairwise_distance(a, c, p=1.0, keepdim=True), F.pairwise_distance(a, b, p=float("inf"))]
            results += [F.pairwise_distance(a, b, p=3.0), torch.dist(a[0], b[0]), torch.dist(a, b, 1)]
        return tuple(results)

    x = torch.randn(5, 33)
    x[1] = 0
    return traced(forward, x, torch.randn(5, 33), torch.randn(1, 33))


@archive
def points():
    """Distances of all points, some of which are equal; more than 25 ATen multiplies."""

    def forward(x, y):
        results = []
        for a, b in ((x, x[:, :9]), (x.double(), x.double()), (x[0, :20], y[0, :25]), (x[..., 1:], y[..., 1:])):
            results += [torch.cdist(a, b), torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") + 1]
        for mode in ("use_mm_for_euclid_dist", "use_mm_for_euclid_dist_if_necessary"):
            results.append(torch.cdist(x[:, :5], y[:, :4], compute_mode=mode))
        wide = x.reshape(2, 10, 12)
        results += [torch.cdist(wide, wide), torch.cdist(x, y, p=1.0), torch.cdist(x[:, :0], y), torch.cdist(x, y[0])]
        return tuple(results)

    x = torch.randn(2, 40, 3) * 5
    x[0, 3] = float("inf")
    x[1, 5, 1] = float("nan")
    return traced(forward, x, torch.randn(2, 30, 3))


@archive
def broadcast():
    """A target of another shape, which is the model's mistake but has an answer."""

    def forward(x, y):
        some = F.mse_loss(x, y), F.l1_loss(x, y, reduction="sum"), F.huber_loss(x, y, reduction="none")
        return *some, F.poisson_nll_loss(x, y.abs(), full=True), F.poisson_nll_loss(y, x.abs(), reduction="sum")

    return traced(forward, torch.randn(4, 7), torch.randn(7))


@archive
def losses_of_a_scalar():
    def forward(x, y):
        return F.mse_loss(x[0, 0], y[0, 0]), F.l1_loss(x[0, 0], y[0, 0], reduction="none"), F.mse_loss(x[:0], y[:0])

    return traced(forward, torch.randn(3, 2), torch.randn(3, 2))


@archive
def differences():
    def forward(x, n):
        results = []
        for dtype in DTYPES:
            y = x.to(dtype)
            results += [y.diff(), y.diff(dim=0), y.diff(n=2, dim=1), y.diff(prepend=y[..., :1])]
            results += [F.rrelu(y), F.rrelu(y, 0.3, 0.9)]
        for y in (x, x.double(), x[:, :, ::2]):
            results += [torch.trapz(y, dx=0.3), torch.trapezoid(y, dim=1), torch.trapezoid(y)]
        return tuple(results) + (n.diff(), n.to(torch.int8).diff(), (n > 0).diff(), n[:, :1].diff())

    x = torch.randn(3, 6, 9)
    x[0, 0, :4] = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0])
    return traced(forward, x, torch.randint(-5, 5, (3, 4)))
