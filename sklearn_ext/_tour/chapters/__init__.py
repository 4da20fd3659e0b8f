"""The chapters of the tour, each a function ``chapter(data)``.

``aggregate``, ``bandits``, ``bridge``, ``calibration``, ``losses``, ``networks``,
``probes``, ``random_features``, ``rashomon``, ``representations``, ``submodular``,
``tasks``
"""
