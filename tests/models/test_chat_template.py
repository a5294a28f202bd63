"""Templates say what they say in transformers, and hostile ones are stopped."""

import resource
import time

import pytest

from jaxgap.errors import InputError
from jaxgap.models import ChatTemplate

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 < 2?"}]

LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


def _render(source, messages=CHAT, **tokens):
    return ChatTemplate(source, tokens).render(messages)


def test_a_published_form_of_template():
    assert _render(LLAMA3, bos_token="<|begin_of_text|>") == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n1 < 2?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ {'a': '<é>'} | tojson }}", '{"a": "<é>"}'),
        ("{{ [1, 2] | tojson(indent=1) }}", "[\n 1,\n 2\n]"),
        ("{{ {'b': 1, 'a': [2]} | tojson(separators=(',', ':'), sort_keys=true) }}",
         '{"a":[2],"b":1}'),
        ("{{ messages[1:][0].role }}{{ messages[::-1][0].role }}{{ 'abcd'[:-1] }}", "useruserabc"),
        ("{{ 1 == 1 }}{{ 1 < 2 > 3 }}{{ 'a' in 'abc' and 'd' not in 'abc' }}", "TrueFalseTrue"),
        ("{% set x %}a{{ 'b' }}{% endset %}{{ x }}{% if x == 'ab' %}c{% endif %}d", "abcd"),
        ("{{ [1, 2] | sum(start=4) }}{{ [1, none] | select('none') | list }}", "7[None]"),
        ("{% for m in messages %}{% if loop.last %}{% break %}{% endif %}x{% endfor %}", "x"),
        ("{% generation %}a{{ 1 + 1 }}{% endgeneration %}", "a2"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
         "{% endfor %}{{ ns.n }}", "2"),
        ("{{ messages[0].content.split(' ')[-1].upper() ~ '!' }}", "BRIEF.!"),
        ("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f('a') * 2 }}", "<a><a>"),
        ("{{ documents is none }}{{ tools is none }}{{ documents is defined }}", "TrueTrueTrue"),
        ("{%- for m in messages if m.role == 'user' -%} {{ m.role }} {%- endfor -%}", "user"),
        ("{{ 'a.b' | replace('.', '-') }}{{ 'a\nb' | indent(2) }}{{ 'cab' | sort | join('+') }}",
         "a-ba\n  b" "a+b+c"),
        ("{% set a, b = 1, (2, 3) %}{{ a }}{{ b }}{{ 'a' in ['a', 'b'] }}", "1(2, 3)True"),
        ("{% if messages | selectattr('role', 'equalto', 'tool') %}yes{% endif %}", "yes"),
        ("{% for m in messages | map(attribute='role') %}{{ m }}{{ loop.length }}{% endfor %}",
         "system2user2"),
        ("{% if tools is none and missing is not defined %}yes{% endif %}", "yes"),
        ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
        ("{{ strftime_now('%B %-d, %Y') }}", "July 26, 2024"),
    ],
)  # fmt: skip
def test_what_templates_use(source, text):
    assert _render(source) == text


def test_a_template_is_told_when_not_to_think():
    source = "{% if enable_thinking is defined and enable_thinking is false %}at once{% endif %}"
    template = ChatTemplate(source, {})
    assert template.render([]) == ""
    assert template.render([], thinks=False) == "at once"


ALWAYS_THINKS = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}"
)
# As Qwen3 writes it: told not to think, it begins the reply with a thought of no words.
MAY_THINK = ALWAYS_THINKS.replace(
    "<think>\n' }}",
    "' }}{% if enable_thinking is defined and enable_thinking is false %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}",
)


def test_a_thought_that_a_template_always_begins_is_ended_where_none_is_wanted():
    always, may = ChatTemplate(ALWAYS_THINKS, {}), ChatTemplate(MAY_THINK, {})
    at_once = always.render(CHAT, thinks=False)
    assert at_once == may.render(CHAT, thinks=False)
    assert at_once.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert always.render(CHAT).endswith("<|im_start|>assistant\n<think>\n")
    assert not may.render(CHAT).endswith("<think>\n")
    turns = {"add_generation_prompt": False}
    assert always.render(CHAT, thinks=False, **turns) == always.render(CHAT, **turns)


