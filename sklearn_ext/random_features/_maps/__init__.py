"""From rows to features.

- ``_inputs``: scaling of the columns, then a map, and the precision of both
- ``_maps``: random neurons and waves, whitened landmarks, the exact kernel, a
  transformer of the user
- ``_kernels``: the kernels that the maps approximate, as exact matrices
"""
