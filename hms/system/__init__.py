"""What a process needs from its system: terminal, signals, memory, files written whole, other processes."""
