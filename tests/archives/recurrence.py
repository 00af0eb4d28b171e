"""Recurrent layers and cells that become products and kernels on CUDA (tests/cuda_plans/moves_test.cpp)."""

from typing import List

import torch
from torch import nn

from registry import archive, scripted, traced


class WithoutState(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)


class WithState(nn.Module):
    """The state comes in as [batch, layers, width], so that inputs of another batch go together."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, *state):
        state = tuple(s.transpose(0, 1).contiguous() for s in state)
        return self.layer(x, state if len(state) > 1 else state[0])


@archive
def lstm():
    return scripted(WithoutState(nn.LSTM(4, 6)), torch.randn(5, 3, 4))


@archive
def lstm_of_one_step():
    return scripted(WithoutState(nn.LSTM(4, 6)), torch.randn(1, 3, 4))


@archive
def lstm_without_batch():
    return scripted(WithoutState(nn.LSTM(4, 6)), torch.randn(5, 4))


@archive
def lstm_two_layers_without_bias():
    return scripted(WithoutState(nn.LSTM(4, 6, num_layers=2, bias=False)), torch.randn(4, 3, 4))


@archive
def lstm_both_ways_with_state():
    layer = WithState(nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True, dropout=0.5))
    return traced(layer, torch.randn(3, 5, 4), torch.randn(3, 4, 6), torch.randn(3, 4, 6))


@archive
def lstm_with_projection():
    layer = WithState(nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True, proj_size=2))
    return traced(layer, torch.randn(3, 5, 4), torch.randn(3, 4, 2), torch.randn(3, 4, 6))


@archive
def lstm_with_projection_without_bias():
    return traced(nn.LSTM(4, 6, proj_size=2, bias=False, batch_first=True), torch.randn(3, 4, 4))


@archive
def lstm_in_float64():
    return traced(nn.LSTM(4, 6, bidirectional=True).double(), torch.randn(4, 3, 4).double())


@archive
def lstm_in_float16():
    return traced(nn.LSTM(8, 16).half(), torch.randn(4, 3, 8).half())


@archive
def gru():
    return scripted(WithoutState(nn.GRU(4, 6)), torch.randn(5, 3, 4))


@archive
def gru_both_ways_with_state():
    layer = WithState(nn.GRU(4, 6, num_layers=2, bidirectional=True, batch_first=True, bias=False))
    return traced(layer, torch.randn(3, 5, 4), torch.randn(3, 4, 6))


@archive
def gru_in_bfloat16():
    return traced(nn.GRU(8, 16).bfloat16(), torch.randn(4, 3, 8).bfloat16())


@archive
def rnn_tanh_two_layers():
    return scripted(WithoutState(nn.RNN(4, 6, num_layers=2)), torch.randn(5, 3, 4))


@archive
def rnn_relu_both_ways_without_bias():
    return scripted(WithoutState(nn.RNN(4, 6, nonlinearity="relu", bidirectional=True, bias=False)), torch.randn(5, 3, 4))


@archive
def last_state_of_transposed_input():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.head = nn.GRU(4, 6, bidirectional=True), nn.Linear(12, 3)

        def forward(self, x):
            y, h = self.encoder(x.transpose(0, 1).flip(0))
            return self.head(y[-1]).softmax(-1), torch.cat([h[0], h[1]], 1)

    return traced(Tagger(), torch.randn(3, 5, 4))


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTMCell(4, 6), nn.GRUCell(6, 6)
        self.tanh, self.relu = nn.RNNCell(6, 6), nn.RNNCell(6, 6, nonlinearity="relu")

    def forward(self, x, h, c):
        h, c = self.lstm(x, (h, c))
        return c, self.relu(self.tanh(self.gru(h, c), h), c)


@archive
def cells():
    return scripted(Cells(), torch.randn(3, 4), torch.randn(3, 6), torch.randn(3, 6))


@archive
def cells_traced_to_their_writes_in_place():
    return traced(Cells(), torch.randn(3, 4), torch.randn(3, 6), torch.randn(3, 6))


@archive
def cells_without_bias():
    class Cells(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.gru = nn.LSTMCell(4, 6, bias=False), nn.GRUCell(6, 6, bias=False)
            self.tanh = nn.RNNCell(6, 6, bias=False)

        def forward(self, x):
            h, c = self.lstm(x)
            return self.tanh(self.gru(h), c)

    return scripted(Cells(), torch.randn(3, 4))


@archive
def loop_of_cells():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.GRUCell(4, 6), nn.LSTMCell(6, 6)

        def forward(self, xs):
            g = torch.zeros(xs.size(1), 6)
            h, c = g, g
            outputs: List[torch.Tensor] = []
            for x in xs.unbind(0):
                g = self.first(x, g)
                h, c = self.second(g, (h, c))
                outputs.append(h)
            return torch.stack(outputs, 1), c

    return scripted(Loop(), torch.randn(7, 3, 4))


@archive
def loop_written_out():
    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.into, self.inside = nn.Linear(4, 12), nn.Linear(6, 12)

        def forward(self, xs, h):
            for x in self.into(xs).unbind(1):
                forget, update = (x + self.inside(h)).chunk(2, 1)
                forget = torch.sigmoid(forget)
                h = forget * h + (1 - forget) * torch.tanh(update)
            return h

    return scripted(Gated(), torch.randn(3, 20, 4), torch.randn(3, 6))


@archive
def lstm_beside_a_cell():
    """Traced cells write to chunks of their gates, which are no reason to keep the layer's weights as state."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LSTM(4, 6)
            self.gru, self.lstm = nn.GRUCell(6, 6), nn.LSTMCell(6, 6)

        def forward(self, x):
            y, (h, c) = self.layer(x)
            h, c = self.lstm(y[-1], (h[0], c[0]))
            return self.gru(y[0], h), c

    return traced(Both(), torch.randn(5, 3, 4))
