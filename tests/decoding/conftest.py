"""The decoder's tests need `[inference]`; on a web machine they are skipped."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("pi_heif") else ["test_*.py"]
