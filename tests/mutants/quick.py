"""Stands as tests/conftest.py beside the mutants: the same examples on every run, none made smaller after a failure."""

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutants")
