"""Soak: many more lives than the tests run, until one of them breaks an invariant; that one is then made short."""
