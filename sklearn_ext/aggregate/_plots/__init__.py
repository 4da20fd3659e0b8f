"""Displays.

- ``_selection``: errors over both penalties; published against predicted aggregates
- ``_theory``: risk curves; risk under a privacy budget
"""
