"""No program passes by other means than returning what its tests ask for."""

import pytest

from jaxgap.tasks.programs import AssertionForm, ProgramTests

REFERENCE = "def f(n):\n    return ['xyz' * 3, n]"
TESTS = ProgramTests.parse(
    ["assert f(1) == ['xyz' * 3, 1]", "assert f(2) == ['xyz' * 3, 2]"],
    setup="",
    reference=REFERENCE,
)
NUMBERS = ProgramTests.parse(
    ["assert f(3) == [1, 2, 3]", "assert sum(f(4)) == 10", "assert 5 in f(5) and not f(0)"],
    setup="",
    reference="def f(n): return list(range(1, n + 1))",
)

FORGERIES = {
    "exit with success": "import os, sys\nos._exit(0)",
    "leave by SystemExit": "import sys\nsys.exit(0)",
    "print a verdict": "print('passed')\nprint('{\"holds\": true}')\ndef f(n): print('passed')",
    "equal everything": """
class Equal(list):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __len__(self): return 2
def f(n): return Equal()
""",
    "equal everything as an object": """
class Equal:
    def __eq__(self, other): return True
    __req__ = __eq__
    def __hash__(self): return 0
def f(n): return Equal()
""",
    "equal by a metaclass": """
class Meta(type):
    def __eq__(self, other): return True
    __hash__ = type.__hash__
class Equal(metaclass=Meta): pass
def f(n): return Equal
""",
    "a list of what equals everything": """
class Text(str):
    def __eq__(self, other): return True
    __hash__ = str.__hash__
class Number(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
def f(n): return [Text('no'), Number(-7)]
""",
    "replace builtins": """
import builtins
builtins.AssertionError = ValueError
builtins.len = builtins.sum = builtins.set = lambda *a: 0
builtins.compile = builtins.exec = builtins.eval = lambda *a, **k: True
def f(n): return None
""",
    "replace what encodes": """
import sys
values = sys.modules['jaxgap.tasks.programs.plain_values']
interpreter = sys.modules['jaxgap.tasks.programs.interpreter']
interpreter.encode = lambda value: ['opaque', True]
interpreter._answer = lambda request, names: {'holds': True, 'value': ['opaque', True], 'ran': True}
""",
    "answer as the judge does": """
import os, struct
def reply(text): os.write(3, struct.pack('>I', len(text)) + text)
for _ in range(20): reply(b'{"ran": true, "holds": true, "passed": true, "value": ["bool", true]}')
""",
    "answer in another form": """
import os, struct
def reply(text): os.write(3, struct.pack('>I', len(text)) + text)
reply(b'{"ran": true}')
reply(b'{"value": {"__class__": "AssertionError"}}')
reply(b'{"value": ["eval", "True"]}')
""",
    "answer what is no JSON": "import os\nos.write(3, b'\\x00\\x00\\x00\\x02{]' * 5)",
    "answer nested brackets": """
import os, struct
text = b'{"value": ' + b'["list", [' * 5000 + b']]' * 5000 + b'}'
os.write(3, (struct.pack('>I', 13) + b'{"ran": true}'))
os.write(3, struct.pack('>I', len(text)) + text)
""",
    "trace the assertion": """
import sys
def tracer(frame, event, argument):
    frame.f_trace_lines = True
    return tracer
sys.settrace(tracer)
sys.setprofile(lambda *a: None)
def f(n): return None
""",
    "hooks at the end": """
import atexit, sys
atexit.register(lambda: print('passed'))
sys.excepthook = lambda *a: None
sys.unraisablehook = lambda *a: None
def f(n): raise AssertionError
""",
    "search the frames for what is expected": """
import sys
def f(n):
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()) + list(frame.f_globals.values()):
            if isinstance(value, (list, tuple)) and len(value) == 2 and value[0] == 'xyz' * 3:
                return value
            if isinstance(value, dict) and 'check' in value: return value
        frame = frame.f_back
""",
    "search all objects for what is expected": """
import gc
WANTED = 'xyz'
def f(n):
    for thing in gc.get_objects():
        if isinstance(thing, (list, tuple)) and len(thing) == 2 and thing[0] == WANTED * 3:
            return list(thing)
        if isinstance(thing, dict) and 'judgement' in thing: return thing
""",
    "search the memory for the assertion": """
import ctypes
START, NEEDLE = id([]) & ~0xFFFFF, b"'xyz' " + b"* 3"
def f(n):
    memory = ctypes.string_at(START, 2 ** 20)
    if NEEDLE in memory: return ['xyz' * 3, n]
""",
    "read what the owner has not sent": """
import os
def f(n):
    return os.read(3, 4096)
""",
    "delete the tests": """
import gc, sys
for thing in gc.get_objects():
    if isinstance(thing, list) and thing and isinstance(thing[0], str) and 'assert' in thing[0]:
        thing.clear()
for name in list(sys.modules['__main__'].__dict__):
    if 'test' in name: del sys.modules['__main__'].__dict__[name]
""",
    "poison the standard library": """
import json, operator
json.loads = lambda *a, **k: {'holds': True}
json.dumps = lambda *a, **k: '{"holds": true, "ran": true, "value": ["opaque", true]}'
def f(n): return None
""",
    "nothing": "",
    "not Python": "def f(n) return",
    "the right name only": "def f(n): pass",
    "a null byte": "def f(n): return '\\0'\n\0",
}


