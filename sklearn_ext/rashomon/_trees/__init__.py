"""Rashomon sets of decision trees: from a table to all trees that are nearly best.

The rooms, in the order in which rows pass through them:

_classifier
    ``RashomonTreeClassifier`` with everything that a user can ask.
_problem
    Cuts of the features, merged rows of bits, the space of trees.
_plan
    What the recursion or sampling would cost; which is taken.
_graph
    Subsets of rows that paths reach, and the splits below them in closed form.
_recursion
    Smallest losses first, then one fold over the graph: with floats it gives loss
    polynomials, with whole numbers exact counts, with maxima extremes of scores.
_polynomials
    Truncated products of polynomials.
_sets
    The set that the recursion finds: its ratio, best tree, draws, and what all of its
    trees say about rows: votes, extremes.
_descent
    From the root down again: uniform draws, vote shares, usage of splits.
_readings
    What drawn members say about rows.
_sampled
    Deep trees: random structures, labels integrated out; tempering; the set as their
    sample shows it; a greedy tree.
_trees_torch
    The same routing of rows on a device.
_members
    Single trees and packed collections of them.
_patterns
    Distinct predictions of all trees.
"""
