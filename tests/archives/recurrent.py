"""Recurrent cells and layers, written out and LibTorch's own."""

from typing import List, Tuple

import torch
from torch import nn

from registry import archive, scripted, traced


@archive
def lstm_step():
    class Step(nn.Module):
        def __init__(self, inputs=64, hidden=64):
            super().__init__()
            self.wx, self.wh = nn.Linear(inputs, 4 * hidden), nn.Linear(hidden, 4 * hidden)

        def forward(self, x, h, c):
            i, f, g, o = (self.wx(x) + self.wh(h)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c

    return traced(Step(), torch.randn(1, 64), torch.randn(1, 64), torch.randn(1, 64))


@archive
def lstm_loop_scripted():
    class Loop(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(4, 8)

        def forward(self, xs):
            h, c = torch.zeros(xs.size(1), 8), torch.zeros(xs.size(1), 8)
            outputs: List[torch.Tensor] = []
            for x in xs.unbind(0):
                h, c = self.cell(x, (h, c))
                outputs.append(h)
            return torch.stack(outputs), (h, c)

    return scripted(Loop(), torch.randn(6, 2, 4))


@archive
def rnn_cell_traced():
    return traced(nn.RNNCell(4, 6, nonlinearity="relu"), torch.randn(3, 4), torch.randn(3, 6))


@archive
def lstm_cell_traced():
    class Cell(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(4, 6)

        def forward(self, x, h, c):
            return self.cell(x, (h, c))

    return traced(Cell(), torch.randn(3, 4), torch.randn(3, 6), torch.randn(3, 6))


@archive
def gru_cell_scripted():
    return scripted(nn.GRUCell(4, 6), torch.randn(3, 4), torch.randn(3, 6))


@archive
def lstm_layers():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(4, 6, num_layers=2, bidirectional=True)

        def forward(self, x):
            return self.lstm(x)

    return scripted(Layers(), torch.randn(5, 2, 4))


@archive
def lstm_traced():
    return traced(nn.LSTM(4, 6, batch_first=True), torch.randn(2, 5, 4))


@archive
def gru_with_state():
    class Gru(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.head = nn.GRU(4, 6, batch_first=True), nn.Linear(6, 2)

        def forward(self, x, h):
            y, h = self.gru(x, h)
            return self.head(y[:, -1]).softmax(-1), h

    return scripted(Gru(), torch.randn(2, 5, 4), torch.randn(1, 2, 6))


@archive
def rnn_packed():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x, lengths) -> Tuple[torch.Tensor, torch.Tensor]:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, _ = self.lstm(packed)
            return nn.utils.rnn.pad_packed_sequence(y, batch_first=True)

    return scripted(Packed(), torch.randn(3, 6, 3), torch.tensor([2, 6, 4]))


@archive
def packed_layers_of_all_kinds():
    """Sequences of several lengths through layers, ways, projections and more steps than are multiplied at once."""

    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True)
            self.projected = nn.LSTM(10, 8, proj_size=4, bidirectional=True)
            self.gru, self.wide = nn.GRU(8, 6, 2, bias=False), nn.GRU(6, 130, bidirectional=True)
            self.tanh, self.relu = nn.RNN(260, 7), nn.RNN(7, 7, nonlinearity="relu")

        def forward(self, x, lengths) -> Tuple[torch.Tensor, List[torch.Tensor]]:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            y, (h, c) = self.lstm(packed)
            y, (h2, c2) = self.projected(y)
            y, h3 = self.gru(y)
            y, h4 = self.wide(y)
            y, h5 = self.tanh(y, torch.full([1, x.size(0), 7], 0.5))
            y, h6 = self.relu(y)
            return nn.utils.rnn.pad_packed_sequence(y)[0], [h, c, h2, c2, h3, h4, h5, h6]

    return scripted(Packed(), torch.randn(4, 70, 3), torch.tensor([70, 6, 68, 1]))


@archive
def sizes_of_batches():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(3, 4)

        def forward(self, x, sizes, h):
            return torch.gru(x, sizes, h, list(self.gru.parameters()), True, 1, 0.0, False, False)

    return traced(Packed(), torch.randn(6, 3), torch.tensor([3, 2, 1]), torch.randn(1, 3, 4))


@archive
def encoder_decoder():
    class Translator(nn.Module):
        def __init__(self):
            super().__init__()
            self.source, self.target = nn.Embedding(20, 8), nn.Embedding(20, 8)
            self.encoder, self.decoder, self.head = nn.GRU(8, 8), nn.GRUCell(8, 8), nn.Linear(8, 20)

        def forward(self, ids, steps: int):
            h = self.encoder(self.source(ids).unsqueeze(1))[1][0]
            token = torch.zeros(1, dtype=torch.int64)
            tokens: List[torch.Tensor] = []
            for step in range(steps):
                h = self.decoder(self.target(token), h)
                token = self.head(h).argmax(1)
                tokens.append(token)
            return torch.cat(tokens), h

    return scripted(Translator(), torch.randint(0, 20, (7,)), 5)


@archive
def echo_state():
    class Echo(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside, self.into = nn.Parameter(torch.randn(8, 8) * 0.2), nn.Parameter(torch.randn(3, 8))

        def forward(self, xs):
            h = torch.zeros(8)
            for i in range(xs.size(0)):
                h = 0.7 * h + 0.3 * torch.tanh(xs[i] @ self.into + h @ self.inside)
            return h

    return scripted(Echo(), torch.randn(40, 3))


@archive
def lstm_layers_wide():
    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(24, 72, num_layers=3, bidirectional=True, batch_first=True)

        def forward(self, x, h, c):
            return self.lstm(x, (h.transpose(0, 1).contiguous(), c.transpose(0, 1).contiguous()))

    return traced(Layers(), torch.randn(5, 7, 24), torch.randn(5, 6, 72), torch.randn(5, 6, 72))


@archive
def lstm_of_columns():
    """Rows of the input are no stretch of memory, and only the state leaves."""

    class Columns(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(10, 33)

        def forward(self, x):
            return self.lstm(x.transpose(1, 2))[1]

    return scripted(Columns(), torch.randn(6, 10, 4))


@archive
def gru_long():
    return traced(nn.GRU(8, 40, bidirectional=True), torch.randn(160, 4, 8))


@archive
def gru_longer_than_it_unrolls():
    return traced(nn.GRU(3, 5), torch.randn(400, 3))


@archive
def lstm_of_an_empty_batch():
    return traced(nn.LSTM(4, 6, batch_first=True), torch.randn(0, 5, 4))


def of_halves(dtype):
    """Layers whose state is rounded once a step, an LSTM's cell once a call, a projection and both directions among them."""

    class Layers(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(24, 40, 2, batch_first=True)
            self.both = nn.LSTM(24, 20, bidirectional=True, proj_size=12)
            self.gru, self.rnn = nn.GRU(24, 40), nn.RNN(24, 40)

        def forward(self, x):
            return self.lstm(x), self.both(x), self.gru(x), self.rnn(x)

    return traced(Layers().to(dtype), torch.randn(5, 20, 24).to(dtype))


@archive
def layers_of_bfloat16():
    return of_halves(torch.bfloat16)


@archive
def layers_of_float16():
    return of_halves(torch.float16)
