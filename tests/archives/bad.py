"""Files that must be refused with a clear error, or that must not pass a check."""

import zipfile

import torch
from torch import nn

from registry import bad_file


class Adds(nn.Module):
    def forward(self, x):
        return torch.relu(x) + 1


def good(path):
    torch.jit.save(torch.jit.script(Adds().eval()), str(path))


def rewritten(path, change):
    """Writes a good archive whose entries went through change(name, bytes); None drops the entry."""
    good(path)
    with zipfile.ZipFile(path) as source:
        entries = [(name, change(name, source.read(name))) for name in source.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for name, data in entries:
            if data is not None:
                target.writestr(name, data)


@bad_file("not_a_zip.pt")
def not_a_zip(path):
    path.write_bytes(b"this is no archive at all\n" * 40)


@bad_file("empty.pt")
def empty(path):
    path.write_bytes(b"")


@bad_file("truncated.pt")
def truncated(path):
    good(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


@bad_file("garbled_pickle.pt")
def garbled_pickle(path):
    rewritten(path, lambda name, data: bytes(b ^ 0x5A for b in data) if name.endswith("data.pkl") else data)


@bad_file("without_code.pt")
def without_code(path):
    torch.save({"weight": torch.ones(2)}, path)


@bad_file("state_dict.pt")
def state_dict(path):
    torch.save(nn.Linear(2, 2).state_dict(), path)


@bad_file("old_pickle.pt")
def old_pickle(path):
    torch.save(torch.ones(2), path, _use_new_zipfile_serialization=False)


@bad_file("syntax_error.pt")
def syntax_error(path):
    rewritten(path, lambda name, data: data.replace(b"def forward", b"deff forward") if name.endswith(".py") else data)


@bad_file("unknown_operator.pt")
def unknown_operator(path):
    rewritten(path, lambda name, data: data.replace(b"torch.relu", b"ops.acme.frob") if name.endswith(".py") else data)


@bad_file("unknown_class.pt")
def unknown_class(path):
    declared = b"__torch__.torch.classes.acme.Tokenizer"
    rewritten(path, lambda name, data: data.replace(b"x: Tensor", b"x: " + declared) if name.endswith(".py") else data)


@bad_file("newer_format.pt")
def newer_format(path):
    rewritten(path, lambda name, data: b"9999\n" if name.endswith("version") else data)


@bad_file("training_mode.pt")
def training_mode(path):
    class Drops(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5)

        def forward(self, x):
            return self.drop(x) * 2

    torch.jit.save(torch.jit.script(Drops().train()), str(path))


@bad_file("without_forward.pt")
def without_forward(path):
    class Encodes(nn.Module):
        @torch.jit.export
        def encode(self, x):
            return x * 2

    torch.jit.save(torch.jit.script(Encodes().eval()), str(path))


@bad_file("packed_for_inference.pt")
def packed_for_inference(path):
    # LibTorch saves the weights that it packed for oneDNN as constants without a value, and can't read them again.
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.script(model))).save(str(path))


@bad_file("wrong_outputs.inputs")
def wrong_outputs(path):
    # Fits layers/linear_relu_traced, except that the model never gave these outputs.
    torch.save({"inputs": (torch.ones(1, 2),), "outputs": [torch.full((1, 2), 1000.0)]}, path)
