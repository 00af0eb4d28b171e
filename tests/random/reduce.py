"""The fewest calls, or statements, of a program that still fail."""

from calls import Program, listed
from scripts import Script, Statement

CHUNKS = (16, 4, 1)  # parts taken out at once; a check takes half a second


def results_of(program):
    """What each call gave, when it gave it."""
    results = []
    program.run(
        [tensor.clone() for tensor in program.inputs],
        lambda call, result: results.append([one.clone() for one in listed(result)] if call.new() else []),
    )
    return results


def giving(program, dropped, results):
    """The program less those calls, with inputs for their results.

    Of constants the engine would compute the calls that are left when it loads the program, by LibTorch.
    """
    calls = [call for number, call in enumerate(program.calls) if number not in dropped]
    read = set(program.outputs).union(*(call.refs() for call in calls))
    given = [
        (ref, value)
        for number in sorted(dropped)
        for ref, value in zip(listed(program.calls[number].result), results[number])
        if ref in read & program.calls[number].new()
    ]
    inputs = program.inputs + tuple(value for _, value in given)
    return Program(inputs, calls, program.outputs, tuple(ref for ref, _ in given))


def chunks(count):
    for size in CHUNKS:
        for end in range(count, 0, -size):
            yield set(range(max(end - size, 0), end))


def reduced_program(program, fails):
    for output in reversed(range(len(program.outputs))):
        fewer = Program(program.inputs, program.calls, program.outputs[:output] + program.outputs[output + 1 :])
        if fewer.outputs and fails(fewer):
            program = fewer
    results, dropped = results_of(program), set()
    for chunk in chunks(len(program.calls)):
        if not chunk <= dropped and fails(giving(program, dropped | chunk, results)):
            dropped |= chunk
    return giving(program, dropped, results), len(program.calls) - len(dropped)


def statements_without(statements, dropped, first=0):
    """The statements less those whose number, counted from `first` as lines are, is dropped; and the next number."""
    kept = []
    for statement in statements:
        number = first
        body, first = statements_without(statement.body, dropped, first + 1)
        otherwise, first = statements_without(statement.otherwise, dropped, first)
        if number not in dropped:
            body = body if body or not statement.body else [Statement("pass")]
            kept.append(Statement(statement.text, body, otherwise, statement.defines))
    return kept, first


def reduced_script(script, fails):
    _, count = statements_without(script.statements, set())
    dropped = set()
    for chunk in chunks(count):
        fewer = Script(statements_without(script.statements, dropped | chunk)[0], script.inputs)
        if not chunk <= dropped and fails(fewer):
            dropped |= chunk
    return Script(statements_without(script.statements, dropped)[0], script.inputs), count - len(dropped)


def reduced(program, fails):
    """The reduced program, and its number of calls or statements."""
    return reduced_script(program, fails) if isinstance(program, Script) else reduced_program(program, fails)
