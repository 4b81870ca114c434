"""Random changes to whole training batches, on the batch's device: a module for each, and a YAML of the same name.

`mixing` and `spectrum` hold the code that several of them share.
"""
