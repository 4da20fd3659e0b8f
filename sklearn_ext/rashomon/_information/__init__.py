"""What a ratio is worth in bits: certificates, and bits where no law is exact.

- ``_certificates``: bounds of the error on new rows from a ratio and training errors
- ``_tree_certificates``: those of trees, from the law of the loss; cuts from elsewhere
- ``_splitting``: probabilities of rare small losses under a normal prior
- ``_inductive_bias``: the same in bits, for linear models, nets and losses of your own
"""
