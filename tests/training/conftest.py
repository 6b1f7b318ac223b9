"""Training needs `[inference]` and `[training]`; on a web machine its tests are skipped."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
