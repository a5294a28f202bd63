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
        ("{% for m in messages %}{% if loop.last %}{% break %}{% endif %}x{% endfor %}", "x"),
        ("{% generation %}a{{ 1 + 1 }}{% endgeneration %}", "a2"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1"),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
         "{% endfor %}{{ ns.n }}", "2"),
        ("{{ messages[0].content.split(' ')[-1].upper() ~ '!' }}", "BRIEF.!"),
        ("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f('a') * 2 }}", "<a><a>"),
        ("{%- for m in messages if m.role == 'user' -%} {{ m.role }} {%- endfor -%}", "user"),
        ("{% if tools is none and missing is not defined %}yes{% endif %}", "yes"),
        ("{{ strftime_now('%d %b %Y') }}", "26 Jul 2024"),
    ],
)  # fmt: skip
def test_what_templates_use(source, text):
    assert _render(source) == text


def test_a_template_is_told_when_not_to_think():
    source = "{% if enable_thinking is defined and enable_thinking is false %}at once{% endif %}"
    template = ChatTemplate(source, {})
    assert template.render([]) == ""
    assert template.render([], thinks=False) == "at once"


def test_a_template_may_refuse():
    with pytest.raises(InputError, match="the chat template failed: roles must alternate"):
        _render("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ self.__init__ }}",
        "{{ ''.format_map(messages) }}",
        "{{ '{0.__class__}'.format(1) }}",
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
    ],
)  # fmt: skip
def test_what_would_never_end_or_fill_memory_is_stopped(source):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.thread_time()
    with pytest.raises(InputError, match=r"the chat template (failed|cannot be compiled)"):
        _render(source)
    assert time.thread_time() - start < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


def test_long_and_broken_programs_are_refused():
    with pytest.raises(InputError, match="the chat template has 300000 characters"):
        ChatTemplate("a" * 300_000, {})
    with pytest.raises(InputError, match="cannot be compiled: Encountered unknown tag"):
        ChatTemplate("{% frobnicate %}", {})
    with pytest.raises(InputError, match="cannot be compiled"):
        ChatTemplate("{{" + "(" * 50_000 + "}}", {})


def test_each_rendering_has_its_own_budget():
    template = ChatTemplate("{% for i in range(99999) %}{% endfor %}ok", {})
    assert [template.render(CHAT) for _ in range(3)] == ["ok"] * 3
