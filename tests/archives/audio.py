"""Audio: spectra, one-dimensional convolutions, streaming."""

import torch
from torch import nn
from torch.nn import functional as F

from models import with_random_statistics
from registry import archive, scripted, traced


@archive
def spectrogram():
    class Spectrogram(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("window", torch.hann_window(64))
            self.register_buffer("mel", torch.rand(33, 10))

        def forward(self, x):
            z = torch.stft(x, 64, 16, window=self.window, return_complex=True)
            power = z.real**2 + z.imag**2
            return torch.log10(torch.clamp(power.transpose(1, 2) @ self.mel, min=1e-10)) * 10

    return scripted(Spectrogram(), torch.randn(2, 400))


@archive
def spectrum_and_back():
    class Inverse(nn.Module):
        def forward(self, x):
            window = torch.hann_window(32)
            z = torch.stft(x, 32, 8, window=window, return_complex=True)
            return torch.istft(z * 0.5, 32, 8, window=window, length=x.size(-1))

    return scripted(Inverse(), torch.randn(1, 200))


@archive
def keyword_spotting():
    model = nn.Sequential(
        nn.Conv1d(1, 8, 16, stride=4), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(4),
        nn.Conv1d(8, 16, 3), nn.BatchNorm1d(16), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip
    return traced(with_random_statistics(model), torch.randn(1, 1, 800))


@archive
def dilated_stack():
    class WaveNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.filters = nn.ModuleList([nn.Conv1d(4, 8, 2, dilation=2**i) for i in range(4)])
            self.mixes = nn.ModuleList([nn.Conv1d(4, 4, 1) for _ in range(4)])

        def forward(self, x):
            skipped = torch.zeros_like(x)
            for i, (gated, mix) in enumerate(zip(self.filters, self.mixes)):
                y = gated(F.pad(x, [1 << i, 0]))
                a, b = y.chunk(2, 1)
                y = mix(torch.tanh(a) * torch.sigmoid(b))
                x = x + y
                skipped = skipped + y
            return F.relu(skipped)

    return scripted(WaveNet(), torch.randn(1, 4, 50))


@archive
def vocoder():
    model = nn.Sequential(
        nn.Conv1d(8, 16, 7, padding=3), nn.LeakyReLU(0.1), nn.ConvTranspose1d(16, 8, 8, stride=4, padding=2),
        nn.LeakyReLU(0.1), nn.Conv1d(8, 1, 7, padding=3), nn.Tanh(),
    )  # fmt: skip
    return traced(model, torch.randn(1, 8, 20))


@archive
def streaming_filter():
    class Filter(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution = nn.Conv1d(1, 4, 9)
            self.register_buffer("tail", torch.zeros(1, 1, 8))

        def forward(self, x, rate: int):
            if rate != 8000 and rate != 16000:
                raise ValueError("unsupported sampling rate")
            if rate == 16000:
                x = x[..., ::2]
            x = torch.cat([self.tail, x], -1)
            self.tail = x[..., -8:]
            return self.convolution(x).relu().mean(-1)

    return scripted(Filter(), torch.randn(1, 1, 64), 16000)


@archive
def conformer_convolution():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.up = nn.LayerNorm(8), nn.Conv1d(8, 16, 1)
            self.depth, self.down = nn.Conv1d(8, 8, 5, padding=2, groups=8), nn.Conv1d(8, 8, 1)
            self.batch_norm = nn.BatchNorm1d(8)

        def forward(self, x):
            y = F.glu(self.up(self.norm(x).transpose(1, 2)), 1)
            return x + self.down(F.silu(self.batch_norm(self.depth(y)))).transpose(1, 2)

    return traced(with_random_statistics(Block()), torch.randn(2, 12, 8))
