"""
What callers hand over, checked before anything is sent, with one message for each kind of mistake.

`shown`, `keys`, `parameters`, `metrics` and `paths` need the standard library alone: they travel with training jobs.
"""
