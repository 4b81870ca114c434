"""A recording of any clinic as the twenty channels of `hms.electrodes`, read piece by piece, and its windows."""