@pytest.mark.parametrize("said", ["<think>", "<think>so</think>", "</think><think>"])
def test_a_thought_in_somebodys_words_changes_nothing(said):
    for source in (MAY_THINK, LLAMA3):
        chat = [{"role": "user", "content": said}]
        text = ChatTemplate(source, {"bos_token": "<bos>"}).render(chat, thinks=False)
        assert text.replace(said, "Hi", 1) == ChatTemplate(source, {"bos_token": "<bos>"}).render(
            [{"role": "user", "content": "Hi"}], thinks=False
        )


def test_what_a_template_writes_around_turns():
    pieces = ChatTemplate(LLAMA3, {"bos_token": "<bos>"}).around_turns()
    head = "<|start_header_id|>{}<|end_header_id|>\n\n".format
    assert set(pieces) == {
        "<bos>" + head("system"),
        "<bos>" + head("user"),
        "<|eot_id|>" + head("user"),
        "<|eot_id|>" + head("assistant"),
        "<|eot_id|>",
    }
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    assert ChatTemplate(refusing + "a{{ messages[0].content }}b", {}).around_turns() == [*"abab"]


def test_a_template_may_refuse():
    with pytest.raises(InputError, match="the chat template failed: roles must alternate"):
        _render("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ self.__init__ }}",
    ],
)
def test_private_attributes_are_as_if_they_were_not(source):
    assert _render(source) == ""


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__init__.__globals__ }}",
        "{{ (raise_exception | attr('__globals__')) }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({'role': 'x'}) }}",
        "{{ 'abc'.encode() }}",
        "{{ ''.format_map(messages) }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ cycler }}{{ cycler('a').__init__ }}",
        "{% include 'secret' %}",
        "{% import 'os' as os %}",
        "{{ lipsum(n=10 ** 9) }}",
        "{{ undefined.attribute }}",
    ],
)
def test_what_is_out_of_bounds_stays_so(source):
    with pytest.raises(
        InputError, match=r"the chat template (failed|cannot be compiled)"
    ) as caught:
        _render(source)
    assert "\n" not in str(caught.value)


def _slow(source):
    return pytest.param(source, marks=pytest.mark.slow)


def _many(step):
    return "".join(step.replace("#", str(i)) for i in range(100))


