"""One tiny archive for each operator that PyTorch's own test bench describes: python operators.py FOLDER

Each of PyTorch's operator descriptions (op_db) has sample inputs; the first that traces becomes an archive. The list
grows with PyTorch, so an operator that nobody here thought of is tested too.
"""

import collections
import hashlib
import pathlib
import shutil
import sys
import warnings

import torch

from registry import copied, tensors_in

# Results that are arbitrary memory, or that depend on more than the inputs.
ARBITRARY = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "resize_"}
SAMPLES_EACH = 2
LARGEST = 100_000
# What the pickle of LibTorch's C++ side reads.
READABLE = {torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64, torch.complex128}
READABLE |= {torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool}


def sample_arguments(operator, dtype):
    """Tensor arguments first, and the call that takes them and closes over the rest."""
    for sample in operator.sample_inputs("cpu", dtype, requires_grad=False):
        slots, tensors = [], []
        for value in (sample.input, *sample.args):
            if isinstance(value, torch.Tensor):
                slots.append(len(tensors))
                tensors.append(value.detach())
            elif isinstance(value, (list, tuple)) and value and all(isinstance(v, torch.Tensor) for v in value):
                slots.append(range(len(tensors), len(tensors) + len(value)))
                tensors += [v.detach() for v in value]
            else:
                slots.append(("constant", value))
        if not tensors or sum(t.numel() for t in tensors) > LARGEST:
            continue

        def call(*given, slots=slots, options=sample.kwargs):
            arguments = []
            for slot in slots:
                if isinstance(slot, int):
                    arguments.append(given[slot])
                elif isinstance(slot, range):
                    arguments.append([given[i] for i in slot])
                else:
                    arguments.append(slot[1])
            return operator(*arguments, **options)

        yield call, tuple(tensors)


def write(operator, dtype, folder, name):
    for index, (call, inputs) in enumerate(sample_arguments(operator, dtype)):
        if index == SAMPLES_EACH:
            return
        outputs = tensors_in(call(*copied(inputs)))
        if not outputs or any(output.layout != torch.strided for output in outputs):
            return
        traced = torch.jit.trace(call, copied(inputs), check_trace=False)
        traced.save(str(folder / f"{name}_{index}.pt"))
        again = tensors_in(traced(*copied(inputs)))
        readable = all(output.dtype in READABLE for output in outputs)
        outputs = outputs if readable and same(outputs, again) else []
        torch.save({"inputs": inputs, "outputs": outputs}, folder / f"{name}_{index}.inputs.pt")


def same(first, second):
    try:
        torch.testing.assert_close(first, second, equal_nan=True)
    except (AssertionError, RuntimeError):
        return False
    return True


def chosen_dtype(operator):
    for dtype in (torch.float32, torch.int64, torch.bool, torch.complex64):
        if operator.supports_dtype(dtype, "cpu"):
            return dtype
    return None


def main():
    folder = pathlib.Path(sys.argv[1]) / "operators"
    here = pathlib.Path(__file__).parent
    digest = hashlib.sha256(torch.__version__.encode())
    for name in ("operators.py", "registry.py"):
        digest.update((here / name).read_bytes())
    stamp = folder / "fingerprint"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    from torch.testing._internal.common_methods_invocations import op_db

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    failures = collections.Counter()
    for operator in op_db:
        variant = operator.variant_test_name
        name = (operator.name + ("_" + variant if variant else "")).replace(".", "_")
        dtype = chosen_dtype(operator)
        if operator.name in ARBITRARY or dtype is None:
            continue
        torch.manual_seed(0)
        try:
            with torch.no_grad():
                write(operator, dtype, folder, name)
        except Exception as error:  # an operator that cannot be traced, or a sample that needs a compiler
            failures[type(error).__name__] += 1
    stamp.write_text(digest.hexdigest())
    written = len(list(folder.glob("*.inputs.pt")))
    print(f"archives: operators: {written} written, not traceable: {sum(failures.values())}", flush=True)


if __name__ == "__main__":
    main()
