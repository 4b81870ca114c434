"""Random changes to whole training batches, on the batch's device; each is a module here and a YAML of that name.

`mixing` holds what several of them share.
"""
