"""A saved fit comes back bit for bit, and nothing else comes out of such a file."""

import contextlib
import copy
import dataclasses
import json
import random

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgap.dynamics import GapDynamics, PowerPotential, RankOneCoupling
from jaxgap.errors import InputError
from jaxgap.fitting import (
    Bounded,
    FitResult,
    Held,
    LinearLaw,
    LogNormal,
    NeuralLaw,
    OdeCurves,
    PowerLaw,
    StudentT,
    Tied,
    fit,
    load_result,
    save_result,
)
from jaxgap.fitting.curves import curves_of
from jaxgap.fitting.saving.result_file import _digest
from jaxgap.fitting.saving.tree_json import decode, encode
from jaxgap.fitting.selection import CANDIDATES, AveragedResult, fit_auto
from jaxgap.trajectory import Trajectory

TS = np.linspace(0.0, 9.0, 14)


def run(seed=1):
    decay = np.exp(-0.5 * TS)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((2, len(TS)))
    return Trajectory(TS, 0.2 + 0.8 * decay + noise[0], 0.1 + 0.4 * decay + noise[1])


@pytest.fixture(scope="module", name="linear")
def _linear():
    return fit(LinearLaw(), run())


@pytest.fixture(scope="module", name="averaged")
def _averaged():
    return fit_auto(run(), laws=(LinearLaw(), PowerLaw()))


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


@pytest.mark.parametrize("kind", [pytest.param("uncertainty", marks=pytest.mark.slow), "accuracy"])
def test_a_fit_with_tied_parameters_comes_back(kind, tmp_path):
    half = run()
    tied = Trajectory(TS, half.solver / 2, half.verifier / 2, kind=kind)
    constraints = {"verifier_initial": Tied("solver_initial")}
    result = fit(LinearLaw(), tied, constraints=constraints)
    assert_same(back(result, tmp_path), result)


def test_where_a_link_leads_the_fit_is_written(linear, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "fit.json").symlink_to(tmp_path / "kept" / "fit.json")
    for _ in range(2):  # where there is no file yet, and where there is one
        save_result(linear, tmp_path / "fit.json")
        assert (tmp_path / "fit.json").is_symlink()
        assert load_result(tmp_path / "kept" / "fit.json").to_dict() == linear.to_dict()


def test_open_ends_and_missing_series_come_back(tmp_path):
    few = fit(LinearLaw(), Trajectory([0, 1, 2], [0.3, 0.4, 0.45], kind="accuracy", num_items=50))
    assert few.limits["solver"].interval[1] is None
    assert encode(back(few, tmp_path)) == encode(few)


@pytest.mark.parametrize(
    "constraint", [Held(np.float32(0.4)), Held(jnp.asarray(0.4)), Bounded(np.float32(0.1), 1)]
)
def test_a_fit_with_numbers_of_float32_comes_back(constraint, tmp_path):
    options = {"constraints": {"rate": constraint}, "level": np.float32(0.8)}
    result = fit(LinearLaw(), run(), **options)
    assert_same(back(result, tmp_path), result)
    json.dumps(result.to_dict(), allow_nan=False)


def test_an_average_over_laws_of_a_solver_alone_comes_back(tmp_path):
    solver = fit_auto(run().replace(verifier=None), laws=(LinearLaw(), PowerLaw()))
    assert_same(back(solver, tmp_path), solver)


@pytest.mark.slow
def test_an_average_over_laws_comes_back(averaged, tmp_path):
    found = back(averaged, tmp_path)
    assert_same(found, averaged)
    assert json.dumps(found.to_dict()) == json.dumps(averaged.to_dict())


def test_ways_of_computing_curves_are_named_by_what_is_not_their_default():
    form = encode(OdeCurves(max_steps=77))
    assert form["fields"] == {"max_steps": 77}
    assert decode(form).max_steps == 77
    power = GapDynamics(PowerPotential(0.1, 0.2, 1.5), RankOneCoupling(0.4), 2.0, 1.0)
    for each in (NeuralLaw(), PowerLaw(), power):
        assert encode(decode(encode(each))) == encode(each)


