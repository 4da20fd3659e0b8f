"""Algorithms that choose slots by their gains.

Once:

* ``_greedy``: greedy, lazy greedy, stochastic greedy, falling thresholds
* ``_swap``: exchanges up to a local optimum
* ``_sieve``: one pass over a stream

While rows come and go:

* ``_walk``: threshold selection along an order, and the levels of what it passes over
* ``_guess``, ``_leveled``, ``_bucketed``: one guess of the optimum, kept in two ways
* ``_guesses``: the few guesses that enclose the optimum
* ``_report``: from their sets to the answer
"""