@pytest.mark.parametrize(
    ("tests", "name"),
    [
        pytest.param(
            tests,
            name,
            id=f"{kind}-{name}",
            # It waits until its time is over, whatever the tests ask for.
            marks=pytest.mark.slow if kind == "numbers" and name.startswith("read what") else (),
        )
        for kind, tests in (("values", TESTS), ("numbers", NUMBERS))
        for name in FORGERIES
    ],
)
def test_no_verdict_is_forged(judge, name, tests):
    assert not judge.judge(FORGERIES[name], tests).passed


def test_right_programs_pass(judge):
    assert judge.judge(REFERENCE, TESTS) == (True, "passed")
    assert judge.judge("def f(n): return list(range(1, n + 1))", NUMBERS).passed
    verdicts = judge.judge_all([(REFERENCE, TESTS), ("f = list", TESTS), (REFERENCE, NUMBERS)])
    assert [verdict.passed for verdict in verdicts] == [True, False, False]


@pytest.mark.parametrize(
    ("tests", "setup", "program"),
    [
        (["assert sum(10, 15) == 6"], "", "def sum(a, b): return 6"),
        (["assert set(f((1, 2))) == set([2, 1])"], "", "def f(t): return list(t)"),
        (["assert f(1.5) is None"], "", "def f(x): pass"),
        (["assert math.isclose(f(2), 1.41421, rel_tol=1e-4)"], "import math",
         "def f(x): return x**.5"),
        (["assert P(1, 2).x == 1", "assert P(1, 2).total() == 3"], "",
         "class P:\n def __init__(s, x, y): s.x, s.y = x, y\n def total(s): return s.x + s.y"),
        (["assert depth(tree) == 2"],
         "class Node:\n def __init__(s, l=None): s.l = l\ntree=Node(Node())",
         "def depth(t): return 1 + depth(t.l) if t else 0"),
        (["assert depth(tree) == 2", "assert tree.l.l == None"],
         "tree = Node(1)\ntree.l = Node(2)",
         "class Node:\n def __init__(s, d): s.d, s.l = d, None\n"
         "def depth(t): return 1 + depth(t.l) if t else 0"),
        (["assert f('ab') == Counter('ab')"], "",
         "from collections import Counter\ndef f(s): return Counter(s)"),
        (["assert f(1) == 1,0"], "", "def f(x): return x"),
        (["assert list(f(3)) == [0, 1, 2]"], "", "def f(n): yield from range(n)"),
        (["assert all(x > 0 for x in f(3))"], "", "def f(n): return [1] * n"),
        (["assert f(lambda x: x + 1) == 3", "assert f([x for x in range(2)].__len__) == 3"], "",
         "def f(g): return 3"),
        (["assert f({1: 'a'})[1] == 'a'"], "", "def f(d): return d"),
    ],
)  # fmt: skip
def test_the_forms_that_tests_take(judge, tests, setup, program):
    parsed = ProgramTests.parse(tests, setup=setup, reference=program)
    assert judge.judge(program, parsed) == (True, "passed")
    names = ["sum", "f", "P", "depth"]
    broken = "\n".join(f"{name} = lambda *a: 'broken'" for name in names)
    assert not judge.judge(broken, parsed).passed


def test_expected_values_are_not_asked_for():
    for assertion in (*TESTS.assertions, *NUMBERS.assertions):
        for _, question in assertion.questions:
            assert "xyz" not in question
            assert "==" not in question


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("x = f(1)", "test 1: must be one assert statement"),
        ("assert f(1) == 1; assert f(2) == 2", "test 1: must be one assert statement"),
        ("assert 1 + 1 == 2", "test 1: asks the program for nothing"),
        ("assert all([f(x) == x for x in range(3)])", "from within a comprehension or lambda"),
        ("assert (lambda x: f(x))(1)", "from within a comprehension or lambda"),
    ],
)
def test_tests_of_other_forms_are_refused(test, why):
    with pytest.raises(AssertionForm, match=why):
        ProgramTests.parse([test], setup="", reference="def f(x): return x")
    with pytest.raises(AssertionForm, match="there are no tests"):
        ProgramTests.parse([], setup="", reference="def f(x): return x")
