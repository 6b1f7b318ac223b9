"""Tests that compare the web with the worker need `[inference]`."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["test_encryption.py", "test_logs.py", "test_photos.py"]
