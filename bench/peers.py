"""Torchweld against what else could run the same models: one table, in ratios to LibTorch's eager interpreter.

    python peers.py [--models A,B] [--threads 1,2] [--seconds S] [--build BUILD]

`make bench-peers` runs all of it, with the Python that `cmake/dependencies.sh --peers` installs. Each model, number of
threads and malloc is a process of its own (bench/peer_rounds.py) with all contenders in it, interleaved. Results go to
BUILD/bench/peers.json row by row; a run of a part replaces the rows that it measures.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import peer_models
import peer_table

HERE = pathlib.Path(__file__).parent
# From the size of a model's tensors on, 32 MB, glibc maps and unmaps each one: most of the time goes to page faults.
TUNED_MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=17179869184"}
MOST_SECONDS = 900
PACKAGES = ("torch", "onnxruntime", "openvino", "onnx")


def say(text):
    print(text, flush=True)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def versions():
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def one_process(command, environment, log):
    """What went wrong, or None."""
    try:
        done = subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        return f"ran longer than {MOST_SECONDS} s"
    if done.returncode < 0:
        return f"ended the process by {signal.Signals(-done.returncode).name}"
    return f"ended the process with status {done.returncode}" if done.returncode else None


def measured(options, model, threads, malloc):
    """The row's figures; a contender that takes the process down is skipped the next time."""
    environment = {**os.environ, **(TUNED_MALLOC if malloc == "tuned" else {})}
    logs = options.build / "bench" / "peers"
    logs.mkdir(parents=True, exist_ok=True)
    skipped = {}
    with tempfile.TemporaryDirectory() as folder, open(logs / f"{model}-{threads}-{malloc}.log", "w") as log:
        result, at_work = pathlib.Path(folder, "result"), pathlib.Path(folder, "result.doing")
        while True:
            at_work.write_text("")
            command = [sys.executable, HERE / "peer_rounds.py", model, str(threads), str(options.seconds)]
            reason = one_process([*command, options.build, result, *skipped], environment, log)
            if reason is None:
                figures = json.loads(result.read_text())
                figures["failures"].update(skipped)
                return figures
            culprit = at_work.read_text()
            if not culprit or culprit in skipped or culprit == "eager":
                raise RuntimeError(f"{reason}; see {log.name}")
            skipped[culprit] = reason


def row(options, model, threads, malloc):
    key = {"model": model, "title": peer_models.MODELS[model].title, "threads": threads, "malloc": malloc}
    start = time.monotonic()
    try:
        figures = measured(options, model, threads, malloc)
    except RuntimeError as error:
        return {**key, "eager_us": None, "ratios": {}, "failures": {"all": str(error)}}
    least, medians = figures.pop("min_us"), figures.pop("median_us")
    return {
        **key,
        "eager_us": least["eager"],
        "ratios": {peer: least["eager"] / us for peer, us in least.items() if peer != "eager"},
        "median_ratios": {peer: medians["eager"] / us for peer, us in medians.items() if peer != "eager"},
        "min_us": least,
        "median_us": medians,
        "date": datetime.date.today().isoformat(),
        "load_average": os.getloadavg()[0],
        "seconds": round(time.monotonic() - start),
        **figures,
    }


def identity(r):
    return r["model"], r["threads"], r["malloc"]


def place(r):
    """In the order of a full run."""
    models = list(peer_models.MODELS)
    return r["threads"], models.index(r["model"]) if r["model"] in models else len(models), r["malloc"]


def wanted_rows(options):
    """One thread first: its figures stand when the rest is cut short."""
    for threads in options.threads:
        for model in options.models:
            yield model, threads, "default"
            if peer_models.MODELS[model].large:
                yield model, threads, "tuned"


def parsed():
    parser = argparse.ArgumentParser(description="Torchweld against its peers")
    parser.add_argument("--models", default=",".join(peer_models.MODELS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each contender of a row")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    options = parser.parse_args()
    options.build = options.build.resolve()
    options.models = options.models.split(",")
    options.threads = [int(n) for n in options.threads.split(",")]
    for model in options.models:
        if model not in peer_models.MODELS:
            parser.error(f"no model {model}; there are {', '.join(peer_models.MODELS)}")
    return options


def main():
    options = parsed()
    file = options.build / "bench" / "peers.json"
    rows = {identity(r): r for r in json.loads(file.read_text())["rows"]} if file.exists() else {}
    wanted = list(wanted_rows(options))
    if set(wanted) >= set(rows):
        rows = {}
    for done, key in enumerate(wanted):
        say(f"bench-peers: {done + 1} of {len(wanted)}: {' '.join(map(str, key))}")
        made = rows[key] = row(options, *key)
        say(peer_table.line(made))
        ordered = sorted(rows.values(), key=place)
        about = {"processor": processor(), "versions": versions(), "unit": "eager time / time, of least times"}
        file.write_text(json.dumps({"rows": ordered, **about}, indent=1) + "\n")
    say(peer_table.table(ordered))


if __name__ == "__main__":
    main()
