"""Claims of the papers, measured where no benchmark had a number yet.

``python -m benchmarks.reproduction [FAMILY [NAME ...]]`` prints the tables and writes
``docs/benchmarks/tables/reproduction_FAMILY.rst``, which the page of the user guide
includes. Other claims of that page are answered by the benchmarks and by tests.
"""
