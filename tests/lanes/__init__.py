"""Lanes that need a pytest run of their own, as tests of the one run that is reported."""
