"""Which head wins at how many labels, in the order in which rows pass.

- ``_two_regimes``: ``TwoRegimes``, the comparison as a classifier
- ``_subsets``: which rows are held out, in which order the rest comes, and how many
- ``_runs``: one repeat; every head is fitted to growing subsets and scored
- ``_curves``: means, intervals, crossover and regimes of the curves
- ``_summary``: what was found, in words
- ``_plots``: ``TwoRegimesDisplay``, the picture of it
"""
