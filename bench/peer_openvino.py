"""OpenVINO through its C interface: an infer request whose infer can be timed without Python.

Its Python converts the archive, or an ONNX file where it can't, to an IR file with the shapes of the inputs.
"""

import ctypes
import pathlib

import openvino
import torch

LIBRARY = next((pathlib.Path(openvino.__file__).parent / "libs").glob("libopenvino_c.so.*"))
PROPERTIES = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


def converted(case, onnx_file, feeds):
    """The IR file."""
    path = case.folder / "openvino.xml"
    if path.exists():
        return path
    shapes = [tuple(tensor.shape) for tensor in feeds.values()]
    core = openvino.Core()
    if case.model.onnx:
        model = core.read_model(str(onnx_file()))
    else:
        try:
            archive = torch.jit.load(case.archive)
            model = openvino.convert_model(archive, example_input=case.inputs, input=shapes)
            core.compile_model(model, "CPU")
        except Exception as first:
            try:
                model = core.read_model(str(onnx_file()))
            except Exception as second:
                raise RuntimeError(f"{str(second).strip()}; its PyTorch front end: {str(first).strip()}") from second
    openvino.save_model(model, str(path), compress_to_fp16=False)
    return path


class Request:
    def __init__(self, case, onnx_file, feeds):
        path = converted(case, onnx_file, feeds)
        self.library = ctypes.CDLL(str(LIBRARY))
        self.library.ov_get_last_err_msg.restype = ctypes.c_char_p
        core, model, compiled, self.request = (ctypes.c_void_p() for _ in range(4))
        self.call("core_create", ctypes.byref(core))
        self.call("core_read_model", core, str(path).encode(), None, ctypes.byref(model))
        properties = {**PROPERTIES, "INFERENCE_NUM_THREADS": str(case.threads)}
        arguments = [ctypes.c_char_p(text.encode()) for item in properties.items() for text in item]
        self.call(
            "core_compile_model", core, model, b"CPU", ctypes.c_size_t(len(arguments)), ctypes.byref(compiled),
            *arguments,
        )  # fmt: skip
        self.call("compiled_model_create_infer_request", compiled, ctypes.byref(self.request))
        self.infer_function, self.pointer = self.library.ov_infer_request_infer, self.request.value
        self.outputs = self.count(compiled, "outputs")
        tensors = list(feeds.values())[: self.count(compiled, "inputs")]
        for k, tensor in enumerate(tensors):
            data, size = self.tensor("input", k)
            if size != tensor.nbytes:
                raise RuntimeError(f"input {k} has {size} bytes, not {tensor.nbytes}")
            ctypes.memmove(data, tensor.data_ptr(), size)

    def call(self, name, *arguments):
        if getattr(self.library, f"ov_{name}")(*arguments):
            raise RuntimeError((self.library.ov_get_last_err_msg() or b"no message").decode())

    def count(self, compiled, which):
        size = ctypes.c_size_t()
        self.call(f"compiled_model_{which}_size", compiled, ctypes.byref(size))
        return size.value

    def tensor(self, which, k):
        """Where the request's tensor is, and its bytes."""
        tensor, data, size = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t()
        self.call(f"infer_request_get_{which}_tensor_by_index", self.request, ctypes.c_size_t(k), ctypes.byref(tensor))
        self.call("tensor_data", tensor, ctypes.byref(data))
        self.call("tensor_get_byte_size", tensor, ctypes.byref(size))
        return data.value, size.value

    def run(self):
        self.call("infer_request_infer", self.request)
        result = []
        for k in range(self.outputs):
            data, size = self.tensor("output", k)
            result.append(torch.frombuffer((ctypes.c_float * (size // 4)).from_address(data), dtype=torch.float32).clone())
        return result
