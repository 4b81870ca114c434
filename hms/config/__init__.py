"""From words and YAML files to objects, or to mistakes; nothing here imports torch, so that a mistake is told at once.

command       a function as the command of a YAML: the one place that sets Hydra up
command_line  what was typed, as Hydra wants it; the settings that a sweep asks for
check         a config against what the classes in it take, every mistake at once
misfit        a value that does not fit the type that it should have
signature     what a class takes, read from its source
source        classes and functions by name, read and not imported
build         a config's nodes as objects
"""
