"""Turn a command line and YAML files into objects, or report every mistake in them.

Nothing here imports torch, so that mistakes are reported at once.

command       turns a function into the command of a YAML file, whose jobs Hydra runs
launched      the jobs of a sweep as its sweeper launches them
failures      why jobs failed, each reason told once
keys          what the TypedDicts of commands, their schemas, have in common, and the ranges of numbers
command_line  translates the words typed into what Hydra accepts, and into the configs of a sweep's jobs
words         how a text is written as a word, what is wrong with a word, and which words are repeated
composer      the groups and configs of a command as Hydra finds and composes them, or why it cannot use a word
check         checks a config against the signatures of its classes and reports all mistakes at once
type_check    checks a value against a type
signature     the arguments that a class takes, read from its source
source        finds the definition of a class or function without importing it
build         builds the objects that a config's nodes describe
help          what `--help` prints
described     names the options that a config was composed of, and the values that differ from theirs
"""
