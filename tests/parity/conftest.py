"""Keeps the makers of the fixtures out of collection: they run in environments of their own."""

collect_ignore = [
    "fixture_files.py",
    "make_basic_pitch_fixture.py",
    "make_mert_fixtures.py",
    "make_muq_fixtures.py",
]
