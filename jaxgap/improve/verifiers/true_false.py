"""The TF verifier: is the answer right, true or false?

The paper scores by the normalised probability of "True" and does not print its prompt (Sun et al.,
arXiv:2507.00075, section 2), so this one is jaxgap's own.
"""

from jaxgap.improve.verifiers.asking import Question

TRUE_FALSE = Question(
    """\
Question:
{prompt}

Proposed answer:
{completion}

Is the proposed answer correct? Reply with one word, True or False.
Answer:""",
    (("True", 1.0), (" True", 1.0), ("False", 0.0), (" False", 0.0)),
)
