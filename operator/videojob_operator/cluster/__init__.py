"""The only room that talks to the API server: observe, apply, progress, rights, metrics.

It turns raw objects into the frozen values decisions are made of, and decisions into calls with preconditions. It knows
how to ask and how to write, never what should happen: that is `decide`'s. It reads no Secret and touches no media byte.
"""
