"""Read a recording from any clinic as the twenty channels of `hms.electrodes`, piece by piece, and cut its windows."""
