"""Trials and experiments as files that any program reads."""
