"""A hub that cannot be reached is one line, whatever its library's HTTP client raises."""

import socket
import threading

import huggingface_hub
import huggingface_hub.constants
import pytest

from jaxgap.errors import InputError
from jaxgap.models.huggingface.hub import download


@pytest.fixture
def serve():
    """Listen on this machine, and answer every connection with these bytes."""
    listeners = []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer_all, args=(listener, answer), daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.close()


def _answer_all(listener, answer):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


@pytest.fixture
def use_endpoint(monkeypatch, tmp_path):
    """Have the library look for the hub elsewhere, with an empty cache."""

    def use(endpoint, **proxies):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in proxies.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        huggingface_hub.close_session()

    yield use
    huggingface_hub.close_session()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x"], ids=["silence", "another protocol"])
def test_a_server_that_hangs_up_is_one_line(answer, serve, use_endpoint):
    use_endpoint(f"http://127.0.0.1:{serve(answer)}")
    with pytest.raises(InputError, match=r"^a/b: cannot be fetched from .* hub: [^\n]+$"):
        download("a/b")


def test_a_proxy_that_refuses_is_one_line(serve, use_endpoint):
    port = serve(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    use_endpoint("https://hub.invalid", HTTPS_PROXY=f"http://127.0.0.1:{port}")
    with pytest.raises(InputError, match=r"hub: .*403 Forbidden"):
        download("a/b")


def test_nobody_listening_is_one_line(use_endpoint):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_endpoint(f"http://127.0.0.1:{port}")
    with pytest.raises(InputError, match=r"^a/b: cannot be fetched from .* hub: [^\n]+$"):
        download("a/b")


def test_all_that_tells_of_tokens_and_adapters_is_fetched(monkeypatch):
    asked = {}
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **rest: asked.update(rest) or "here"
    )
    download("a/b")
    wanted = {"tokenizer", "tokenizer_config", "special_tokens_map", "added_tokens"}
    wanted |= {"adapter_config"}
    wanted = {f"{name}.json" for name in wanted} | {"additional_chat_templates/*.jinja"}
    assert wanted <= set(asked["allow_patterns"])


def test_a_transfer_that_fails_is_one_line(monkeypatch):
    def snapshot_download(name, **rest):
        raise RuntimeError("Data processing error: CAS service error\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(InputError, match=r"hub: Data processing error: CAS service error$"):
        download("a/b")
