"""Out of the device's memory: one line that says what to do."""

import pytest
from jax.errors import JaxRuntimeError

from jaxgap.errors import RunError
from jaxgap.improve import ImproveConfig
from jaxgap.improve.runs.device_memory import out_of_memory_in_one_line
from jaxgap.improve.runs.kept_run import improve_to_folder, resume_folder


def raising(words):
    def assemble(config):
        raise JaxRuntimeError(words)

    return assemble


def test_a_run_that_does_not_fit_says_so(tmp_path):
    advice = (
        "begin anew with a lower `prompts_per_call`, `microbatch_size` or `max_new_tokens`, or "
        "with `remat=True`"
    )
    with pytest.raises(RunError, match=f"does not fit the device's memory: {advice}"):
        improve_to_folder(
            ImproveConfig(), tmp_path / "run", assemble=raising("RESOURCE_EXHAUSTED: 9G")
        )
    assert not (tmp_path / "run").exists()
    (tmp_path / "config.json").write_text('{"seed": 3}')
    with pytest.raises(RunError, match="does not fit the device's memory"):
        resume_folder(tmp_path, assemble=raising("RESOURCE_EXHAUSTED: 9G"))


def test_other_errors_of_the_device_go_through():
    with pytest.raises(JaxRuntimeError, match="INTERNAL: broken"), out_of_memory_in_one_line():
        raise JaxRuntimeError("INTERNAL: broken")
