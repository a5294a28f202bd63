"""The QE verifier: which grade does the answer deserve?

The score is the mean of the model's distribution over the ten grades, scaled to [0, 1], rather than
one sampled grade (following Liu et al., arXiv:2303.16634); the paper does not print its prompt (Sun
et al., arXiv:2507.00075, section 2), so this one is jaxgap's own.
"""

from jaxgap.improve.verifiers.asking import Question

GRADE = Question(
    """\
Question:
{prompt}

Proposed answer:
{completion}

Grade the proposed answer with one digit from 0 (wrong) to 9 (correct and complete).
Grade:""",
    tuple((space + str(grade), grade / 9) for grade in range(10) for space in ("", " ")),
)
