"""From two centred, weighted samples to a mixture.

- ``_start``: clusters to start from, several starts, growing parts of many rows
- ``_fixed_point``: the passes: shares, Gaussian problems in closed form, masses
- ``_lbfgs``, ``_adam_torch``: the other solvers; they start from the above
- ``_choose``: which settings, by rows held out
- ``_stream``: one more batch
- ``_held_out``: rows held out, to stop in time
"""
