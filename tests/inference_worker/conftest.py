"""The worker's tests need `[inference]`; on a web machine they are skipped."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
