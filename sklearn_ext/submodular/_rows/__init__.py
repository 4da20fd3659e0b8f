"""What a user passes, made into rows that can be compared and found again.

* ``_encoding``: rows as they came, checked, and as an encoder maps them
* ``_slots``: identifiers of rows, and the numbered slots that they live in
* ``_stores``: the rows of all slots, dense, sparse or computed anew
"""
