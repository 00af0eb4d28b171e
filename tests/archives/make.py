"""Writes every archive below a folder: python make.py FOLDER [GROUP...]

A group whose script, and whose registry.py, are those of the last run is left as it is.
"""

import hashlib
import importlib
import multiprocessing
import os
import pathlib
import shutil
import sys
import warnings

HERE = pathlib.Path(__file__).parent
GROUPS = sorted(
    path.stem for path in HERE.glob("*.py") if path.stem not in ("make", "registry", "models", "operators")
)
SHARED = ("make.py", "registry.py", "models.py")


def fingerprint(group):
    import torch

    digest = hashlib.sha256(torch.__version__.encode())
    for name in (*SHARED, f"{group}.py"):
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()


def make_group(job):
    folder, group = job
    import torch

    target, stamp = folder / group, folder / group / "fingerprint"
    wanted = fingerprint(group)
    if stamp.exists() and stamp.read_text() == wanted:
        return group, 0, []
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    sys.path.insert(0, str(HERE))
    importlib.import_module(group)
    import registry

    failed = []
    for make in registry.ARCHIVES.get(group, []):
        try:
            registry.write(make, target)
        except Exception as error:
            failed.append(f"{group}/{make.__name__}: {error}")
    if not failed:
        stamp.write_text(wanted)
    return group, len(registry.ARCHIVES.get(group, [])), failed


def main():
    folder = pathlib.Path(sys.argv[1])
    groups = sys.argv[2:] or GROUPS
    for old in folder.glob("*/fingerprint"):
        if old.parent.name not in GROUPS + ["operators"]:
            shutil.rmtree(old.parent)
    failures = []
    # Spawned, not forked: LibTorch's thread pool does not survive a fork.
    with multiprocessing.get_context("spawn").Pool(min(2, os.cpu_count() or 1), maxtasksperchild=4) as pool:
        for group, written, failed in pool.imap_unordered(make_group, [(folder, g) for g in groups]):
            if written:
                print(f"archives: {group}: {written - len(failed)} written", flush=True)
            failures += failed
    for failure in failures:
        print(f"archives: FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
