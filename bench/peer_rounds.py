"""Times all contenders of one model in this process, interleaved: python peer_rounds.py MODEL THREADS SECONDS BUILD RESULT [SKIPPED...]

bench/peers.py starts one for each model, number of threads and malloc. RESULT is written as JSON; RESULT.doing names the
contender that is at work, which is the one to skip when this process dies.
"""

import contextlib
import ctypes
import hashlib
import importlib.metadata
import json
import logging
import os
import pathlib
import random
import shutil
import signal
import statistics
import sys
import time
import warnings

name, threads, seconds, build, result_file, *skipped = sys.argv[1:]
# Inductor's probe compiles a program for each instruction set; the processor's own list says the same.
os.environ["TORCHINDUCTOR_VEC_ISA_OK"] = "1"
os.environ["OMP_NUM_THREADS"] = threads
# Inductor's cache doesn't tell numbers of threads apart.
cache = pathlib.Path(build) / "bench" / "peers" / f"inductor-{threads}"
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache.resolve())

import torch  # noqa: E402

import peer_contenders  # noqa: E402
import peer_models  # noqa: E402

BLOCK_US = 8000
WARM_US = 2000
LEAST_ROUNDS = 3
SLOW_US = 3e6  # a call of more is timed in one round
CALLS_CHECKED = 3
# Of the largest element of the answer: float32 sums in another order.
TOLERANCE = 1e-3
MOST_SECONDS_TO_MAKE = 150


def loaded_library():
    library = ctypes.CDLL(str(pathlib.Path(build) / "bench" / "peers_torchweld.so"))
    for function, result, arguments in (
        ("peers_error", ctypes.c_char_p, []),
        ("peers_version", ctypes.c_char_p, []),
        ("peers_make", ctypes.c_void_p, [ctypes.c_char_p] * 3),
        ("peers_answer", ctypes.c_int64, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]),
        ("peers_time_us", ctypes.c_double, [ctypes.c_void_p, ctypes.c_int64]),
        ("peers_time_function_us", ctypes.c_double, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]),
    ):
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


def fingerprint():
    """Of what the files that peers compile or convert depend on."""
    digest = hashlib.sha256()
    for package in ("torch", "torchvision", "onnx", "openvino"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(importlib.metadata.version(package).encode())
    for module in (peer_models, peer_models.models, peer_contenders):
        digest.update(pathlib.Path(module.__file__).read_bytes())
    return digest.hexdigest()


def work_folder():
    """Keeps packages and converted files from the last run, unless they may be another model's."""
    folder = pathlib.Path(build) / "bench" / "peers" / name
    stamp = folder / "fingerprint"
    if not stamp.exists() or stamp.read_text() != fingerprint():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        stamp.write_text(fingerprint())
    return folder


def prepared():
    folder = work_folder()
    module, script, inputs = peer_models.made(name)
    script.save(str(folder / "archive.pt"))
    torch.save({"inputs": inputs}, folder / "inputs.pt")
    outputs = peer_contenders.tensors_in(torch.jit.load(folder / "archive.pt")(*inputs))
    return peer_contenders.Case(name, int(threads), folder, loaded_library(), module, inputs, outputs)


def doing(peer):
    pathlib.Path(f"{result_file}.doing").write_text(peer)


class TooLong(Exception):
    pass


@contextlib.contextmanager
def at_most(limit):
    def stop(*_):
        raise TooLong(f"took longer than {limit} s to make")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)


def differs(contender, expected):
    """Whether an answer is not eager's, over as many calls as it takes to be warmed up."""
    for call in range(CALLS_CHECKED):
        wanted = expected[0 if contender.stateless else call]
        actual = contender.answer()
        if actual.shape != wanted.shape:
            return f"answers {actual.numel()} elements, eager {wanted.numel()}"
        error, scale = (actual - wanted).abs().max().item(), wanted.abs().max().item()
        if not error <= TOLERANCE * max(scale, 1e-6):
            return f"wrong answer in call {call + 1}: off by {error:.3g}, the largest element is {scale:.3g}"
    return None


def first_lines(error):
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def make_all(case):
    """The contenders whose answers are eager's, and why the others are missing."""
    eager = peer_contenders.EAGER(case)
    expected = [eager.answer() for _ in range(CALLS_CHECKED)]
    contenders, failures, made_s = {"eager": eager}, {}, {}
    for peer, make in peer_contenders.CONTENDERS.items():
        if peer in skipped:
            continue
        doing(peer)
        start = time.monotonic()
        try:
            with at_most(MOST_SECONDS_TO_MAKE):
                contender = make(case)
                wrong = differs(contender, expected)
            if wrong:
                failures[peer] = wrong
            else:
                contenders[peer] = contender
        except Exception as error:
            failures[peer] = first_lines(error)
        made_s[peer] = round(time.monotonic() - start, 1)
    return contenders, failures, made_s


def rounds(contenders):
    """Microseconds a call of each block, by contender."""
    once = {peer: contender.time_us(1) for peer, contender in contenders.items()}
    blocks = {peer: [] for peer in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    least = {peer: 1 if us > SLOW_US else LEAST_ROUNDS for peer, us in once.items()}
    limit_us = float(seconds) * 1e6
    while True:
        due = [p for p in contenders if len(blocks[p]) < least[p] or spent[p] < limit_us]
        if not due:
            return blocks
        random.shuffle(due)
        for peer in due:
            doing(peer)
            calls = max(1, int(BLOCK_US / once[peer]))
            warm = max(1, int(WARM_US / once[peer])) if once[peer] < limit_us / 10 else 0
            start = time.perf_counter()
            if warm:
                contenders[peer].time_us(warm)
            block = contenders[peer].time_us(calls)
            spent[peer] += (time.perf_counter() - start) * 1e6
            blocks[peer].append(block)
            once[peer] = min(once[peer], block)


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    torch.set_num_threads(int(threads))
    torch.set_grad_enabled(False)
    case = prepared()
    contenders, failures, made_s = make_all(case)
    blocks = rounds(contenders)
    result = {
        "min_us": {peer: min(times) for peer, times in blocks.items()},
        "median_us": {peer: statistics.median(times) for peer, times in blocks.items()},
        "rounds": {peer: len(times) for peer, times in blocks.items()},
        "failures": failures,
        "seconds_to_make": made_s,
        "python_call_us": min(peer_contenders.python_timer(lambda: None)(10000) for _ in range(5)),
        "torchweld_version": case.library.peers_version().decode(),
    }
    pathlib.Path(result_file).write_text(json.dumps(result))
    # Some peers' threads don't survive the end of the interpreter; the result is written.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
