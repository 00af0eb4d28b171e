"""Random programs against LibTorch: draws one a seed and mode, and runs `torchweld check` on it.

    python check.py --torchweld build/torchweld --seeds 0:100 --mode writes -- --exact
    python check.py --torchweld build/torchweld --reduce writes 17

What stands after `--` goes to `torchweld check`. With one version of LibTorch a seed gives the same program each time;
on another processor a call at the edge of what steadiness.py takes out may be in or out.
"""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import traceback
import warnings

import torch

import programs
import reduce
import scripts
from programs import NoProgram

MODES = (*programs.MODES, "scripts")
LEAST_SHARE = 0.9  # of the seeds, that give a program
SECONDS = 300
RUNS = "2"  # the first runs LibTorch's steps, whose sizes the plan is made for


def program_of(mode, seed):
    return scripts.script_of(seed) if mode == "scripts" else programs.program_of(mode, seed)


def save(program, stem):
    """Writes the archive, and raises where LibTorch doesn't run it, or overflows."""
    program.save(stem)
    module = torch.jit.load(f"{stem}.pt")
    with torch.jit.optimized_execution(False):  # as `check` runs it
        for _ in range(2):
            outputs = module(*(x.clone() if isinstance(x, torch.Tensor) else x for x in program.inputs))
    if not all(bool(output.isfinite().all()) for output in outputs):
        raise NoProgram("an output is not finite")


def in_child(function):
    """What went wrong in a child process, empty if nothing: tracing may crash."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            function()
        except NoProgram as error:
            said = str(error)
        except Exception:
            said = traceback.format_exc()
        os.write(write, said.encode()[-4000:])
        os._exit(1 if said else 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    return said or (f"status {status}" if status else "")


class Checker:
    def __init__(self, program, options):
        self._program, self._options = program, options

    def command(self, stem, device):
        files = [f"{stem}.pt", "--inputs", f"{stem}.inputs.pt"]
        fixed = ["--no-measure", "--runs", RUNS, "--threads", "1", "--device", device]
        return [self._program, "check", *files, *fixed, *self._options]

    def failure(self, stem, device):
        """What is wrong, empty if nothing."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        try:
            result = subprocess.run(
                self.command(stem, device), capture_output=True, text=True, timeout=SECONDS, env=environment
            )
        except subprocess.TimeoutExpired:
            return f"takes more than {SECONDS} s"
        if result.returncode == 0:
            return ""
        return f"status {result.returncode}: " + " ".join((result.stdout + result.stderr).split())


def what_fails(failure):
    """So much of a failure as its reduced program must have, too."""
    for sign in ("Torchweld raises", "LibTorch raises", "after the call", "element type", "expected shape", "differ"):
        if sign in failure:
            return sign
    return failure.split(":")[0]


def devices_of(number, every):
    return ("cpu", "virtual") if every and number % every == 0 else ("cpu",)


def check_all(arguments, checker):
    """The number of programs that fail."""
    ran, failed, checks = 0, 0, {"cpu": 0, "virtual": 0}
    first, end = map(int, arguments.seeds.split(":"))
    without = []
    for mode in arguments.mode or MODES:
        for seed in range(first, end):
            stem = arguments.folder / f"{mode}_{seed}"
            if said := in_child(lambda: save(program_of(mode, seed), stem)):
                without.append(f"{mode} {seed}: no program: {said}")
                continue
            ran += 1
            failures = {}
            for device in devices_of(seed - first, arguments.virtual_every):
                checks[device] += 1
                failures[device] = checker.failure(stem, device)
            for device, failure in failures.items():
                if failure:
                    failed += 1
                    command = shlex.join(checker.command(stem, device))
                    print(f"{mode} {seed} on {device}: {failure[:600]}: {command}", flush=True)
            if not any(failures.values()):
                pathlib.Path(f"{stem}.pt").unlink()
                pathlib.Path(f"{stem}.inputs.pt").unlink()
    seeds = ran + len(without)
    on_host, on_virtual = checks["cpu"], checks["virtual"]
    print(f"{ran} programs of {seeds} seeds, {on_host} checks on the host, {on_virtual} on the virtual GPU")
    if ran < LEAST_SHARE * seeds or ran == 0:
        print("too few seeds give a program", *without, sep="\n")
        return max(failed, 1)
    return failed


def reduce_one(arguments, checker):
    mode, seed = arguments.reduce[0], int(arguments.reduce[1])
    program, stem = program_of(mode, seed), arguments.folder / f"{mode}_{seed}_reduced"

    def failure_of(candidate):
        return "" if in_child(lambda: save(candidate, stem)) else checker.failure(stem, arguments.device)

    failure = failure_of(program)
    if not failure:
        print(f"{mode} {seed} agrees on {arguments.device}")
        return 1
    sign = what_fails(failure)
    smaller, count = reduce.reduced(program, lambda candidate: what_fails(failure_of(candidate)) == sign)
    said = in_child(lambda: save(smaller, stem)) or checker.failure(stem, arguments.device)
    print(f"{mode} {seed}: {count} calls or statements: {said[:600]}")
    print(shlex.join(checker.command(stem, arguments.device)))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torchweld", required=True, help="the program")
    parser.add_argument("--seeds", default="0:20", metavar="A:B", help="from A to before B")
    parser.add_argument("--mode", action="append", choices=MODES, help="repeat for more; all by default")
    parser.add_argument("--virtual-every", type=int, default=0, metavar="N", help="each N-th on the virtual GPU, too")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("random_programs"), help="keeps what fails")
    parser.add_argument("--reduce", nargs=2, metavar=("MODE", "SEED"), help="take out what a failure doesn't need")
    parser.add_argument("--device", default="cpu", help="of --reduce")
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = parser.parse_args(own)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # a pool doesn't survive a fork
    torch.set_grad_enabled(False)
    checker = Checker(arguments.torchweld, options)
    return reduce_one(arguments, checker) if arguments.reduce else min(check_all(arguments, checker), 1)


if __name__ == "__main__":
    sys.exit(main())
