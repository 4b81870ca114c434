"""What a process needs from its system: terminal, signals, memory, files written whole, other processes, devices.

console    what is printed
interrupt  signals
threads    how long idle threads spin
memory     freed memory, kept
reading    tables and JSON files
atomic     files and folders written whole, by one process at a time
shards     work split among machines
processes  processes that train together
workers    processes that divide many similar jobs
device     the CPU or GPU that models compute on, and in which precision
"""
