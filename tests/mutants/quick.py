"""Stands as tests/conftest.py beside the mutants: the same examples on every run, and none made smaller once one fails."""

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("mutants")
