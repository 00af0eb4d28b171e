"""That random programs can fail, are the same again, and are reduced: python driver_test.py TORCHWELD"""

import argparse
import contextlib
import io
import os
import pathlib
import sys
import tempfile
import unittest
from unittest import mock

import torch

import check
import programs
import reduce
import scripts
from calls import Program, Recorder
from steadiness import steady

PROGRAM = sys.argv[1]


def recorded(function, *inputs):
    copies = [tensor.clone() for tensor in inputs]
    with Recorder(copies) as recorder:
        output = function(*copies)
    return Program(inputs, recorder.calls, [recorder.ref(output)])


def names(program):
    return [call.function.__name__ for call in program.calls]


class Driver(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check_all(self, mode, seeds, *options):
        arguments = argparse.Namespace(mode=[mode], seeds=seeds, virtual_every=0, folder=self.folder)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            failed = check.check_all(arguments, check.Checker(PROGRAM, options))
        return failed, said.getvalue()

    def test_a_difference_fails_and_is_kept(self):
        failed, said = self.check_all("pure", "0:4", "--rtol", "0", "--atol", "0")
        self.assertGreater(failed, 0)
        self.assertIn("differ by more than 0 ", said)
        self.assertEqual(len(list(self.folder.glob("*.inputs.pt"))), failed)

    def test_too_few_programs_fail(self):
        with mock.patch.object(programs, "FEWEST_CALLS", 1000):
            failed, said = self.check_all("pure", "0:2")
        self.assertEqual(failed, 1)
        self.assertIn("0 programs of 2 seeds", said)

    def test_a_child_that_crashes_gives_no_program(self):
        self.assertIn("status", check.in_child(os.abort))
        self.assertEqual(check.in_child(lambda: None), "")

    def test_a_seed_gives_one_program(self):
        for mode in programs.MODES:
            first, again = (programs.program_of(mode, 1) for _ in range(2))
            self.assertEqual(names(first), names(again))
            for a, b in zip(first.inputs, again.inputs):
                self.assertTrue(torch.equal(a, b))
        self.assertEqual(scripts.script_of(1).source(), scripts.script_of(1).source())

    def test_what_cancels_is_taken_out(self):
        x = torch.rand(8) + 1
        kept = steady(recorded(lambda x: torch.tanh(x / ((x * 1.1) / 1.1 - x + 1e-6)), x))
        self.assertNotIn("tanh", names(kept))
        self.assertEqual(names(steady(recorded(lambda x: torch.tanh(x / (x + 1)), x))), ["add", "div", "tanh"])

    def test_reduces_to_the_call_that_fails(self):
        program = recorded(lambda x: torch.tanh((x.exp() * 2).cumsum(0).flip(0) + x.sin()), torch.rand(5, 3))
        smaller, count = reduce.reduced(program, lambda candidate: "cumsum" in names(candidate))
        self.assertEqual(count, 1)
        smaller.save(self.folder / "smaller")

    def test_reduces_a_script_to_the_statement_that_fails(self):
        script = scripts.script_of(0)
        sign = script.statements[-1].text
        smaller, count = reduce.reduced(script, lambda candidate: sign in candidate.source())
        self.assertEqual(count, 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    unittest.main(argv=sys.argv[:1], warnings="ignore")