@pytest.mark.parametrize("law", CANDIDATES, ids=lambda law: law.name)
def test_every_law_and_its_dynamics_can_be_saved(law):
    curves = curves_of(run(), 16)
    values = [
        b.constrain(z) for b, z in zip(law.bijectors(curves), law.starts(curves)[0], strict=True)
    ]
    for each in (law, law.dynamics(values, curves)):
        assert encode(decode(encode(each))) == encode(each)


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
        (whole[: len(whole) // 2], "not JSON"),
        ("[" * 100_000, "not JSON"),
        (json.dumps(linear.to_dict()), "not a saved fit; write one with save_result"),
        (whole.replace('"version": 2', '"version": 9', 1), "another version"),
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
        ({"function": "jaxgap.fitting.fit:closed_form"}, "there is no jaxgap.fitting.fit"),
        ({"function": "LinearLaw"}, "there is no LinearLaw"),
        ({"record": "pathlib:Path", "fields": {}}, "there is no pathlib:Path"),
        ({"record": "closed_form", "fields": {}}, "there is no closed_form"),
        ({"record": "Estimate", "fields": {"a": 1}}, "Estimate: .*unexpected keyword"),
        (
            {
                "record": "Parameter",
                "fields": {
                    "name": "rate",
                    "unit": {"array": "float64", "shape": [2], "values": [1.0, 2.0]},
                },
            },
            "unit is of another type",
        ),
        ({"array": "float64", "shape": [10**12], "values": []}, "wrong size"),
        ({"array": "object", "shape": [0], "values": []}, "wrong size"),
        ({"array": "float64", "shape": [1], "values": [[1]]}, "not a number"),
        ({"array": "int64", "shape": [1], "values": [10**30]}, "too large"),
        ({"else": 1}, "unknown fields"),
    ],
)
def test_a_file_can_name_nothing_but_jaxgaps_own_records(form, match):
    with pytest.raises(InputError, match=match):
        decode(form)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"starts": np.zeros((8, 2))}, "is of another type"),
        ({"search_start": np.zeros(2)}, "is of another type"),
        (
            {"starts": np.zeros((0, 5)), "start_costs": np.zeros(0)},
            "its parts do not belong together",
        ),
    ],
)
def test_searches_around_a_fit_need_parts_that_match(linear, tmp_path, changes, match):
    source = dataclasses.replace(linear.source, raw=linear.source.raw._replace(**changes))
    with pytest.raises(InputError, match=match):
        back(dataclasses.replace(linear, source=source), tmp_path)


def test_the_law_of_most_weight_has_to_be_among_the_fits(averaged, tmp_path):
    forged = dataclasses.replace(averaged, weights={**averaged.weights, "another": 2.0})
    with pytest.raises(InputError, match="its parts do not belong together"):
        back(forged, tmp_path)


FORGED = [
    None, True, -1, 10**30, 1e308, "x", [], {}, [1.0, 2.0],
    {"tuple": []},
    {"mapping": {}},
    {"float": "nan"},
    {"array": "float64", "shape": [0], "values": []},
    {"array": "float64", "shape": [2], "values": [1.0, 2.0]},
    {"array": "int64", "shape": [], "values": [3]},
    {"function": "closed_form"},
    {"record": "LinearLaw", "fields": {}},
    {"record": "Parameter", "fields": {"name": "rate", "unit": "1"}},
]  # fmt: skip


def places(form, above=()):
    """Where each part of a form is, by keys from the outside in."""
    parts = form.items() if isinstance(form, dict) else enumerate(form)
    for key, part in parts:
        yield (*above, key)
        if isinstance(part, dict | list):
            yield from places(part, (*above, key))


def forge(body, rng):
    """Replace, remove or swap one part anywhere."""
    body = copy.deepcopy(body)
    where = list(places(body))
    *above, key = rng.choice(where)
    parent, other = body, body
    for step in above:
        parent = parent[step]
    for step in rng.choice(where):
        other = other[step]
    match rng.randrange(3):
        case 0:
            parent[key] = copy.deepcopy(rng.choice(FORGED))
        case 1:
            del parent[key]
        case 2:
            parent[key] = copy.deepcopy(other)
    return body


@pytest.fixture(scope="module", name="bodies")
def _bodies(linear):
    known = {"constraints": {"gap_limit": Bounded(0, 0.4), "ratio": Held(0.5)}}
    known["priors"] = {"rate": LogNormal(0.3, 0.5)}
    results = [linear, fit(LinearLaw(), run(), noise=StudentT(), **known)]
    return [encode(result) for result in results]


def attack(bodies, path, count, seed):
    """Load forged files whose digest is right: those taken for fits, and why others are not."""
    rng = random.Random(seed)
    taken, refused = [], []
    for _ in range(count):
        body = forge(rng.choice(bodies), rng)
        form = {"format": "jaxgap fit", "version": 2, "sha256": _digest(body), "result": body}
        path.write_text(json.dumps(form))
        try:
            taken.append(load_result(path))
        except InputError as error:
            refused.append(str(error))
    return taken, refused


def test_a_forged_file_is_refused_or_makes_a_fit(bodies, tmp_path):
    taken, refused = attack(bodies, tmp_path / "fit.json", 200, 0)
    assert all(isinstance(each, FitResult | AveragedResult) for each in taken)
    assert not any("\n" in line for line in refused)
    # Most of a fit is structure: only numbers can be changed unseen.
    assert len(taken) < 60


@pytest.mark.slow
def test_what_is_made_of_a_forged_file_can_be_asked(bodies, averaged, tmp_path):
    taken, _ = attack([*bodies, encode(averaged)], tmp_path / "fit.json", 800, 1)
    for each in taken:
        json.dumps(each.to_dict())
        each.report()
        # Curves that were forged may have no number at such times, or begin after them.
        with contextlib.suppress(ValueError):
            each.predict([3.0, 20.0])
