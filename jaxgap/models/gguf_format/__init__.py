"""Models as GGUF files, the format of llama.cpp (the extra `lm`)."""

from jaxgap.models.gguf_format.load import load_gguf

__all__ = ["load_gguf"]
