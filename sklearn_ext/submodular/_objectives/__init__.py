"""Set functions: rows become coordinates, sets become states, rows gain.

* ``_base``: what every objective offers
* ``_similarities``: kernels to a few reference rows, their scale, how these are drawn
* ``_facility_location``: similarity to the nearest member
* ``_coordinates``: coverage and concave functions of sums
* ``_pairwise``: log determinants and graph cuts
* ``_composed``: sums of objectives, functions of the user
* ``_columns``: columns instead of rows, from their moments
* ``_named``: objectives by name
* ``_check``: a search for violated monotonicity and diminishing returns
* ``_rounding``: which values are equal but for rounding
"""
