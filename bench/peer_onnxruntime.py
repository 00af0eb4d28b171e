"""ONNX Runtime through its C interface: a session whose one Run can be timed without Python.

The wheel has the library but not its header. OrtApi is a table of functions whose order is part of its ABI; FUNCTIONS has
the places that are used here. Python's own session is asked first: it says in words what it can't run.
"""

import ctypes
import pathlib

import numpy
import onnxruntime
import torch

FUNCTIONS = {
    "GetErrorMessage": 2,
    "CreateEnv": 3,
    "CreateSession": 7,
    "Run": 9,
    "CreateSessionOptions": 10,
    "SetIntraOpNumThreads": 24,
    "SetInterOpNumThreads": 25,
    "CreateTensorWithDataAsOrtValue": 49,
    "CreateCpuMemoryInfo": 69,
}
API_VERSION = 13
QUIET = 3
ELEMENT = {torch.float32: 1, torch.int64: 7}
NONE = ctypes.c_void_p(None)


def api_table():
    folder = pathlib.Path(onnxruntime.__file__).parent / "capi"
    library = ctypes.CDLL(str(next(folder.glob("libonnxruntime.so.*"))))
    library.OrtGetApiBase.restype = ctypes.POINTER(ctypes.c_void_p)
    get_api = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint32)(library.OrtGetApiBase()[0])
    return ctypes.cast(get_api(API_VERSION), ctypes.POINTER(ctypes.c_void_p))


class Session:
    def __init__(self, path, threads, feeds):
        self.table = api_table()
        self.outputs = self.expected_outputs(path, threads, feeds)
        self.feeds = feeds
        env, options, memory, session = (ctypes.c_void_p() for _ in range(4))
        self.call("CreateEnv", ctypes.c_int(QUIET), b"torchweld", ctypes.byref(env))
        self.call("CreateSessionOptions", ctypes.byref(options))
        self.call("SetIntraOpNumThreads", options, ctypes.c_int(threads))
        self.call("SetInterOpNumThreads", options, ctypes.c_int(1))
        self.call("CreateCpuMemoryInfo", ctypes.c_int(1), ctypes.c_int(0), ctypes.byref(memory))
        self.call("CreateSession", env, str(path).encode(), options, ctypes.byref(session))
        self.memory = memory
        self.run_function = self.table[FUNCTIONS["Run"]]
        self.run_arguments = (
            session.value, 0, *self.bound(feeds), len(feeds), self.names(self.outputs), len(self.outputs),
            self.values(self.outputs),
        )  # fmt: skip

    @staticmethod
    def expected_outputs(path, threads, feeds):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, QUIET
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        arrays = session.run(names, {name: tensor.numpy() for name, tensor in feeds.items()})
        return {name: torch.from_numpy(numpy.array(array)) for name, array in zip(names, arrays)}

    def call(self, name, *arguments):
        function = ctypes.CFUNCTYPE(ctypes.c_void_p)(self.table[FUNCTIONS[name]])
        function.argtypes = None
        self.check(function(*arguments))

    def check(self, status):
        if status:
            message = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(self.table[FUNCTIONS["GetErrorMessage"]])
            raise RuntimeError(message(status).decode())

    def bound(self, tensors):
        return self.names(tensors), self.values(tensors)

    def names(self, tensors):
        return (ctypes.c_char_p * len(tensors))(*(name.encode() for name in tensors))

    def values(self, tensors):
        values = (ctypes.c_void_p * len(tensors))()
        for k, tensor in enumerate(tensors.values()):
            shape = (ctypes.c_int64 * tensor.dim())(*tensor.shape)
            value = ctypes.c_void_p()
            self.call(
                "CreateTensorWithDataAsOrtValue", self.memory, ctypes.c_void_p(tensor.data_ptr()),
                ctypes.c_size_t(tensor.nbytes), shape, ctypes.c_size_t(tensor.dim()),
                ctypes.c_int(ELEMENT[tensor.dtype]), ctypes.byref(value),
            )  # fmt: skip
            values[k] = value.value
        return values

    def run(self):
        for output in self.outputs.values():
            output.zero_()
        session, _, names, values, count, output_names, output_count, output_values = self.run_arguments
        function = ctypes.CFUNCTYPE(
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t,
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p,
        )(self.run_function)  # fmt: skip
        pointer = lambda array: ctypes.cast(array, ctypes.c_void_p)  # noqa: E731
        self.check(
            function(session, NONE, pointer(names), pointer(values), count, pointer(output_names), output_count,
                     pointer(output_values))
        )  # fmt: skip
        return list(self.outputs.values())
