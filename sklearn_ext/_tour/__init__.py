"""The tour: each family at work on real data, in one short report."""