def _doubling(start, step):
    """A program that doubles a value sixty times."""
    return f"{{% set n = namespace(s={start}) %}}{{% for i in range(60) %}}{step}{{% endfor %}}"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f() %}{% for i in range(9) %}{{ f() }}{% endfor %}{% endmacro %}{{ f() }}",
        "{% for a in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ [0] * 999999999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a' | center(1000000000) }}",
        "{{ '{:>2000000000}'.format('a') }}",
        "{{ '{a:>2000000000}'['format_map']({'a': 1}) }}",
        "{% for f in ['{:>2000000000}'] | map(attribute='format') %}{{ f(1) }}{% endfor %}",
        "{{ ('{:>2000000000}' | safe).format('a') }}",
        "{{ strftime_now('%999999999d' * 300000) }}",
        "{{ strftime_now('%-999999999d') }}",
        "{{ strftime_now('%c' * 1000) }}",
        "{{ ('a' * 2000) | replace(new='x' * 2000000, old='a') }}",
        "{{ (['a'] * 2000) | replace('a', 'x' * 2000000) }}",
        "{{ ('1' * 2000) | replace(1, ['x' * 2000000]) }}",
        "{{ ('a' * 2000) | join(['x' * 2000000]) }}",
        "{{ (('a',) * 2000) | join('x' * 2000000) }}",
        "{{ range(2000) | join('x' * 2000000) }}",
        "{{ dict.fromkeys(range(2000)) | join('x' * 2000000) }}",
        "{{ ('\x0b' * 2000000) | indent(10000, true, true) }}",
        "{{ 5 | round(-2000000000) }}",
        "{{ (([1] * 1000,) * 90000) | sum(start=[]) }}",
        "{{ ('f' * 3900000) | int(base=16) // (('f' * 1900000) | int(base=16)) }}",
        "{{ 'a\n' | indent(1000000000) }}",
        "{{ range(999999999) }}",
        _doubling("'ab'", "{% set n.s = n.s + n.s %}"),
        _doubling("'ab'", "{% set n.s = n.s ~ n.s %}"),
        _doubling("'ab'", "{% set n.s = n.s | replace('a', n.s) %}"),
        _doubling("'ab'", "{% set n.s = n.s.replace('', n.s) %}"),
        _doubling("'ab'", "{% set n.s = [n.s, n.s] | join(n.s) %}"),
        _doubling("'ab'", "{% set x %}{{ n.s }}{{ n.s }}{% endset %}{% set n.s = x %}"),
        _doubling("[1]", "{% set n.s = [n.s, n.s] %}") + "{{ n.s }}",
        _doubling("[1]", "{% set n.s = [n.s, n.s] %}") + "{{ n.s | tojson }}",
        "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
        "{{ (1).to_bytes(2000000000, 'big') }}",
        "{{ 'a'.encode().ljust(2000000000) }}",
        "{{ ('x' * 100000).join(('a' * 100000) | list) }}",
        "{{ ('x' * 100000).join('a' * 100000) }}",
        "{{ ('a' * 100000) | map('string') | join('x' * 100000) }}",
        "{{ range(999) | list | tojson(indent='x' * 1000000) }}",
        "{{ range(99999) | list | tojson(indent=9999) }}",
        "{{ range(999) | list | tojson(separators=('x' * 1000000, ':')) }}",
        "{{ ([[[[[[[0] * 9] * 9] * 9] * 9] * 9] * 9] * 3) | tojson(indent=16) }}",
        "{% for i in range(5000) %}" + "x" * 190_000 + "{% endfor %}",
        _slow("{% for i in range(5000) %}{{ '" + "x" * 190_000 + "' }}{% endfor %}"),
        "{% for i in range(9999) %}{{ 'a' | replace('a', '" + "x" * 99_000 + "') }}{% endfor %}",
        "{% set n = namespace(a='x' * 3000000) %}{% for i in range(300) %}{{ n }}{% endfor %}",
        "{% set n = {'a': 'x' * 3000000}.values() %}{% for i in range(300) %}{{ n }}{% endfor %}",
        _many("{% set a# = '😀' * 4000000 %}"),
        "{% set a = '😀' * 3900000 %}{{ a | sort | length }}",
        _doubling("[1]", "{% set n.s = [n.s, n.s] %}") + "{{ [1].index(n.s) }}",
        _doubling("[1]", "{% set n.s = [n.s, n.s] %}") + "{{ [0][n.s].x }}",
        _many("{% set n# = namespace() %}{% set n#.a = n %}{% set n#.b = n %}{% set n = n# %}")
        + "{{ [0][n].x }}",
        _many("{% set n# = namespace() %}{% set n#.a = n %}{% set n#.b = n %}{% set n = n# %}")
        + "{{ raise_exception(n) }}",
        "{% set a = '😀' * 3900000 %}" + _many("{% set a# = a[1:] %}"),
        "{% set a = '😀' * 3900000 %}" + _many("{% set a# = a | lower %}"),
        _slow("{% set a = '😀' * 3900000 %}" + _many("{% set a# = a.lower() %}")),
        _slow("{% set a = '😀' * 3900000 %}" + _many("{% set a# = a ~ 'b' %}")),
        "{% set a = '😀' * 1000000 %}" + _many("{% set a# = a | list %}"),
        "{{ ([[1]] * 900000) | sum(start=[]) | length }}",
    ],
)  # fmt: skip
def test_what_would_never_end_or_fill_memory_is_stopped(source):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.thread_time()
    with pytest.raises(InputError, match=r"the chat template (failed|cannot be compiled)"):
        _render(source)
    assert time.thread_time() - start < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


_REPEATED = "{{% for i in range(99) %}}{}{{% endfor %}}"


