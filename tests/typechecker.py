"""The type checker under pytest for shapes and types: beartype, accepting an int as a float (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
