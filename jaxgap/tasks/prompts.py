"""The prompt templates of all tasks.

`{...}` stands for a field of a record. Each ends by saying where to put the answer, so that
:mod:`jaxgap.tasks.answers` finds it.
"""

GSM8K = """\
{question}

Think step by step. End with a line that says: The answer is NUMBER."""

MATH = """\
{problem}

Think step by step, and put the final answer in \\boxed{{}}."""

PRONTOQA = """\
{question}

{query} Think step by step. End with a line that says: The answer is True (or False)."""

MBPP = """\
{text}

Write it in Python. These tests must pass:

{tests}

Give the program alone, between ```python and ```."""

REASONING_GYM = """\
{question}

Give the final answer between <answer> and </answer>."""