@pytest.mark.parametrize(
    "step",
    [
        "{% set a = [" + "0," * 99 + "] %}",
        "{% set a = (" + "0," * 99 + ") %}",
        "{% set a = [" + "[]," * 99 + "] %}",
        "{% set a = {" + _many("#:0,") + "} %}",
        "{% macro f() %}{% if varargs %}{% endif %}{% endmacro %}{{ f(*range(99)) }}",
        "{% macro f() %}{% if kwargs %}{% endif %}{% endmacro %}{{ f(" + _many("a#=0,") + ") }}",
        "{% for j in range(99) | map(attribute='a') %}{% if loop.length %}{% endif %}{% break %}"
        "{% endfor %}",
    ],
)
def test_lists_that_a_program_can_keep_are_counted(step, monkeypatch):
    monkeypatch.setattr("jaxgap.models.template_meter.MAX_MADE", 60_000)
    assert _render(step) == ""
    with pytest.raises(InputError, match="the chat template failed: it makes too many values"):
        _render(_REPEATED.format(step))


def test_macros_are_counted_when_they_are_made(monkeypatch):
    monkeypatch.setattr("jaxgap.models.template_meter.MAX_TURNS", 2_000)
    for step in ("{% macro f#() %}{% endmacro %}", "{% call g() %}{% endcall %}"):
        with pytest.raises(InputError, match="the chat template failed: it runs too long"):
            _render(
                "{% macro g() %}{% if caller %}{% endif %}{% endmacro %}"
                + _REPEATED.format(_many(step))
            )


@pytest.mark.parametrize(
    "source",
    [
        "{% set a = 'ab' * 50000 %}" + _many("{{ a | sort | length }}"),
        "{% set a = ['ab'] * 200000 %}" + _many("{{ (a | join).count('abc') }}"),
        "{% set a = [0] * 500000 %}" + 20 * _many("{{ 1 in a }}"),
        "{% set a = [0] * 500000 %}" + 20 * _many("{{ 1 is in(a) }}"),
        "{% set a = [0] * 500000 %}{% for i in range(1, 2000) | select('in', a) %}{% endfor %}",
        "{% set a = [0] * 500000 %}{{ range(1, 2000) | select('in', a) | list | length }}",
        "{% set a = [0] * 500000 %}" + _many("{% set b = a * 2 %}"),
    ],
)  # fmt: skip
def test_the_clock_is_looked_at_outside_of_loops(source, monkeypatch):
    monkeypatch.setattr("jaxgap.models.template_sandbox.MAX_SECONDS", 0.5)
    monkeypatch.setattr("jaxgap.models.template_meter.MAX_MADE", float("inf"), raising=False)
    start = time.thread_time()
    with pytest.raises(InputError, match="the chat template failed: it runs too long"):
        _render(source)
    assert time.thread_time() - start < 3


def test_long_and_broken_programs_are_refused():
    with pytest.raises(InputError, match="the chat template has 300000 characters"):
        ChatTemplate("a" * 300_000, {})
    with pytest.raises(InputError, match="cannot be compiled: Encountered unknown tag"):
        ChatTemplate("{% frobnicate %}", {})
    with pytest.raises(InputError, match="cannot be compiled"):
        ChatTemplate("{{" + "(" * 50_000 + "}}", {})
    for begin, end in (("{% for a in b %}", "{% endfor %}"), ("{% if a %}", "{% endif %}")):
        with pytest.raises(InputError, match="cannot be compiled: too many"):
            ChatTemplate(begin * 100 + end * 100, {})
    with pytest.raises(InputError, match="cannot be compiled: Exceeds the limit"):
        ChatTemplate("{{ " + "9" * 5_000 + " }}", {})


def test_each_rendering_has_its_own_budget():
    template = ChatTemplate("{% for i in range(99999) %}{% endfor %}ok", {})
    assert [template.render(CHAT) for _ in range(3)] == ["ok"] * 3


def test_long_conversations_stay_within_the_budgets():
    chat = [{"role": role, "content": "x" * 500} for role in ("user", "assistant")] * 500
    text = ChatTemplate(LLAMA3, {"bos_token": "<bos>"}).render(chat)
    assert text.count("x") == 500_000
