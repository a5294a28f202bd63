"""A saved fit comes back bit for bit, and nothing else comes out of such a file."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.errors import InputError
from jaxgap.fitting import (
    FitResult,
    LinearLaw,
    NeuralLaw,
    OdeCurves,
    PowerLaw,
    fit,
    load_result,
    save_result,
)
from jaxgap.fitting.selection import fit_auto
from jaxgap.fitting.tree_json import decode, encode
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)


def run(seed=1):
    decay = np.exp(-0.5 * TS)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((2, len(TS)))
    return Trajectory(TS, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])


@pytest.fixture(scope="module", name="linear")
def _linear():
    return fit(LinearLaw(), run())


def back(result, folder):
    save_result(result, folder / "fit.json")
    return load_result(folder / "fit.json")


def assert_same(found, result):
    assert found.to_dict() == result.to_dict()
    assert found.report() == result.report()
    for name in ("solver", "verifier", "gap"):
        ours, theirs = (getattr(each.predict([3.0, 20.0]), name) for each in (found, result))
        np.testing.assert_array_equal(np.array(ours), np.array(theirs))


def test_a_fit_comes_back_with_all_it_can_be_asked(linear, tmp_path):
    found = back(linear, tmp_path)
    assert_same(found, linear)
    assert encode(found) == encode(linear)
    assert isinstance(found, FitResult)
    assert found.correlations == linear.correlations


def test_open_ends_and_missing_series_come_back(tmp_path):
    few = fit(PowerLaw(), Trajectory([0, 1, 2], [0.3, 0.4, 0.45], kind="accuracy", num_items=50))
    assert encode(back(few, tmp_path)) == encode(few)


def test_an_average_over_laws_comes_back(tmp_path):
    result = fit_auto(run(), laws=(LinearLaw(), PowerLaw()))
    assert_same(back(result, tmp_path), result)


def test_ways_of_computing_curves_are_named_by_what_is_not_their_default():
    form = encode(OdeCurves(max_steps=77))
    assert form["fields"] == {"max_steps": 77}
    assert decode(form).max_steps == 77
    assert encode(decode(encode(NeuralLaw()))) == encode(NeuralLaw())


@pytest.mark.parametrize("value", [0.1, -0.0, 5e-324, np.float64(1 / 3), float("nan"), np.inf])
def test_floats_keep_every_bit(value):
    found = decode(json.loads(json.dumps(encode(np.array(value)), allow_nan=False)))
    assert found.tobytes() == np.array(value).tobytes()


def test_what_is_not_jaxgaps_own_is_not_saved(linear, tmp_path):
    with pytest.raises(ValueError, match="cannot be saved: it is not jaxgap's own"):
        save_result(fit(LinearLaw(), run(), curve_fn=own_curves), tmp_path / "fit.json")
    with pytest.raises(ValueError, match="a set cannot be saved"):
        encode({1, 2})


def own_curves(dynamics, ts):
    return jnp.asarray(dynamics.closed_form(ts))


def test_damaged_and_foreign_files_end_in_one_line(linear, tmp_path):
    path = tmp_path / "fit.json"
    save_result(linear, path)
    whole = path.read_text()
    for text, match in [
        (whole.replace("0.9", "0.8", 1), "damaged"),
        (whole[: len(whole) // 2], "no JSON"),
        ("[" * 100_000, "no JSON"),
        (json.dumps(linear.to_dict()), "not a saved fit; write one with save_result"),
        (whole.replace('"version": 1', '"version": 9', 1), "another version"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=match):
            load_result(path)
    with pytest.raises(InputError, match="No such file"):
        load_result(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("form", "match"),
    [
        ({"function": "os:system"}, "there is no os:system"),
        ({"function": "jaxgap.fitting.fit:jaxgap"}, "there is no"),
        ({"record": "jaxgap.fitting.result_file:Path", "fields": {}}, "there is no"),
        ({"record": "jaxgap.fitting.fit:fit", "fields": {}}, "is no record"),
        ({"record": "jaxgap.fitting.estimate:Estimate", "fields": {"a": 1}}, "Estimate"),
        ({"array": "float64", "shape": [10**12], "values": []}, "wrong size"),
        ({"array": "object", "shape": [0], "values": []}, "wrong size"),
        ({"array": "float64", "shape": [1], "values": [[1]]}, "no number"),
        ({"array": "int64", "shape": [1], "values": [10**30]}, "too large"),
        ({"else": 1}, "nothing is known"),
    ],
)
def test_a_file_can_name_nothing_but_jaxgaps_own_records(form, match):
    with pytest.raises(InputError, match=match):
        decode(form)
