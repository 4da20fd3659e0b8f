"""What theory says before data are seen.

- ``_risk``: excess risk of the linear members, and the weight of least risk
- ``_bag_size``: the bag size of least risk under a privacy budget
"""
