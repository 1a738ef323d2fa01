"""What `python -m lstmc bench` is made of; nothing else in the package imports it.

cases -> contenders and peers (what takes part) -> rounds (how it is timed) -> machine and roofline (what could be reached)
-> report, plot, compare (what is said about it).
"""
