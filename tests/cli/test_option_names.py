"""What the library says of arguments, said of options."""

import pytest

from jaxgap.cli.option_names import in_options


@pytest.mark.parametrize(
    ("message", "argv", "said"),
    [
        ("num_items must be positive", "fit a.csv --num-items=0", "--num-items must be positive"),
        ("num_items must be positive", "fit a.csv --num_items 0", "--num_items must be positive"),
        # What was not typed is not what is wrong.
        ("num_items must be positive", "fit num_items", "num_items must be positive"),
        ("mesh must be given: two", "improve --out a", "--mesh must be given: two"),
        ("cost must be finite", "improve --stop-when nan", "--stop-when must be finite"),
        ("cost must be finite", "watch a --cost nan", "--cost must be finite"),
        ("constraints: no 'x'", "fit a --fix x=0", "--fix: no 'x'"),
        ("constraints: no 'x'", "fit a --bound x=0,1", "--bound: no 'x'"),
        ("constraints: no 'x'", "fit a --fix=x=0 --bound=y=0,1", "--fix or --bound: no 'x'"),
        # What conflicts with a value that was typed is an option too, if it was left alone.
        (
            "batch_size must be at most num_train_prompts=32, got 64",
            "improve --num-train-prompts 32",
            "--batch-size must be at most --num-train-prompts=32, got 64",
        ),
        (
            "batch_size must be at most num_train_prompts=32, got 64",
            "improve --batch-size 64",
            "--batch-size must be at most num_train_prompts=32, got 64",
        ),
        ("a/num_rounds=3 must be new", "improve --num-rounds 3", "a/num_rounds=3 must be new"),
        ("a b.csv: level is no column", "fit a --level 1", "a b.csv: level is no column"),
    ],
)
def test_an_argument_is_called_as_its_option_was_typed(message, argv, said):
    assert in_options(message, argv.split()) == said


@pytest.mark.parametrize(
    ("advice", "said"),
    [
        ("read it with columns={'t': 'step', 'solver': 'x'}; or", "read it with --columns t=step,"),
        ("give kind='accuracy', and", "give --kind accuracy, and"),
        ("columns={'t': quit()}", "columns={'t': quit()}"),
        ("kind=accuracy", "kind=accuracy"),
        ("give `num_items`", "give --num-items"),
        ("with `num_rounds`=3, not 4", "with --num-rounds=3, not 4"),
        ("with `remat=True`, or", "with --remat, or"),
        ("with `resume_folder('a/b')`", "with jaxgap improve --resume a/b"),
        ("with `resume_folder('a b')`", "with jaxgap improve --resume 'a b'"),
        ("""with `resume_folder("it's")`""", """with jaxgap improve --resume 'it'"'"'s'"""),
        ("read it with columns={'solver': 'my loss'}", "read it with --columns 'solver=my loss'"),
        ("call it inside `with f(True):`", "call it inside `with f(True):`"),
    ],
)
def test_advice_in_python_becomes_advice_in_options(advice, said):
    assert in_options(advice).startswith(said)
