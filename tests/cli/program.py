"""The program as a user meets it: exit statuses, standard output and standard error."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM, ARCHIVES = sys.argv[1], pathlib.Path(sys.argv[2])
LINEAR = str(ARCHIVES / "layers/linear_relu_traced.pt")
DICT = str(ARCHIVES / "structures/dict_output.pt")


def run(*arguments, **environment):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


class Program(unittest.TestCase):
    def refused(self, *arguments, says, status=1):
        result = run(*arguments)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(result.stdout, "")
        if status == 1:
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(says, result.stderr)

    def done(self, *arguments):
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_run_prints_outputs(self):
        text = self.done("run", DICT, "--input", "f32[2,3]")
        self.assertIn('["logits"] f32[2,3]', text)
        tree = json.loads(self.done("run", DICT, "--input", "f32[2,3]", "--json"))
        self.assertEqual(tree["output"]["features"]["shape"], [2, 3])

    def test_same_seed_same_answer(self):
        first, second = (self.done("run", LINEAR, "-i", "f32[1,2]", "--seed", "5") for _ in range(2))
        self.assertEqual(first, second)

    def test_run_saves_what_check_style_files_hold(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "out.pt"
            self.done("run", LINEAR, "-i", "f32[1,2]", "--save", path)
            self.assertGreater(path.stat().st_size, 100)
            self.refused("run", LINEAR, "-i", "f32[1,2]", "--save", f"{folder}/missing/out.pt", says="can't write")

    def test_check_agrees(self):
        inputs = ARCHIVES / "layers/linear_relu_traced.inputs.pt"
        self.assertIn("agree with LibTorch", self.done("check", LINEAR, "--inputs", inputs))
        tree = json.loads(self.done("check", LINEAR, "--inputs", inputs, "--json", "--runs", "2"))
        self.assertTrue(tree["agrees"])
        self.assertEqual(len(tree["runs"]), 2)
        self.assertIsNone(tree["recorded"]["mismatch"])

    def test_check_fails_on_other_recorded_outputs(self):
        inputs = ARCHIVES / "bad/wrong_outputs.inputs"
        result = run("check", LINEAR, "--inputs", inputs)
        self.assertEqual(result.returncode, 1)
        self.assertIn("recorded outputs differ, from LibTorch's here as well", result.stdout)
        self.assertIn("5 runs agree with LibTorch, not with the recorded outputs", result.stdout)

    def test_check_says_how_far_each_answer_is_from_float64(self):
        mlp = ARCHIVES / "layers/mlp_1000_1000_100.pt"
        strict = ("check", mlp, "-i", "f32[3,1000]", "--rtol", "0", "--atol", "1e-12", "--runs", "2")
        result = run(*strict)  # the planned run sums in another order
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("from LibTorch's answer in float64", result.stdout)
        distances = json.loads(run(*strict, "--json").stdout)["from_float64"]
        for name in ("libtorch", "torchweld"):
            self.assertGreater(distances[name], 0)
            self.assertLess(distances[name], 1e-4)
        self.assertIn("agree with LibTorch", self.done(*strict, "--float64"))

    def test_precision(self):
        mlp = ARCHIVES / "layers/mlp_1000_1000_100.pt"
        call = ("check", mlp, "-i", "f32[64,1000]", "--runs", "2", "--no-measure")
        text = self.done(*call, "--precision", "bf16")
        self.assertIn("LibTorch's all in BFloat16", text)
        distances = json.loads(self.done(*call, "--precision", "tf32", "--json"))["from_float64"]
        self.assertLess(distances["torchweld"], 1e-5, "this device has no TF32")
        self.assertIn("precision: products", self.done("explain", mlp, "-i", "f32[64,1000]", "--precision", "bf16"))
        self.refused("run", LINEAR, "-i", "f32[1,2]", "--precision", "f8", says="f8", status=2)
        self.refused("run", LINEAR, "-i", "f32[1,2]", "--precision", "f16", "--exact", says="one of the two")

    def test_explain(self):
        with tempfile.TemporaryDirectory() as folder:
            dot, svg = f"{folder}/steps.dot", f"{folder}/steps.svg"
            text = self.done("explain", LINEAR, "-i", "f32[1,2]", "--dot", dot, "--svg", svg)
            self.assertIn("fused", text)
            self.assertIn("digraph", pathlib.Path(dot).read_text())
            self.assertIn("<svg", pathlib.Path(svg).read_text())
        self.assertIn("blocks", json.loads(self.done("explain", LINEAR, "-i", "f32[1,2]", "--json")))

    def test_explain_writes_kernels_that_stand_alone(self):
        archive = ARCHIVES / "attention/scaled_dot_product_forms.pt"
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            call = ("explain", archive, "--inputs", archive.with_suffix(".inputs.pt"))
            self.done(*call, "--device", "virtual", "--kernels", folder)
            rows = [line.split("\t") for line in (folder / "resources.tsv").read_text().splitlines()]
            self.assertEqual(rows[0][0], "kernel")
            self.assertTrue(any(row[0].startswith("attention") for row in rows[1:]), rows)
            for row in rows[1:]:
                self.assertIn(".entry", (folder / f"{row[0]}.ptx").read_text())
            included = re.findall(r'#include "(.*?)"', "".join(file.read_text() for file in folder.glob("*.cu*")))
            self.assertTrue(included)
            for header in included:
                self.assertTrue((folder / header).is_file(), header)
            self.refused(*call, "--kernels", folder, says="no CUDA kernels")
        archive = ARCHIVES / "vision/detection_nms.pt"
        with tempfile.TemporaryDirectory() as folder:
            self.done("explain", archive, "--inputs", archive.with_suffix(".inputs.pt"), "--device", "virtual", "--kernels", folder)
            self.assertTrue((pathlib.Path(folder) / "torchvision_nms.cu").is_file())

    def test_a_second_process_compiles_no_kernel(self):
        # What is compiled is a new file in the cache. Links to the old ones keep their inodes from being used again.
        archive = ARCHIVES / "pointwise/chain_small.pt"
        call = ("explain", archive, "--inputs", archive.with_suffix(".inputs.pt"), "--device", "virtual")

        def entries(cache):
            result = run(*call, TORCHWELD_CACHE=cache)
            self.assertEqual(result.returncode, 0, result.stderr)
            return {path.name: path.stat().st_ino for path in pathlib.Path(cache).rglob("*") if path.is_file()}

        with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as held:
            first = entries(cache)
            self.assertTrue(first)
            for name in first:
                os.link(f"{cache}/{name}", f"{held}/{name}")
            self.assertEqual(entries(cache), first)
            for name in first:
                (pathlib.Path(cache) / name).write_bytes(b"")
            third = entries(cache)
            self.assertEqual(third.keys(), first.keys())
            for name in first:
                self.assertNotEqual(third[name], first[name], "what is broken is compiled again")

    def test_bench(self):
        tree = json.loads(self.done("bench", LINEAR, "-i", "f32[1,2]", "--seconds", "0.05", "--json"))
        names = [contender["name"] for contender in tree["contenders"]]
        self.assertEqual(names, ["torchweld", "eager", "torchscript", "frozen"])
        for contender in tree["contenders"]:
            for key in ("median_us", "min_us", "first_us"):
                self.assertGreater(contender[key], 0)

    def test_other_method(self):
        archive = ARCHIVES / "control_flow/exported_method.pt"
        self.assertIn("f32[3,2]", self.done("run", archive, "--method", "encode", "-i", "f32[3,4]"))
        self.refused("run", archive, "--method", "nothing", "-i", "f32[3,4]", says="nothing")

    def test_errors_are_one_line(self):
        self.refused("run", "/nowhere/model.pt", "-i", "none", says="/nowhere/model.pt")
        self.refused("run", ARCHIVES / "bad/not_a_zip.pt", "-i", "none", says="not_a_zip.pt")
        self.refused("run", LINEAR, "-i", "f32[1,2", says="closing ]")
        self.refused("run", LINEAR, says="takes 1 inputs, 0 given")
        self.refused("run", LINEAR, "--inputs", LINEAR, says="torch.save")
        self.refused("check", ARCHIVES / "control_flow/raises_value_error.pt", "-i", "f32[3]", says="takes 2 inputs")

    def test_usage_errors(self):
        self.refused(says="subcommand", status=2)
        self.refused("run", says="archive", status=2)
        self.refused("run", LINEAR, "--nonsense", says="nonsense", status=2)

    def test_help_and_version(self):
        self.assertIn("explain", self.done("--help"))
        self.assertIn("f32[1,3", self.done("run", "--help"))
        self.assertIn("LibTorch", self.done("--version"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
