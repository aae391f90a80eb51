"""Keeps the makers of the fixtures out of collection: they run in environments of their own."""

collect_ignore_glob = ["make_*.py"]
