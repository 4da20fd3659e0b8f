"""Algorithms that choose slots by their gains.

Once:

* ``_greedy``: greedy, lazy greedy, stochastic greedy, falling thresholds
* ``_swap``: exchanges up to a local optimum
* ``_sieve``: one pass over a stream

While rows come and go:

* ``_guess``: threshold selection along an order, and a guess of the optimum kept by it
* ``_bucketed``: a guess kept in another way
* ``_guesses``: the few guesses that enclose the optimum
* ``_report``: from their sets to the answer
"""
