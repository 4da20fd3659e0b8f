"""The tour: each family at work on real data, in one short report.

- ``_run``: runs the chapters, prints their tables, writes the report
- ``_chapter``: what a chapter returns, and its clock
- ``chapters``: one family each, by its name
"""
