"""What `python -m lstmc bench` is made of; nothing else in the package imports it.

cases -> contenders and peers (what takes part) -> truth (whether it is right) -> worker and children (a process for each)
-> rounds (how it is timed) -> machine and roofline (what could be reached) -> report, groups, plot, compare (what is said about it).
"""
