"""GGUF files written with the `gguf` package, as llama.cpp's converter lays them out."""

import json

import gguf
import numpy as np
import pytest
import safetensors.numpy

WORDS = ["<unk>", "<s>", "</s>", *map(chr, range(97, 123)), "ab", *(f"t{i}" for i in range(34))]


def _permuted(weight, num_heads):
    """The order that llama.cpp gives a Llama's queries and keys."""
    halves = weight.reshape(num_heads, 2, weight.shape[0] // num_heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _write_metadata(writer, family, values):
    scaling = values.get("rope_parameters", {})
    heads = values["num_attention_heads"]
    head_dim = values.get("head_dim") or values["hidden_size"] // heads
    writer.add_block_count(values["num_hidden_layers"])
    writer.add_context_length(values["max_position_embeddings"])
    writer.add_embedding_length(values["hidden_size"])
    writer.add_feed_forward_length(values["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(values["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(values["rms_norm_eps"])
    writer.add_rope_freq_base(scaling["rope_theta"])
    writer.add_key_length(head_dim)
    rotary = int(head_dim * scaling.get("partial_rotary_factor", 1.0))
    writer.add_rope_dimension_count(rotary)
    if values["model_type"] == "phi3" and values["sliding_window"]:
        writer.add_sliding_window(values["sliding_window"])
    if scaling["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    if scaling["rope_type"] == "longrope":
        writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
        for name in ("long", "short"):
            factors = np.array(scaling[f"{name}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{name}.weight", factors)


def _write_tokenizer(writer):
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(WORDS)
    writer.add_token_types([2, 3, 3, *([1] * 61)])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)


@pytest.fixture(scope="session")
def write_gguf(tiny_folder, tmp_path_factory):
    """Write a tiny model's GGUF file, its matrices in the quantisation asked for."""
    root = tmp_path_factory.mktemp("gguf")

    def write(family, kind=gguf.GGMLQuantizationType.F32):
        path = root / f"{family}-{kind.name}.gguf"
        if path.exists():
            return path
        folder = tiny_folder(family)
        values = json.loads((folder / "config.json").read_text())
        architecture = values["model_type"]
        writer = gguf.GGUFWriter(path, architecture)
        _write_metadata(writer, family, values)
        _write_tokenizer(writer)
        number = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}[architecture]
        names = gguf.get_tensor_name_map(number, values["num_hidden_layers"])
        heads = {"q_proj": values["num_attention_heads"], "k_proj": values["num_key_value_heads"]}
        for name, tensor in safetensors.numpy.load_file(folder / "model.safetensors").items():
            module = name.split(".")[-2]
            if architecture == "llama" and module in heads:
                tensor = _permuted(tensor, heads[module])
            target = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if tensor.shape[-1] % 32 == 0 and tensor.ndim == 2 and kind.name != "F32":
                quantised = gguf.quants.quantize(tensor, kind)
                writer.add_tensor(target, quantised, raw_dtype=kind)
            else:
                writer.add_tensor(target, tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write
