"""Fits on disk: :func:`jaxgap.fitting.save_result` and :func:`jaxgap.fitting.load_result`."""
