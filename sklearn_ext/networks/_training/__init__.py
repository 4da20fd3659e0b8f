"""From distinct rows to trained members.

- ``_rows_left_out``: rows that differ, their order, and who leaves them out
- ``_members``: rows and members as training takes them, its plan, and its result
- ``_rate_search``: which learning rate of a grid is best
- ``_train_torch``: all members as one batched net: batches, loss, schedule, stopping
- ``_regime``: whether a table needs features, or a kernel would do
"""
