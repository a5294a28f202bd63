"""Models as Hugging Face folders, and adapters in PEFT's format."""

from jaxgap.models.huggingface.config_json import config_json, parse_config
from jaxgap.models.huggingface.folder import load_folder

__all__ = ["config_json", "load_folder", "parse_config"]
